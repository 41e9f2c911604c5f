"""The loss of answers, and which of their positions count."""

import keras
from keras import ops

from seqzoo.pipelines.vocabulary import PADDING_ID


def counted(answer):
    """Which positions of an answer count: its tokens and its end, the first padding; bool `[batch, length]`."""
    before = ops.equal(answer[:, :-1], PADDING_ID)
    return ops.concatenate([ops.ones_like(answer[:, :1], dtype="bool"), ops.logical_not(before)], axis=1)


@keras.saving.register_keras_serializable("seqzoo")
class SequenceCrossentropy(keras.losses.Loss):
    """Cross-entropy of an answer's tokens and its end, from logits.

    The chapter's `TimeSoftmaxWithLoss`. The sum over counted positions is divided by batch × length, a number that
    does not depend on the answers, so that the losses of a batch's parts add up to the batch's (which a mean over
    counted tokens would not).

    Args:
        name: str.
        reduction: see `keras.losses.Loss`; the default gives the quotient above.
        dtype: dtype of the sum.
        label_smoothing: float in [0, 1). The share of each token's probability that is to be spread evenly over the
            whole vocabulary (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567): the logits then have a best value
            in place of growing for ever, and the answers' margins become alike. The loss is never 0 then, and the
            model's probabilities stay below 1 by that share however sure it is.

    Call arguments:
        y_true: integer ids, `[batch, length]`, padded with 0.
        y_pred: logits, `[batch, length, vocabulary_size]`.

    Raises:
        ValueError: for a `label_smoothing` outside [0, 1).
    """

    def __init__(self, name="sequence_crossentropy", reduction="sum_over_batch_size", dtype=None, label_smoothing=0.0):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1). Received: label_smoothing={label_smoothing}")
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Cross-entropy with the smoothed labels at each position in nats, `[batch, length]`; 0 where none counts."""
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        if self.label_smoothing:
            of_any = -ops.mean(ops.log_softmax(y_pred), axis=-1)
            losses += self.label_smoothing * (of_any - losses)
        return losses * ops.cast(counted(y_true), losses.dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
