"""New sums for each epoch of a training, none of which a model is tested on."""

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.datasets.addition.sums import SPLIT_SIZES, keys_of, operands_of
from seqzoo.pipelines.input_pipeline import PREFETCHED, epoch_numbers, without_autotune

_ALGORITHM = "philox"
# Of so many times as many sums as a batch needs, those are taken that no other split has.
_DRAWN = 2


def fresh_batches(preprocessor, digits, batch_size, seed, epoch=None):
    """Batches of sums that are drawn anew for each epoch, as many as the split `train` fills.

    Both lengths are drawn evenly, then the numbers evenly among those of their length. Pairs of operands that stand in
    another split than `train` are left out, in either order.

    Args:
        preprocessor: `PairPreprocessor`.
        digits: int, see `load_addition`.
        batch_size: int.
        seed: int. The sums follow from it and the number of the epoch.
        epoch: see `PairPreprocessor.batches`.

    Returns:
        `tf.data.Dataset` of `({"source", "target"}, answer)`; see `PairPreprocessor`.
    """
    steps = SPLIT_SIZES[digits]["train"] // batch_size
    held_out = [keys_of(operands_of(digits, split), digits) for split in SPLIT_SIZES[digits] if split != "train"]
    held_out = tf.constant(np.sort(np.concatenate(held_out)))
    powers = tf.constant(10 ** np.arange(digits + 1), tf.int64)

    def uniform(seed, shape, high):
        return tf.random.stateless_uniform(shape, seed, 0, high, tf.int64, alg=_ALGORITHM)

    def operands(seed):
        seeds = tf.random.split(seed, 2, alg=_ALGORITHM)
        lengths = uniform(seeds[0], [_DRAWN * batch_size, 2], digits)
        low = tf.where(lengths == 0, tf.constant(0, tf.int64), tf.gather(powers, lengths))
        drawn = low + uniform(seeds[1], tf.shape(low), 2**62) % (tf.gather(powers, lengths + 1) - low)
        keys = tf.reduce_min(drawn, axis=1) * 10**digits + tf.reduce_max(drawn, axis=1)
        at = tf.minimum(tf.searchsorted(held_out, keys), tf.size(held_out) - 1)
        return tf.ensure_shape(drawn[tf.gather(held_out, at) != keys][:batch_size], [batch_size, 2])

    def batch(seed):
        drawn = operands(seed)
        sources = tf.strings.reduce_join(tf.strings.as_string(drawn), axis=1, separator="+")
        return preprocessor(sources, tf.strings.as_string(tf.reduce_sum(drawn, axis=1)))

    def batches_of(epoch):
        of_epoch = tf.random.experimental.stateless_fold_in([seed, 0], epoch)
        steps_of_epoch = tf.data.Dataset.range(steps)
        fold_in = tf.random.experimental.stateless_fold_in
        return steps_of_epoch.map(lambda step: batch(fold_in(of_epoch, step)), num_parallel_calls=tf.data.AUTOTUNE)

    dataset = epoch_numbers(epoch).flat_map(batches_of).apply(tf.data.experimental.assert_cardinality(steps))
    return without_autotune(dataset.prefetch(PREFETCHED))
