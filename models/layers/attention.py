"""Attention: how a decoder's output reads the encoder's outputs, and what it makes of them."""

import keras
import tensorflow as tf
from keras import ops

from seqzoo.models.layers.initializers import initializer_options

_MASKED = -1e9


@keras.saving.register_keras_serializable("seqzoo")
class GlobalAttention(keras.layers.Layer):
    """Global attention with the score `general` (Luong et al. 2015, https://arxiv.org/abs/1508.04025, section 3.1).

    Each output of a decoder is compared with all outputs of the encoder; the softmax of these scores is the alignment,
    and the mean of the encoder's outputs that it weighs the context. The result is `tanh(W [context; output])`.
    *Deep Learning from Scratch 2*, section 8.1, has the score `dot` and passes context and output on without `tanh(W)`.

    What depends on the encoder alone is computed once for a source, by `project`: the encoder's outputs times the
    score's matrix, and times the context's part of `W`.

    Args:
        units: int, dimension of the decoder's outputs and of the result.
        initializer: see `initializer_options`.
        **kwargs: `name`, `dtype`.

    Call arguments:
        outputs: the decoder's, `[batch, steps, units]`.
        memory: the encoder's outputs, `[batch, length, memory_dim]`.
        memory_mask: bool, `[batch, length]`, `False` where there is no token.

    Returns:
        `[batch, steps, units]`.
    """

    def __init__(self, units, initializer="keras", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.initializer = initializer
        options = {"dtype": self.dtype_policy, **initializer_options(initializer, "dense")}
        self.key = keras.layers.Dense(units, use_bias=False, name="key", **options)
        self.value = keras.layers.Dense(units, use_bias=False, name="value", **options)
        self.query = keras.layers.Dense(units, name="query", **options)

    def build(self, outputs_shape, memory_shape, memory_mask_shape=None):
        """Makes the weights."""
        self.key.build(memory_shape)
        self.value.build(memory_shape)
        self.query.build(outputs_shape)

    def call(self, outputs, memory, memory_mask):
        """See the class."""
        return self.attend(outputs, *self.project(memory), memory_mask)[0]

    def project(self, memory):
        """Keys and values of the encoder's outputs `[batch, length, memory_dim]`, both `[batch, length, units]`."""
        return self.key(memory), self.value(memory)

    def attend(self, outputs, keys, values, mask):
        """`(result, alignment)`: what a call returns, and float32 `[batch, steps, length]`, whose rows add up to 1."""
        scores = ops.cast(ops.matmul(outputs, ops.transpose(keys, (0, 2, 1))), "float32")
        scores = ops.where(mask[:, None], scores, _MASKED)
        # As a matrix: of more dimensions TensorFlow warns that it cannot tell the cost.
        alignment = tf.reshape(tf.nn.softmax(tf.reshape(scores, [-1, tf.shape(scores)[2]])), tf.shape(scores))
        context = ops.matmul(ops.cast(alignment, values.dtype), values)
        return ops.tanh(self.query(outputs) + context), alignment

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units, "initializer": self.initializer}
