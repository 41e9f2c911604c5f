"""A whole training run: data, model, fit, figures, and a folder with the results."""

import contextlib
import csv
import dataclasses
import statistics
import time

import keras
import matplotlib.figure
import numpy as np
import tensorflow as tf

from seqzoo.files import read_json, remove_leftovers, replacing, write_json
from seqzoo.models.checkpoint import Checkpoint
from seqzoo.models.distribution import Workers, mirrored
from seqzoo.models.evaluation import evaluate
from seqzoo.models.execution import choose_threads
from seqzoo.models.loading import load
from seqzoo.plans import data_plan, planned_folder

# A run's folder.
_PLAN, _CHECKPOINT = "run.json", "checkpoint.npz"
_MODEL, _HISTORY, _CURVE, _METRICS = "model.keras", "history.csv", "history.png", "metrics.json"


def fit(
    preset,
    training,
    validation,
    preprocessor,
    seed=0,
    verbose="auto",
    callbacks=(),
    checkpoint=None,
    strategy=None,
    workers=None,
):
    """Builds the preset's model, compiles it with its recipe and trains it.

    Args:
        preset: `Preset` or `TextPreset`.
        training: see the preset's `training_data`.
        validation: likewise.
        preprocessor: likewise.
        seed: int.
        verbose: see `keras.Model.fit`.
        callbacks: likewise.
        checkpoint: `Checkpoint` to go on from and to write; `None` to keep none.
        strategy: `tf.distribute.MirroredStrategy`, or `None` for one device.
        workers: `Workers` of several machines, or `None`; in place of a strategy.

    Returns:
        `(model, history)`: the trained model, and Keras' `History`, whose `cpu` is a `CpuTimes`.

    Raises:
        ValueError: for data that do not fit the preprocessor, fewer than one batch, or a loss that is not a number.
    """
    strategy = workers.strategy if workers else strategy
    replicas = strategy.num_replicas_in_sync if strategy else 1
    if preset.batch_size % replicas:
        raise ValueError(f"The batch size must be a multiple of the {replicas} devices. Received: {preset.batch_size=}")
    keras.utils.set_random_seed(seed)
    checkpoint = checkpoint or Checkpoint()
    batches = preset.batches(preprocessor, training, seed, validation, checkpoint.epoch)
    validation_batches = preset.validation_batches(preprocessor, validation)
    steps_per_epoch = number_of_batches(batches)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = preset.build(preprocessor)
        preset.compile(model, steps_per_epoch)
    cpu = CpuTimes()
    options = {
        "epochs": preset.epochs,
        "initial_epoch": checkpoint.initial_epoch,
        "verbose": verbose,
        "callbacks": [cpu, keras.callbacks.TerminateOnNaN(), checkpoint, *callbacks],
    }
    if workers:
        history = workers.fit(model, batches, validation_batches, **options)
    else:
        # The batches are shuffled already.
        validation_batches = evenly(validation_batches, replicas)
        history = model.fit(batches, validation_data=validation_batches, shuffle=False, **options)
    check_finite(history.history.get("loss", []), preset)
    history.cpu = cpu
    return model, history


def train(
    preset,
    output,
    data=None,
    validation_data=None,
    seed=0,
    verbose="auto",
    resume=False,
    devices=1,
    distributed=False,
):
    """Trains a preset and writes the results to a folder.

    A training that died, or was interrupted, goes on from its last whole epoch with `resume`, and ends with the same
    weights and `history.csv` as one left alone.

    Args:
        preset: `Preset` or `TextPreset`.
        output: folder, new or empty, or with `resume` that of the run. Gets `model.keras`, `history.csv` (a line an
            epoch), `history.png` and `metrics.json`; each is written whole or not at all. `run.json` says what was to
            be trained; while it is, `checkpoint.npz` holds its last epoch.
        data: see the preset's `training_data`.
        validation_data: see the preset's `training_data`.
        seed: int. The same seed gives the same weights on the same kind of machine; all but their last bits where XLA
            does not compile the training, see `execution`.
        verbose: see `keras.Model.fit`.
        resume: bool, whether to go on with the run in the folder.
        devices: int, how many GPUs to divide each batch over, or, where there is none, parts of the CPU.
        distributed: bool, whether this is one of several processes that train one model, as `TF_CONFIG` says. They
            share the folder, to which only the chief writes.

    Returns:
        `(model, metrics)`: the trained model, and the content of `metrics.json`, which is `None` for workers other than
        the chief.

    Raises:
        ValueError: for wrong data, a folder that holds anything else, or devices that there are not.
        OSError: for a folder that cannot be written; `ConnectionError` where another worker has gone.
        KeyboardInterrupt: after Ctrl-C, saying what is kept.
    """
    started = time.monotonic()
    if tf.distribute.has_strategy():
        raise ValueError(
            f"train makes its own strategy: leave the scope of {type(tf.distribute.get_strategy()).__name__}, "
            "and give devices=N or distributed=True"
        )
    if distributed and devices != 1:
        raise ValueError(f"With distributed=True each worker has one device. Received: devices={devices}")
    choose_threads(preset.hidden_dim)
    workers = Workers() if distributed else None
    strategy = mirrored(devices)
    training, validation, preprocessor = preset.training_data(data, validation_data, seed)
    plan = {
        "kind": type(preset).__name__,
        "preset": dataclasses.asdict(preset),
        "seed": seed,
        **data_plan(preset, data, validation_data),
    }
    run = {"seed": seed, "data": str(data) if data else preset.data_name, **preset.data_facts(data)}
    is_chief = workers is None or workers.is_chief
    if not is_chief:
        workers.wait()  # For the chief's plan.
    with planned_folder(output, _PLAN, plan, resume, shared=not is_chief) as output:
        if workers and is_chief:
            workers.wait()
        if (output / _METRICS).exists():  # Resumed once too often, or killed at the very end.
            metrics = read_json(output / _METRICS)
            if is_chief:
                (output / _CHECKPOINT).unlink(missing_ok=True)
            return load(output / _MODEL), metrics if is_chief else None
        if is_chief:
            remove_leftovers(*(output / name for name in (_CHECKPOINT, _MODEL, _HISTORY, _CURVE, _METRICS)))
        checkpoint = Checkpoint(output / _CHECKPOINT, read_only=not is_chief)
        checkpoint.began = started
        try:
            model, history = fit(
                preset,
                training,
                validation,
                preprocessor,
                seed,
                verbose,
                checkpoint=checkpoint,
                strategy=strategy,
                workers=workers,
            )
            metrics = None
            if is_chief:
                metrics = _write_results(output, preset, model, validation, checkpoint, run, history.cpu)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_what_is_kept(checkpoint, preset)) from None
        if workers:
            with contextlib.suppress(ConnectionError) if is_chief else contextlib.nullcontext():
                workers.wait()
    return model, metrics


