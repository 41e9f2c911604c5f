"""A whole training run: data, model, fit, figures, and a folder with the results."""

import contextlib
import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf

from seqzoo.io.files import read_json, remove_leftovers, replacing, write_json, write_table
from seqzoo.io.run_manifest import data_manifest, run_folder
from seqzoo.models import load
from seqzoo.runtime import choose_threads
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.distribution import Workers, mirrored
from seqzoo.training.evaluation import evaluate
from seqzoo.training.history import CpuTimes, draw_curves

# A run's folder.
_MANIFEST, _CHECKPOINT = "run.json", "checkpoint.npz"
_MODEL, _HISTORY, _CURVE, _METRICS = "model.keras", "history.csv", "history.png", "metrics.json"


def fit(
    recipe,
    training,
    validation,
    preprocessor,
    seed=0,
    verbose="auto",
    callbacks=(),
    checkpoint=None,
    strategy=None,
    workers=None,
    compile_options=None,
):
    """Builds the recipe's model, compiles it and trains it.

    Args:
        recipe: `PairRecipe`, `ImageRecipe` or `TextRecipe`.
        training: see the recipe's `training_data`.
        validation: see the recipe's `training_data`.
        preprocessor: see the recipe's `training_data`.
        seed: int.
        verbose: see `keras.Model.fit`.
        callbacks: see `keras.Model.fit`.
        checkpoint: `Checkpoint` to continue from and to write; `None` for none.
        strategy: `tf.distribute.MirroredStrategy`, or `None` for one device.
        workers: `Workers` of several machines, or `None`; in place of a strategy.
        compile_options: see `train`.

    Returns:
        `(model, history)`: the trained model, and Keras' `History`, whose `cpu` is a `CpuTimes`.

    Raises:
        ValueError: for data that do not fit the preprocessor, fewer than one batch, or a loss that is not a number.
    """
    strategy = workers.strategy if workers else strategy
    replicas = strategy.num_replicas_in_sync if strategy else 1
    if recipe.batch_size % replicas:
        raise ValueError(f"The batch size must be a multiple of the {replicas} devices. Received: {recipe.batch_size=}")
    if strategy:
        recipe = recipe.for_devices()
    keras.utils.set_random_seed(seed)
    checkpoint = checkpoint or Checkpoint()
    batches = recipe.batches(preprocessor, training, seed, checkpoint.epoch)
    validation_batches = recipe.validation_batches(preprocessor, validation)
    steps_per_epoch = number_of_batches(batches)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = recipe.build(preprocessor)
        recipe.compile(model, steps_per_epoch, **(compile_options or {}))
    cpu = CpuTimes()
    options = {
        "epochs": recipe.epochs,
        "initial_epoch": checkpoint.initial_epoch,
        "verbose": verbose,
        "callbacks": [cpu, keras.callbacks.TerminateOnNaN(), checkpoint, *callbacks],
    }
    if workers:
        history = workers.fit(model, batches, validation_batches, **options)
    else:
        history = model.fit(batches, validation_data=evenly(validation_batches, replicas), **options)
    check_finite(history.history.get("loss", []), recipe)
    history.cpu = cpu
    return model, history


