"""Metrics of answers and of texts."""

import math

import keras
from keras import ops

from seqzoo.models.losses import counted, weights_of_tokens


@keras.saving.register_keras_serializable("seqzoo")
class ExactMatch(keras.metrics.MeanMetricWrapper):
    """Share of answers of which every token and the end are right.

    Computed from teacher-forced logits, it equals greedy decoding's exact match: up to the first wrong token both
    read the same.

    Args:
        name: str.
        dtype: dtype of the mean.
    """

    def __init__(self, name="exact_match", dtype=None):
        super().__init__(exact_match, name=name, dtype=dtype)
        self._direction = "up"

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch; an answer with weights of its tokens, `[batch, length]`, by the mean of those that count."""
        if sample_weight is not None:
            counts = ops.cast(counted(ops.convert_to_tensor(y_true)), self.dtype)
            weights = ops.cast(weights_of_tokens(sample_weight), self.dtype)
            sample_weight = ops.sum(weights * counts, axis=1) / ops.sum(counts, axis=1)
        return super().update_state(y_true, y_pred, sample_weight)

    def get_config(self):
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}


class _FromNats(keras.metrics.SparseCategoricalCrossentropy):
    """A function of the mean nats per token, from logits `[batch, length, vocabulary_size]`."""

    default_name = None

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name or self.default_name, dtype=dtype, from_logits=True)
        self._direction = "down"

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch, with weights of its rows, `[batch]`, or of its tokens, `[batch, length]`."""
        return super().update_state(y_true, y_pred, weights_of_tokens(sample_weight))

    def get_config(self):
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable("seqzoo")
class BitsPerToken(_FromNats):
    """Mean of the negative binary logarithms of the tokens' probabilities, from logits.

    In nats the same is the loss of a language model, `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.
    """

    default_name = "bits_per_token"

    def result(self):
        """The mean so far, a scalar."""
        return super().result() / math.log(2)


@keras.saving.register_keras_serializable("seqzoo")
class Perplexity(_FromNats):
    """The exponential of the mean nats per token, from logits: as uncertain as among so many equal tokens."""

    default_name = "perplexity"

    def result(self):
        """The perplexity so far, a scalar."""
        return ops.exp(super().result())


def exact_match(y_true, y_pred):
    """Whether each answer is right as a whole, float32 `[batch]`, 1 or 0.

    Args:
        y_true: integer ids, `[batch, length]`.
        y_pred: logits, `[batch, length, vocabulary_size]`.
    """
    y_true = ops.cast(y_true, "int32")
    wrong = ops.not_equal(ops.argmax(y_pred, axis=-1), y_true)
    return ops.cast(ops.logical_not(ops.any(ops.logical_and(wrong, counted(y_true)), axis=-1)), "float32")
