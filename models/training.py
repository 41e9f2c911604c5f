"""A whole training run: data, model, fit, figures, and a folder with the results."""

import csv
import ctypes
import dataclasses
import os
import statistics
import time

import keras
import matplotlib.figure
import numpy as np

from seqzoo.files import new_folder, replacing, write_json
from seqzoo.models.evaluation import evaluate

# Figures that a preset has reached before say nothing about the run.
_REACHED = ("exact_match", "nats_per_token", "cpu_minutes")


def fit(preset, training, validation, preprocessor, seed=0, verbose="auto", callbacks=()):
    """Builds the preset's model, compiles it with its recipe and trains it.

    Returns:
        `(model, history)`: the trained model, and Keras' `History`, whose `cpu` is a `CpuTimes`.

    Raises:
        ValueError: for data that do not fit the preprocessor, fewer than one batch, or a loss that is not a number.
    """
    keras.utils.set_random_seed(seed)
    keep_freed_memory()
    batches = preset.batches(preprocessor, training, seed, validation)
    model = preset.build(preprocessor)
    preset.compile(model, steps_per_epoch=number_of_batches(batches))
    cpu = CpuTimes()
    history = model.fit(
        batches,
        validation_data=preset.validation_batches(preprocessor, validation),
        epochs=preset.epochs,
        shuffle=False,  # The batches are shuffled already.
        verbose=verbose,
        callbacks=[cpu, keras.callbacks.TerminateOnNaN(), *callbacks],
    )
    check_finite(history.history["loss"], preset)
    history.cpu = cpu
    return model, history


def train(preset, output, data=None, validation_data=None, seed=0, verbose="auto"):
    """Trains a preset and writes the results to a folder.

    Args:
        preset: `Preset` or `TextPreset`.
        output: folder, new or empty. Gets `model.keras`, `history.csv` (a line an epoch), `history.png` and
            `metrics.json`; each is written whole or not at all.
        data: see the preset's `training_data`.
        validation_data: see the preset's `training_data`.
        seed: int. The same seed gives the same weights on the same kind of machine.
        verbose: see `keras.Model.fit`.

    Returns:
        `(model, metrics)`: the trained model, and the content of `metrics.json`.

    Raises:
        ValueError: for wrong data, or a folder that holds anything.
        OSError: for a folder that cannot be written.
    """
    started = time.monotonic()
    training, validation, preprocessor = preset.training_data(data, validation_data, seed)
    data_facts = preset.data_facts(data)
    with new_folder(output) as output:
        model, history = fit(preset, training, validation, preprocessor, seed, verbose)
    with replacing(output / "model.keras") as path:
        model.save(path)
    metrics = {
        **evaluate(model, validation),
        "loss": history.history["loss"][-1],
        "val_loss": history.history["val_loss"][-1],
        "parameters": model.count_params(),
        "epochs": preset.epochs,
        "seed": seed,
        "data": str(data) if data else preset.data_name,
        **data_facts,
        "preset": recipe_fields(preset),
        "wall_seconds": time.monotonic() - started,
        "cpu_seconds": history.cpu.seconds(),
    }
    write_table(output / "history.csv", [{"epoch": i, **logs} for i, logs in enumerate(_rows(history.history), 1)])
    draw_curves(output / "history.png", {preset.name: history.history[preset.metric]}, preset.metric_label)
    write_json(output / "metrics.json", metrics)
    return model, metrics


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


def recipe_fields(preset):
    """The fields of a preset as a dictionary, but for the figures that it has reached."""
    return {key: value for key, value in dataclasses.asdict(preset).items() if key not in _REACHED}


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

    def seconds(self):
        """CPU seconds: `start` (imports and data), `compile`, `epoch` (the median without the first), `total`.

        With a single epoch compiling cannot be told apart: `compile` is `None`, and `epoch` includes it.
        """
        later = self.epochs[1:]
        epoch = statistics.median(later or self.epochs)
        return {
            "start": self.start,
            "compile": self.epochs[0] - epoch if later else None,
            "epoch": epoch,
            "total": time.process_time(),
        }


def keep_freed_memory():
    """Has glibc keep the memory that is freed, for the whole process; does nothing where there is no glibc.

    Every training step allocates its buffers anew. glibc would give them back to the kernel, which clears each page
    again: a tenth or more of a language model's CPU time.
    """
    no_mmap, no_trim = (-4, 0), (-1, 2**31 - 1)  # M_MMAP_MAX, M_TRIM_THRESHOLD; see mallopt(3).
    mallopt = os.name == "posix" and getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(*no_mmap)
        mallopt(*no_trim)


def number_of_batches(batches):
    """Number of batches an epoch; counts those of a streamed data set."""
    cardinality = int(batches.cardinality())
    return cardinality if cardinality >= 0 else int(batches.reduce(np.int64(0), lambda count, _: count + 1))


def _rows(history):
    return [dict(zip(history, values, strict=True)) for values in zip(*history.values(), strict=True)]
