"""Batches of encoded pairs, in a seeded order that depends on the number of the epoch."""

import tensorflow as tf

from seqzoo.pipelines.input_pipeline import PREFETCHED, epoch_numbers, without_autotune
from seqzoo.pipelines.pairs import as_pairs
from seqzoo.pipelines.row_errors import checked_ids
from seqzoo.pipelines.vocabulary import START_ID

_ENCODED_ROWS = 8192


def pair_batches(encode_pairs, vocabulary_size, pairs, batch_size, shuffle_seed, drop_remainder, shuffle_buffer, epoch):
    """The data set that `PairPreprocessor.batches` documents.

    Args:
        encode_pairs: function from string tensors `(sources, targets)`, `[batch]`, to `(source ids, answer ids,
            errors)`.
        vocabulary_size: int; ids are kept in one, two or four bytes accordingly.
        pairs: see `PairPreprocessor.batches`, as for all that follow.
        batch_size: int.
        shuffle_seed: int, or `None`.
        drop_remainder: bool.
        shuffle_buffer: int.
        epoch: integer `tf.Variable`, or `None`.
    """
    if batch_size < 1 or shuffle_buffer < 1:
        raise ValueError(
            "batch_size and shuffle_buffer must be at least 1. "
            f"Received: batch_size={batch_size}, shuffle_buffer={shuffle_buffer}"
        )
    window_rows = -(-shuffle_buffer // batch_size) * batch_size
    stored = tf.uint8 if vocabulary_size <= 2**8 else tf.uint16 if vocabulary_size <= 2**16 else tf.int32

    def encode(sources, targets, first_row=1):
        ids = checked_ids(*encode_pairs(sources, targets), first_row)
        return tuple(tf.cast(each, stored) for each in ids)

    # Without a graph, which would take longer to make than it saves.
    blocks = as_pairs(pairs).batch(_ENCODED_ROWS)
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
            f"Too few pairs for a batch of {batch_size}: received {rows}. Give more pairs or a smaller batch size"
        )
    in_memory = rows <= window_rows
    if in_memory:
        windows = tf.data.Dataset.from_tensors(tuple(tf.concat(each, axis=0) for each in zip(*encoded, strict=True)))
    else:
        windows = blocks.map(encode, num_parallel_calls=tf.data.AUTOTUNE).rebatch(window_rows)

    dataset = _epochs(windows, batch_size, shuffle_seed, drop_remainder, epoch)
    if in_memory:
        count = rows // batch_size if drop_remainder else -(-rows // batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return without_autotune(dataset.prefetch(PREFETCHED))


def _epochs(windows, batch_size, shuffle_seed, drop_remainder, epoch):
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
