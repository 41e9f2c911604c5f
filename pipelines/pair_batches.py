"""Batches of encoded pairs, in a seeded order that depends on the number of the epoch, with teacher forcing."""

import tensorflow as tf

from seqzoo.pipelines.input_pipeline import epoch_numbers
from seqzoo.pipelines.vocabulary import START_ID


def epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch):
    """Batches of windows of rows, in another order each time the result is iterated.

    The orders follow from `shuffle_seed` and the number of the epoch alone, not from TensorFlow's global seed.
    """

    def window_batches(epoch, number, window):
        sources, answers = window
        rows = tf.shape(answers, out_type=tf.int64)[0]
        order = tf.range(rows)
        if shuffle_seed is not None:
            seed = tf.random.experimental.stateless_fold_in([shuffle_seed, number], epoch)
            order = tf.random.experimental.stateless_shuffle(order, seed=seed)
        starts = tf.data.Dataset.range(0, rows - rows % batch_size if drop_remainder else rows, batch_size)

        def batch(start):
            at = order[start : start + batch_size]
            return with_teacher_forcing(*(tf.cast(tf.gather(ids, at), tf.int32) for ids in (sources, answers)))

        return starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE)

    return epoch_numbers(epoch).flat_map(
        lambda epoch: windows.enumerate().flat_map(lambda number, window: window_batches(epoch, number, window))
    )


def with_teacher_forcing(sources, answers):
    """One training batch of ids `[batch, length]`: `({"source", "target"}, answer)`, see `PairPreprocessor`."""
    start = tf.fill([tf.shape(answers)[0], 1], START_ID)
    return {"source": sources, "target": tf.concat([start, answers[:, :-1]], axis=1)}, answers
