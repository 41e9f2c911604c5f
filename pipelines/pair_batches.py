"""Batches of encoded pairs, in a seeded order that depends on the number of the epoch, with teacher forcing."""

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import epoch_numbers
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID


class Buckets:
    """Rows of similar lengths, so that batches of them can be cut.

    Bucket k of n holds the rows whose source and target are both within lengths that k of n parts of all sources, and
    of all targets, do not exceed; and that no earlier bucket holds.

    Args:
        sources: int array `[rows, length]`, padded with `PADDING_ID` before or after the tokens.
        answers: int array `[rows, length]`, padded after the tokens.
        count: int, number of buckets; equal ones count once.
        reverse: bool, whether sources are padded before the tokens.
    """

    def __init__(self, sources, answers, count, reverse):
        last = -(-len(sources) * np.arange(1, count + 1) // count) - 1
        lengths = [np.count_nonzero(ids != PADDING_ID, axis=1) for ids in (sources, answers)]
        limits = [np.sort(each)[last] for each in lengths]
        self._of_row = np.maximum(*map(np.searchsorted, limits, lengths)).astype("int32")
        self._source_lengths = limits[0].astype("int32")
        # With one id more, the end of the answer, where the padded answers have it.
        self._answer_lengths = np.minimum(limits[1] + 1, answers.shape[1]).astype("int32")
        self._reverse = reverse

    def batches_of(self, order, batch_size, seed):
        """Rows in batches of similar lengths, `[rows]`, and where in them each batch begins, `[batches]`.

        Args:
            order: int64 tensor `[rows]`, the rows, each bucket's of which stay in this order.
            batch_size: int.
            seed: int64 tensor `[2]` that decides the order of the batches; `None` for the shortest rows first.
        """
        order = tf.gather(order, tf.argsort(tf.gather(self._of_row, order), stable=True))
        starts = tf.range(0, tf.size(order, tf.int64), batch_size)
        return order, starts if seed is None else tf.random.experimental.stateless_shuffle(starts, seed=seed)

    def cut(self, rows, sources, answers):
        """The ids of some rows, int32 `[batch, length]`, cut to the lengths of their last bucket."""
        bucket = tf.reduce_max(tf.gather(self._of_row, rows))
        length = tf.gather(self._source_lengths, bucket)
        sources = sources[:, tf.shape(sources)[1] - length :] if self._reverse else sources[:, :length]
        return sources, answers[:, : tf.gather(self._answer_lengths, bucket)]


def epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch, buckets=None):
    """Batches of windows of rows, in another order each time the result is iterated.

    The orders follow from `shuffle_seed` and the number of the epoch alone, not from TensorFlow's global seed.
    `buckets` are those of the rows of the only window, or `None`.
    """

    def window_batches(epoch, number, window):
        sources, answers = window
        rows = tf.shape(answers, out_type=tf.int64)[0]
        order, seed = tf.range(rows), None
        if shuffle_seed is not None:
            seed = tf.random.experimental.stateless_fold_in([shuffle_seed, number], epoch)
            order = tf.random.experimental.stateless_shuffle(order, seed=seed)
        if drop_remainder:
            order = order[: rows - rows % batch_size]
        if buckets is None:
            starts = tf.data.Dataset.range(0, tf.size(order, tf.int64), batch_size)
        else:
            order, starts = buckets.batches_of(order, batch_size, seed)
            starts = tf.data.Dataset.from_tensor_slices(starts)

        def batch(start):
            at = order[start : start + batch_size]
            ids = tuple(tf.cast(tf.gather(ids, at), tf.int32) for ids in (sources, answers))
            return with_teacher_forcing(*(ids if buckets is None else buckets.cut(at, *ids)))

        return starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE)

    return epoch_numbers(epoch).flat_map(
        lambda epoch: windows.enumerate().flat_map(lambda number, window: window_batches(epoch, number, window))
    )


def with_teacher_forcing(sources, answers):
    """One training batch of ids `[batch, length]`: `({"source", "target"}, answer)`, see `PairPreprocessor`."""
    start = tf.fill([tf.shape(answers)[0], 1], START_ID)
    return {"source": sources, "target": tf.concat([start, answers[:, :-1]], axis=1)}, answers
