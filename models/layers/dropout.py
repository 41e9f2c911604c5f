"""Dropout whose random numbers cost little where XLA compiles for a CPU."""

import keras
import tensorflow as tf

_LEVELS = 2**16


@keras.saving.register_keras_serializable("seqzoo")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` with few random bits, drawn with Philox.

    Where XLA compiles for a CPU, the generator that TensorFlow 2.21 selects takes about 30 times as long as Philox,
    which would be most of a training step's time. Each number of Philox decides on two units, by 16 of its bits, and
    the rate is rounded to as many. Arguments, seeds and what is saved are those of `keras.layers.Dropout`.

    Raises:
        ValueError: for a rate that is not in [0, 1): what drops everything learns nothing.
    """

    def __init__(self, rate, **options):
        if not 0 <= rate < 1:
            raise ValueError(f"The rate of dropout must be in [0, 1). Received: {rate}")
        super().__init__(rate, **options)

    def call(self, inputs, training=False):
        """The inputs, some of them dropped and the others scaled up; unchanged outside training."""
        dropped = min(round(self.rate * _LEVELS), _LEVELS - 1)
        if not training or dropped == 0:
            return inputs
        shape = self.noise_shape or inputs.shape
        shape = [tf.shape(inputs)[axis] if size is None else size for axis, size in enumerate(shape)]
        size = tf.reduce_prod(shape)
        both = tf.random.stateless_uniform(
            [(size + 1) // 2], self.seed_generator.next(), None, None, tf.uint32, alg="philox"
        )
        numbers = tf.concat([both % _LEVELS, both // _LEVELS], axis=0)[:size]
        keeps = tf.reshape(numbers, shape) >= dropped
        return tf.where(keeps, inputs / (1.0 - dropped / _LEVELS), tf.zeros([], inputs.dtype))
