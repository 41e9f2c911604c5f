"""Batches of encoded pairs, in a seeded order that depends on the number of the epoch, with teacher forcing."""

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import PREFETCHED, epoch_numbers, without_autotune
from seqzoo.pipelines.row_errors import checked_ids
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

ENCODED_ROWS = 8192
"""Of how many pairs the ids are made at a time."""


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

    def cut(self, rows, sources, answers, *weights):
        """The ids of some rows, int32 `[batch, length]`, and the weights, cut to the lengths of their last bucket."""
        bucket = tf.reduce_max(tf.gather(self._of_row, rows))
        length = tf.gather(self._source_lengths, bucket)
        sources = sources[:, tf.shape(sources)[1] - length :] if self._reverse else sources[:, :length]
        length = tf.gather(self._answer_lengths, bucket)
        return sources, answers[:, :length], *(each if each.ndim == 1 else each[:, :length] for each in weights)


def batches_of_pairs(
    preprocessor, pairs, batch_size, shuffle_seed, drop_remainder, shuffle_buffer, epoch, buckets, weights
):
    """The batches of a `tf.data.Dataset` of pairs; see `AnswerPreprocessor.batches`."""
    window_rows = -(-shuffle_buffer // batch_size) * batch_size
    stored, dtype = preprocessor.stored_dtypes(), preprocessor.source_dtype

    def encode(sources, targets, first_row=1):
        ids = checked_ids(*preprocessor.encode_pairs(sources, targets), first_row)
        return tuple(map(tf.cast, ids, stored))

    # Without a graph, which would take longer to make than it saves.
    blocks = pairs.batch(ENCODED_ROWS)
    encoded, rows = [], 0
    for sources, targets in blocks:
        encoded.append(encode(sources, targets, first_row=1 + rows))
        rows += len(sources)
        if rows > window_rows:
            break
    if rows == 0:
        raise ValueError("There are no pairs. Received an empty data set")
    if rows < batch_size and drop_remainder:
        raise ValueError(
            f"Too few pairs for a batch of {batch_size}: received {rows}. Use more pairs or a smaller batch size"
        )
    if rows > window_rows:
        if weights is not None:
            raise ValueError(f"Only pairs in memory have weights. Received: more than {shuffle_buffer=} pairs")
        windows = blocks.map(encode, num_parallel_calls=tf.data.AUTOTUNE).rebatch(window_rows)
        dataset = _epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch, dtype)
    else:
        ids = tuple(tf.concat(each, axis=0) for each in zip(*encoded, strict=True))
        _check_weights(weights, *ids[1].shape)
        windows = tf.data.Dataset.from_tensors(ids if weights is None else (*ids, weights))
        shapes = Buckets(*(each.numpy() for each in ids), buckets, preprocessor.reverse) if buckets > 1 else None
        dataset = _epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch, dtype, shapes)
        count = rows // batch_size if drop_remainder else -(-rows // batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return without_autotune(dataset.prefetch(PREFETCHED))


def _check_weights(weights, rows, length):
    if weights is not None and weights.shape not in ((rows,), (rows, length)):
        raise ValueError(
            f"There must be a weight for each of {rows} pairs, or [{rows}, {length}] of their targets' tokens. "
            f"Received: weights of the shape {list(weights.shape)}"
        )


def _epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch, source_dtype, buckets=None):
    """Batches of windows of rows, in another order each time the result is iterated.

    Windows are `(sources, answers)`, or `(sources, answers, weights)`; sources are `source_dtype` in the batches;
    `buckets` are those of the rows of the only window, or `None`. The orders follow from `shuffle_seed` and the number
    of the epoch alone, not from TensorFlow's global seed.
    """

    def window_batches(epoch, number, window):
        rows = tf.shape(window[0], out_type=tf.int64)[0]
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
            sources, answers, *weights = (tf.gather(each, at) for each in window)
            columns = tf.cast(sources, source_dtype), tf.cast(answers, tf.int32), *weights
            sources, answers, *weights = columns if buckets is None else buckets.cut(at, *columns)
            return *with_teacher_forcing(sources, answers), *weights

        return starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE)

    return epoch_numbers(epoch).flat_map(
        lambda epoch: windows.enumerate().flat_map(lambda number, window: window_batches(epoch, number, window))
    )


def smallest_dtype(size):
    """The smallest type of ids below `size` that TensorFlow gathers."""
    return tf.uint8 if size <= 2**8 else tf.uint16 if size <= 2**16 else tf.int32


def with_teacher_forcing(sources, answers):
    """One training batch of ids `[batch, length]`: `({"source", "target"}, answer)`, see `PairPreprocessor`."""
    start = tf.fill([tf.shape(answers)[0], 1], START_ID)
    return {"source": sources, "target": tf.concat([start, answers[:, :-1]], axis=1)}, answers
