"""The history of a training: its curves, and the CPU time that it took."""

import statistics
import time

import keras
import matplotlib.figure
import numpy as np

from seqzoo.io.files import replacing


def draw_curves(path, curves, label="exact match on validation data"):
    """Plots `curves`, a dictionary from labels to the values after each epoch, as a PNG.

    `label` says what the values are; exact match is drawn as a percentage, from 0 to 100.
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

        With a single epoch `compile` is `None`, and `epoch` includes it; without any, both are. `total` includes
        the `earlier` seconds of processes that this one continues.
        """
        later = self.epochs[1:]
        epoch = statistics.median(later or self.epochs) if self.epochs else None
        return {
            "start": self.start,
            "compile": self.epochs[0] - epoch if later else None,
            "epoch": epoch,
            "total": time.process_time() + earlier,
        }
