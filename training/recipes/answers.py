"""What recipes for models that answer sources have in common."""

from seqzoo.models import SequenceCrossentropy
from seqzoo.models.optimizers import Adam
from seqzoo.training.recipes.base import Recipe

VALIDATION_BATCH = 1000
"""Rows of the batches for the figures after each epoch."""


class AnswerRecipe(Recipe):
    """A recipe for a model that answers sources: how it is scored, its loss, its optimizer."""

    metric = "val_exact_match"
    metric_label = "exact match on validation data"

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1). Received: label_smoothing={self.label_smoothing!r}")
        if not isinstance(self.beam_size, int) or self.beam_size < 1:
            raise ValueError(f"beam_size must be a whole number from 1. Received: beam_size={self.beam_size!r}")

    def test_data(self, data, held_out):
        """As of every recipe: the split `test` of its own data set."""
        return held_out if data is not None else self.dataset.load_test()

    def validation_batches(self, preprocessor, pairs):
        """Batches for the figures after each epoch."""
        return preprocessor.batches(pairs, VALIDATION_BATCH)

    def _loss(self, model):
        mean_length = model.preprocessor.mean_target_length
        return SequenceCrossentropy(label_smoothing=self.label_smoothing, mean_length=mean_length)

    def _optimizer(self, steps_per_epoch):
        learning_rate = self.learning_rate
        if self.decay:
            learning_rate = self._warm_up_and_decay(steps_per_epoch, (self.epochs - 1) * steps_per_epoch)
        return Adam(learning_rate, global_clipnorm=5.0)