def _write_results(output, preset, model, validation, checkpoint, run, cpu):
    """Writes a trained model, its history and its metrics, which it gives; the checkpoint goes last."""
    with replacing(output / _MODEL) as path:
        model.save(path)
    metrics = {
        **evaluate(model, validation),
        **{name: checkpoint.history[-1][name] for name in ("loss", "val_loss")},
        "parameters": model.count_params(),
        "epochs": len(checkpoint.history),
        **run,
        "preset": dataclasses.asdict(preset),
        "wall_seconds": time.monotonic() - checkpoint.began + checkpoint.earlier_seconds["wall"],
        "cpu_seconds": cpu.seconds(checkpoint.earlier_seconds["cpu"]),
    }
    write_table(output / _HISTORY, [{"epoch": i, **logs} for i, logs in enumerate(checkpoint.history, 1)])
    curve = [logs[preset.metric] for logs in checkpoint.history]
    draw_curves(output / _CURVE, {preset.name: curve}, preset.metric_label)
    write_json(output / _METRICS, metrics)
    checkpoint.path.unlink(missing_ok=True)
    return metrics


def _what_is_kept(checkpoint, preset):
    if not checkpoint.path.exists():
        return "no epoch was complete, nothing is kept"
    epochs = len(checkpoint.history)
    place = f"{epochs} of {preset.epochs} epochs are kept in {checkpoint.path.parent}"
    return f"{place}; go on with seqzoo train, the same arguments and --resume"


def evenly(batches, devices):
    """Batches of which at least the first has a multiple of `devices` rows: Keras 3.15 averages its parts."""
    if devices == 1:
        return batches
    rows = len(tf.nest.flatten(next(iter(batches)))[0])
    return batches if rows % devices == 0 else batches.rebatch(max(rows - rows % devices, devices))


def check_finite(losses, preset):
    """Checks what a training of a preset gave.

    Args:
        losses: list of float, or of such lists.
        preset: `Preset` or `TextPreset`.

    Raises:
        ValueError: for a loss that is not a number, or infinite.
    """
    if not np.isfinite(losses).all():
        raise ValueError(
            f"Training diverged: its loss is no longer a number. Received: {preset.learning_rate=}; lower it"
        )


def draw_curves(path, curves, label="exact match on validation data"):
    """Plots a metric against epochs as a PNG.

    Args:
        path: file name.
        curves: dictionary from a curve's label to its values, one an epoch.
        label: what the values are. Exact match is drawn as a percentage, from 0 to 100.
    """
    percent = label.startswith("exact match")
    figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, values in curves.items():
        axes.plot(np.arange(1, len(values) + 1), np.asarray(values) * (100 if percent else 1), marker=".", label=name)
    axes.set(xlabel="epoch", ylabel=f"{label} (%)" if percent else label)
    if percent:
        axes.set(ylim=(-2, 102))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata={"Software": None})


def write_table(path, rows):
    """Writes dictionaries with the same keys as a CSV file."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


class CpuTimes(keras.callbacks.Callback):
    """Measures the process CPU time of training: before the first step, compiling, and each epoch's own."""

    def on_train_begin(self, logs=None):
        """Marks the end of the start."""
        self.start = time.process_time()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        """Marks the begin of an epoch."""
        self.epoch_start = time.process_time()
        self.epochs.append(0.0)

    def on_train_batch_end(self, batch, logs=None):
        """Takes the time until the last batch; validation comes after it."""
        self.epochs[-1] = time.process_time() - self.epoch_start

    def seconds(self, earlier=0.0):
        """CPU seconds: `start` (imports and data), `compile`, `epoch` (the median without the first), `total`.

        With a single epoch compiling cannot be told apart: `compile` is `None`, and `epoch` includes it; without any,
        both are `None`. `total` has the `earlier` seconds of processes that this one goes on from.
        """
        later = self.epochs[1:]
        epoch = statistics.median(later or self.epochs) if self.epochs else None
        return {
            "start": self.start,
            "compile": self.epochs[0] - epoch if later else None,
            "epoch": epoch,
            "total": time.process_time() + earlier,
        }


def number_of_batches(batches):
    """Number of batches an epoch; counts those of a streamed data set."""
    cardinality = int(batches.cardinality())
    return cardinality if cardinality >= 0 else int(batches.reduce(np.int64(0), lambda count, _: count + 1))
