"""Recipes for models that answer strings with strings."""

import dataclasses

from seqzoo.models import PeekySeq2Seq, Seq2Seq, SequenceCrossentropy
from seqzoo.models.optimizers import Adam
from seqzoo.pipelines import AdditionData, PairPreprocessor, Vocabulary, hold_out, read_pairs
from seqzoo.training.recipes.base import Recipe

_MODELS = {model.__name__: model for model in (Seq2Seq, PeekySeq2Seq)}
_VALIDATION_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class PairRecipe(Recipe):
    """How a seq2seq model is trained on pairs.

    Adam with one epoch of linear warm-up and cosine decay to 0, gradients clipped at a global norm of 5.

    Attributes:
        name: str, as the command line has it.
        model: `"Seq2Seq"` or `"PeekySeq2Seq"`.
        dataset: `AdditionData`, or `None` where the user brings the data.
        reverse: bool, see `PairPreprocessor`.
        embedding_dim, hidden_dim, cell, num_layers, dropout, pass_cell_state, initializer: see `Seq2Seq`.
        label_smoothing: float, see `SequenceCrossentropy`.
        batch_size: int.
        epochs: int.
        learning_rate: float, its highest value.
        decay: bool, whether the learning rate warms up and decays; else it is constant.
    """

    name: str
    model: str
    dataset: AdditionData | None = None
    reverse: bool = False
    embedding_dim: int = 16
    hidden_dim: int = 128
    cell: str = "lstm"
    num_layers: int = 1
    dropout: float = 0.0
    pass_cell_state: bool = True
    initializer: str = "keras"
    label_smoothing: float = 0.0
    batch_size: int = 128
    epochs: int = 25
    learning_rate: float = 4e-3
    decay: bool = True

    metric = "val_exact_match"
    metric_label = "exact match on validation data"
    dataset_class = AdditionData
    model_fields = (
        "embedding_dim", "hidden_dim", "cell", "num_layers", "dropout", "pass_cell_state", "initializer",
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        if self.model not in _MODELS:
            raise ValueError(f"model must be one of {', '.join(_MODELS)}. Received: model={self.model!r}")

    def training_data(self, data=None, validation_data=None, seed=0):
        """The pairs to train on, those to validate on, and the preprocessor for them.

        Args:
            data: file of pairs (see `read_pairs`), or `None` for the recipe's own data set.
            validation_data: file of pairs; `None` to hold out a seeded tenth of `data`.
            seed: int.

        Returns:
            `(training, validation, preprocessor)`. The recipe's own data set brings its `test` split to validate on.
            Vocabulary and lengths are those of all of `data`.

        Raises:
            ValueError: for a wrong line, or no data.
        """
        self.check_data(data, validation_data)
        if data is None:
            training, validation = self.dataset.load()
            return training, validation, self.preprocessor(training)
        pairs = read_pairs(data)
        preprocessor = self.preprocessor(pairs)
        if validation_data is not None:
            return pairs, read_pairs(validation_data, preprocessor), preprocessor
        training, validation = hold_out(pairs, seed)
        for part, name in ((training, "train on"), (validation, "hold out")):
            if not list(part.take(1)):
                raise ValueError(f"{data} has too few different sources: no pair is left to {name}")
        return training, validation, preprocessor

    def search_data(self, data=None, validation_data=None, seed=0):
        """As `training_data`, for choices: the `test` split of the recipe's own data set stays unseen.

        A seeded tenth of its training split is held out instead.
        """
        training, validation, preprocessor = self.training_data(data, validation_data, seed)
        if data is None:
            training, validation = hold_out(training, seed)
        return training, validation, preprocessor

    def preprocessor(self, pairs):
        """A `PairPreprocessor` for these pairs, reversing or not as the recipe has it."""
        return PairPreprocessor.from_pairs(pairs, reverse=self.reverse)

    def build(self, preprocessor):
        """A new model, not compiled."""
        return _MODELS[self.model](preprocessor, **self._model_arguments())

    def count_params(self):
        """The parameters of its model on its own data set, int; `None` where the user brings the data."""
        if not self.dataset:
            return None
        digits = self.dataset.digits
        return self.build(PairPreprocessor(Vocabulary("0123456789+"), 2 * digits + 1, digits + 1)).count_params()

    def batches(self, preprocessor, pairs, seed=0, epoch=None):
        """Training batches of this recipe, `tf.data.Dataset`; of its own data set with what that adds to an epoch."""
        if self.dataset:
            pairs = self.dataset.augment(pairs)
        return preprocessor.batches(pairs, self.batch_size, shuffle_seed=seed, drop_remainder=True, epoch=epoch)

    def validation_batches(self, preprocessor, pairs):
        """Batches for the figures after each epoch."""
        return preprocessor.batches(pairs, _VALIDATION_BATCH)

    @property
    def loss(self):
        """The loss, smoothed as the recipe has it."""
        return SequenceCrossentropy(label_smoothing=self.label_smoothing)

    def _optimizer(self, steps_per_epoch):
        learning_rate = self.learning_rate
        if self.decay:
            learning_rate = self._warm_up_and_decay(steps_per_epoch, (self.epochs - 1) * steps_per_epoch)
        return Adam(learning_rate, global_clipnorm=5.0)

    def with_book_recipe(self):
        """This model trained as *Deep Learning from Scratch 2*, section 7.3.4, does.

        The book's cell, sizes and initial weights, a constant learning rate of 1e-3, 25 epochs, only the hidden state
        handed over.
        """
        sizes = {"embedding_dim": 16, "hidden_dim": 128, "cell": "lstm", "num_layers": 1, "pass_cell_state": False}
        schedule = {"batch_size": 128, "epochs": 25, "learning_rate": 1e-3, "decay": False, "label_smoothing": 0.0}
        dataset = self.dataset and AdditionData(self.dataset.digits)
        return dataclasses.replace(self, dataset=dataset, initializer="book", **sizes, **schedule)