def train(
    recipe,
    output,
    data=None,
    validation_data=None,
    seed=0,
    verbose="auto",
    resume=False,
    devices=1,
    distributed=False,
    compile_options=None,
    loaded=None,
):
    """Trains a recipe and writes the results to a folder.

    Training is fault-tolerant: with `resume`, a run that was killed or interrupted continues after its last whole
    epoch, and ends with the same weights and `history.csv` as an uninterrupted one.

    Args:
        recipe: `PairRecipe`, `ImageRecipe` or `TextRecipe`.
        output: folder, new or empty, or with `resume` that of the run. Gets `model.keras`, `history.csv` (a line an
            epoch), `history.png` and `metrics.json`; each is written whole or not at all. `run.json` says what was
            asked for; while it trains, `checkpoint.npz` holds its last epoch.
        data: file, see the recipe's `training_data`; `None` for the recipe's own data set. With a file the options of
            the recipe's own data set do not apply.
        validation_data: file, see the recipe's `training_data`; or `None`.
        seed: int. The same seed gives the same weights on the same kind of machine; all but their last bits where XLA
            does not compile the training, see `seqzoo.runtime.compile_options`.
        verbose: see `keras.Model.fit`.
        resume: bool, whether to continue the run in the folder.
        devices: int, how many GPUs to divide each batch over, or, where there is none, parts of the CPU.
        distributed: bool, whether this is one of several processes that train one model, as `TF_CONFIG` says. They
            share the folder, to which only the chief writes.
        compile_options: dictionary of options of `keras.Model.compile`, such as `{"jit_compile": False}`, to use in
            place of the recipe's; what JSON holds. `None` for none.
        loaded: what `training_data` of `recipe.for_data(data)` returned, where the data were read before.

    Returns:
        `(model, metrics)`: the trained model, and the content of `metrics.json`, which is `None` for workers other than
        the chief.

    Raises:
        ValueError: for wrong data, a folder that holds anything else, or devices that there are not.
        OSError: for a folder that cannot be written; `ConnectionError` where another worker has gone.
        KeyboardInterrupt: after Ctrl-C, saying what is kept.
    """
    if tf.distribute.has_strategy():
        raise ValueError(
            f"train makes its own strategy: leave the scope of {type(tf.distribute.get_strategy()).__name__}, "
            "and pass devices=N or distributed=True"
        )
    if distributed and devices != 1:
        raise ValueError(f"With distributed=True each worker has one device. Received: devices={devices}")
    started = time.monotonic()
    choose_threads(recipe.hidden_dim, recipe.shards)
    workers = Workers() if distributed else None
    strategy = mirrored(devices)
    recipe = recipe.for_data(data)
    data_parts = loaded or recipe.training_data(data, validation_data, seed)
    facts = recipe.data_facts(data)
    manifest = {
        "kind": type(recipe).__name__,
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "compile_options": compile_options or {},
        **data_manifest(facts, data, validation_data),
    }
    run = {"seed": seed, "data": str(data) if data else recipe.data_name, **facts}
    if (passes := recipe.passes(data_parts[0])) > 1:
        run["passes_per_epoch"] = passes
    is_chief = workers is None or workers.is_chief
    if not is_chief:
        workers.wait()  # For the chief's manifest.
    with run_folder(output, _MANIFEST, manifest, resume, shared=not is_chief) as output:
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
            options = strategy, workers, compile_options
            model, history = fit(recipe, *data_parts, seed, verbose, (), checkpoint, *options)
            metrics = None
            if is_chief:
                metrics = _write_results(output, recipe, model, data_parts[1], checkpoint, run, history.cpu)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_what_is_kept(checkpoint, recipe)) from None
        if workers:
            with contextlib.suppress(ConnectionError) if is_chief else contextlib.nullcontext():
                workers.wait()
    return model, metrics


def _write_results(output, recipe, model, validation, checkpoint, run, cpu):
    """Writes a trained model, its history and its metrics, which it returns; deletes the checkpoint last."""
    with replacing(output / _MODEL) as path:
        model.save(path)
    metrics = {
        **evaluate(model, validation),
        **{name: checkpoint.history[-1][name] for name in ("loss", "val_loss")},
        "parameters": model.count_params(),
        "epochs": len(checkpoint.history),
        "steps": int(keras.ops.convert_to_numpy(model.optimizer.iterations)),
        **run,
        "recipe": dataclasses.asdict(recipe),
        "wall_seconds": time.monotonic() - checkpoint.began + checkpoint.earlier_seconds["wall"],
        "cpu_seconds": cpu.seconds(checkpoint.earlier_seconds["cpu"]),
    }
    write_table(output / _HISTORY, [{"epoch": i, **logs} for i, logs in enumerate(checkpoint.history, 1)])
    curve = [logs[recipe.metric] for logs in checkpoint.history]
    draw_curves(output / _CURVE, {recipe.name: curve}, recipe.metric_label)
    write_json(output / _METRICS, metrics)
    checkpoint.path.unlink(missing_ok=True)
    return metrics


def _what_is_kept(checkpoint, recipe):
    if not checkpoint.path.exists():
        return "no epoch was complete, nothing is kept"
    epochs = len(checkpoint.history)
    place = f"{epochs} of {recipe.epochs} epochs are kept in {checkpoint.path.parent}"
    return f"{place}; continue with seqzoo train, the same arguments and --resume"


def evenly(batches, devices):
    """Batches of which at least the first has a multiple of `devices` rows: Keras 3.15 averages its parts."""
    if devices == 1:
        return batches
    rows = len(tf.nest.flatten(next(iter(batches)))[0])
    return batches if rows % devices == 0 else batches.rebatch(max(rows - rows % devices, devices))


def check_finite(losses, recipe):
    """Raises a `ValueError` for losses of a training, or lists of them, that are not numbers or infinite."""
    if not np.isfinite(losses).all():
        raise ValueError(
            f"Training diverged: its loss is no longer a number. Received: {recipe.learning_rate=}; lower it"
        )


def number_of_batches(batches):
    """Number of batches an epoch; counts those of a streamed data set."""
    cardinality = int(batches.cardinality())
    return cardinality if cardinality >= 0 else int(batches.reduce(np.int64(0), lambda count, _: count + 1))
