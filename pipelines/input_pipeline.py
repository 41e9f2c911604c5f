"""What input pipelines have in common: the number of the epoch that they are read in, and how they run."""

import keras
import tensorflow as tf

# Batches made ahead of those that are trained on.
PREFETCHED = 2


def epoch_numbers(epoch=None):
    """A data set of one element, the number of the epoch that begins when it is iterated; int64, from 0.

    Args:
        epoch: integer `tf.Variable` that says it, such as `Checkpoint.epoch`; `None` to count how often the data set
            was iterated.
    """
    if epoch is None:
        counter = tf.Variable(-1, dtype=tf.int64, trainable=False)
        return tf.data.Dataset.from_tensors(0).map(lambda _: counter.assign_add(1))
    return tf.data.Dataset.from_tensors(0).map(lambda _: tf.cast(epoch.read_value(), tf.int64))


def without_autotune(dataset):
    """A data set that runs as many calls at once as there are processors, from the start, and is not tuned.

    When an iterator of a tuned data set ends, TensorFlow 2.21 waits for the tuning thread, which sleeps as long again
    as it has run (up to a minute) and cannot be woken. `fit` ends one each epoch: seconds in which nothing runs.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def check_that_it_ends(dataset):
    """Raises a `ValueError` for a data set that is known to be endless, where all of it is to be read."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "The data set has no end, and all of its rows are to be read: leave out repeat(), or take(…) some. "
            "fit repeats its data by itself, epochs=…"
        )


class EpochNumber(keras.callbacks.Callback):
    """Writes the number of the epoch that runs to a variable, which decides the order of the batches."""

    def __init__(self, variable):
        super().__init__()
        self._variable = variable

    def on_epoch_begin(self, epoch, logs=None):
        """Writes the number, from 0."""
        self._variable.assign(epoch)
