"""Recipes for models that write what a picture shows."""

import dataclasses

from seqzoo.models import ImageToText
from seqzoo.pipelines import HandwrittenNumbersData
from seqzoo.training.recipes.answers import AnswerRecipe


@dataclasses.dataclass(frozen=True)
class ImageRecipe(AnswerRecipe):
    """How an `ImageToText` is trained on pictures and their captions.

    Adam with one epoch of linear warm-up and cosine decay to 0, gradients clipped at a global norm of 5.

    Attributes:
        name: str, as the command line has it.
        dataset: `HandwrittenNumbersData`. Pictures of one's own are trained on in Python, by `ImageToText.fit`.
        model: `"ImageToText"`.
        filters, embedding_dim, hidden_dim, cell, num_layers, dropout, attention, initializer: see `ImageToText`.
        label_smoothing: float, see `SequenceCrossentropy`.
        batch_size: int.
        epochs: int.
        shards: int, see `StringModel.compile`.
        learning_rate: float, its highest value.
        decay: bool, whether the learning rate warms up and decays; else it is constant.
        beam_size: int, with how wide a beam the SavedModel of a preset answers; 1 for greedy answers.
    """

    name: str
    dataset: HandwrittenNumbersData | None = None
    model: str = "ImageToText"
    filters: tuple[int, ...] = (24, 32, 64, 64)
    embedding_dim: int = 32
    hidden_dim: int = 64
    cell: str = "lstm"
    num_layers: int = 1
    dropout: float = 0.0
    attention: bool = True
    initializer: str = "keras"
    label_smoothing: float = 0.0
    batch_size: int = 128
    epochs: int = 20
    shards: int = 2
    learning_rate: float = 4e-3
    decay: bool = True
    beam_size: int = 1

    dataset_classes = (HandwrittenNumbersData,)
    model_fields = (
        "filters", "embedding_dim", "hidden_dim", "cell", "num_layers", "dropout", "attention", "initializer",
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "filters", tuple(self.filters))  # JSON has lists.
        if self.model != "ImageToText":
            raise ValueError(f"model must be ImageToText. Received: model={self.model!r}")
        if not self.filters or any(not isinstance(number, int) or number < 1 for number in self.filters):
            raise ValueError(f"filters must be whole numbers from 1. Received: filters={list(self.filters)}")

    def check_data(self, data, validation_data=None):
        """Checks that there is no file: there is no format of files of pictures and captions."""
        if data is not None or validation_data is not None:
            raise ValueError(
                f"The recipe {self.name} trains on its own data set: leave out --data. Train on your own pictures in "
                "Python, seqzoo.models.ImageToText.from_pairs(pairs, …) and model.fit(pairs)"
            )
        super().check_data(data, validation_data)

    def training_data(self, data=None, validation_data=None, seed=0):
        """The pairs to train on, those to validate on, and the preprocessor for them, all of its own data set.

        Raises:
            ValueError: for a file, or where the data set cannot be made.
        """
        self.check_data(data, validation_data)
        return *self.dataset.load(), self.dataset.preprocessor()

    def build(self, preprocessor):
        """A new model, not compiled."""
        return ImageToText(preprocessor, **self._model_arguments())

    def count_params(self):
        """The parameters of its model, int."""
        return self.build(self.dataset.preprocessor()).count_params()

    def batches(self, preprocessor, pairs, seed=0, epoch=None):
        """Training batches of this recipe, `tf.data.Dataset`."""
        return preprocessor.batches(pairs, self.batch_size, shuffle_seed=seed, drop_remainder=True, epoch=epoch)
