"""Which epoch it is: what the order of shuffled batches follows from, beside the seed."""

import tensorflow as tf


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
