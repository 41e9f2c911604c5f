"""Fault-tolerant training: the whole state of a training in one file after each epoch."""

import json
import math
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from seqzoo.io.files import replacing


class Checkpoint(keras.callbacks.Callback):
    """Saves the state of a training after each epoch, and restores it when training starts.

    Weights, the optimizer's state, the states of dropout's random numbers, the epoch and its figures are one file,
    written beside its place and renamed. A training that is killed at any moment and run again ends with the same
    weights as an uninterrupted one, if its batches follow from the number of the epoch, as those of strings do:

        >>> checkpoint = seqzoo.training.Checkpoint("run/checkpoint.npz")
        >>> model.fit(pairs, epochs=25, initial_epoch=checkpoint.initial_epoch, callbacks=[checkpoint])

    Batches of one's own take the number as `preprocessor.batches(pairs, 128, shuffle_seed=0, epoch=checkpoint.epoch)`.

    Args:
        path: file name, in a folder that exists; `None` to save nothing, and only to number the epochs for the batches.
        read_only: bool, whether to start from the file but never to write it, as all but one of several workers do.

    Attributes:
        epoch: int64 `tf.Variable`, the number of the epoch that runs, from 0.
        initial_epoch: int, the epochs that the file held when it was opened.
        history: list of dictionaries, each epoch's figures, those of the file included.
        earlier_seconds: dictionary, `cpu` and `wall` time of the processes that wrote the file before, up to then.

    Raises:
        ValueError: for a file that is no checkpoint, or another model's.
    """

    def __init__(self, path=None, read_only=False):
        super().__init__()
        self.path = path and pathlib.Path(path)
        self.read_only = read_only or path is None
        self._values, self.history, self.earlier_seconds = None, [], {"cpu": 0.0, "wall": 0.0}
        if path and self.path.exists():
            self._values, self.history, self.earlier_seconds = _read(self.path)
        self.began = time.monotonic()
        self.initial_epoch = len(self.history)
        self.epoch = tf.Variable(self.initial_epoch, dtype=tf.int64, trainable=False)

    def on_train_begin(self, logs=None):
        """Restores the state that the file holds."""
        if self._values is None:
            return
        variables = _variables(self.model)
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in self._values] != shapes:
            raise ValueError(f"{self.path} is the checkpoint of another model or optimizer; name another file")
        for variable, value in zip(variables, self._values, strict=True):
            # NumPy's files do not know bfloat16 by its name.
            variable.assign(
                value.view(tf.as_dtype(variable.dtype).as_numpy_dtype) if value.dtype.kind == "V" else value
            )
        self._values = None

    def on_epoch_begin(self, epoch, logs=None):
        """Numbers the epoch for the batches."""
        if epoch != len(self.history):
            raise ValueError(
                f"The checkpoint holds {len(self.history)} epochs, and the training would begin at {epoch}: "
                "pass initial_epoch=checkpoint.initial_epoch to fit"
            )
        self.epoch.assign(epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the file, unless the loss is no number any more."""
        history = [*self.history, {name: float(value) for name, value in (logs or {}).items()}]
        losses = [history[-1].get(name, 0.0) for name in ("loss", "val_loss")]
        if not self.read_only and all(map(math.isfinite, losses)):
            self._write(history)
        self.history = history

    def _write(self, history):
        seconds = {
            "cpu": self.earlier_seconds["cpu"] + time.process_time(),
            "wall": self.earlier_seconds["wall"] + time.monotonic() - self.began,
        }
        facts = json.dumps({"history": history, "seconds": seconds})
        values = {f"{i:06d}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(_variables(self.model))}
        with replacing(self.path) as temporary, open(temporary, "wb") as file:
            np.savez(file, facts=np.array(facts), **values)


def _read(path):
    """The values, the history and the seconds of a checkpoint."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(str(archive["facts"]))
            values = [archive[name] for name in sorted(archive.files) if name != "facts"]
            return values, list(facts["history"]), {name: float(facts["seconds"][name]) for name in ("cpu", "wall")}
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # The file may hold anything, and NumPy raises whatever its content leads to.
        raise ValueError(f"{path} is no checkpoint, or damaged ({error}); name another file") from None


def _variables(model):
    """All that training changes: weights, states of random numbers, the optimizer's."""
    if not model.optimizer.built:
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics] + model.optimizer.variables
