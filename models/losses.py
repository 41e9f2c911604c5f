"""The loss of answers, and which of their positions count."""

import keras
import tensorflow as tf
from keras import ops

from seqzoo.pipelines.vocabulary import PADDING_ID


def counted(answer):
    """Which positions of an answer count: its tokens and its end, the first padding; bool `[batch, length]`."""
    before = ops.equal(answer[:, :-1], PADDING_ID)
    return ops.concatenate([ops.ones_like(answer[:, :1], dtype="bool"), ops.logical_not(before)], axis=1)


def weights_of_tokens(sample_weight):
    """Weights of rows, `[batch]`, as `[batch, 1]`, which weighs all of a row's tokens; others as they are.

    Keras would take the former for weights of the positions where there are as many as rows, and else fail.
    """

    def of_tokens(weights):  # Of either rank: in a graph that was traced for both it is not known.
        weights = tf.convert_to_tensor(weights)
        return tf.reshape(weights, [tf.shape(weights)[0], -1])

    return keras.tree.map_structure(lambda each: None if each is None else of_tokens(each), sample_weight)


@keras.saving.register_keras_serializable("seqzoo")
class SequenceCrossentropy(keras.losses.Loss):
    """Cross-entropy of an answer's tokens and its end, from logits.

    The chapter's `TimeSoftmaxWithLoss`. The sum over counted positions is divided by batch × `mean_length`, a number
    that does not depend on the answers, so that the losses of a batch's parts add up to the batch's (which a mean over
    counted tokens would not), and that one long answer does not change.

    Args:
        name: str.
        reduction: see `keras.losses.Loss`; the default gives the quotient above.
        dtype: dtype of the sum.
        label_smoothing: float in [0, 1). The share of each token's probability that is to be spread evenly over the
            whole vocabulary (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567): the logits then have a best value
            in place of growing for ever, and the answers' margins become alike. The loss is never 0 then, and the
            model's probabilities stay below 1 by that share however sure it is.
        mean_length: float, the positions that count in an answer on average, by which the loss is nats per token; see
            `PairPreprocessor.mean_target_length`. `None` for the length to which the batch is padded.

    Call arguments:
        y_true: integer ids, `[batch, length]`, padded with 0.
        y_pred: logits, `[batch, length, vocabulary_size]`.
        sample_weight: weights of rows, `[batch]`, or of tokens, `[batch, length]`; or `None`.

    Raises:
        ValueError: for a `label_smoothing` outside [0, 1), or a `mean_length` that is not above 0.
    """

    def __init__(
        self,
        name="sequence_crossentropy",
        reduction="sum_over_batch_size",
        dtype=None,
        label_smoothing=0.0,
        mean_length=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1). Received: label_smoothing={label_smoothing}")
        if mean_length is not None and not mean_length > 0:
            raise ValueError(f"mean_length must be above 0, or None. Received: mean_length={mean_length}")
        self.label_smoothing = label_smoothing
        self.mean_length = mean_length

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss, a scalar unless `reduction` says otherwise."""
        return super().__call__(y_true, y_pred, weights_of_tokens(sample_weight))

    def call(self, y_true, y_pred):
        """Cross-entropy with the smoothed labels at each position in nats, `[batch, length]`; 0 where none counts.

        Scaled so that their mean is the loss.
        """
        # As rows of a table: else TensorFlow checks the shapes, by operations that XLA leaves out with a warning.
        table = ops.reshape(y_pred, [-1, y_pred.shape[-1]])
        losses = keras.losses.sparse_categorical_crossentropy(ops.reshape(y_true, [-1]), table, from_logits=True)
        losses = ops.reshape(losses, ops.shape(y_true))
        if self.label_smoothing:
            of_any = -ops.mean(ops.log_softmax(y_pred), axis=-1)
            losses += self.label_smoothing * (of_any - losses)
        losses *= ops.cast(counted(y_true), losses.dtype)
        if self.mean_length is None:
            return losses
        return losses * (ops.cast(ops.shape(losses)[1], losses.dtype) / self.mean_length)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "mean_length": self.mean_length}
