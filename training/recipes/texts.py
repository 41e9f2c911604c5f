"""Recipes for language models."""

import dataclasses
import string

from seqzoo.models import LanguageModel
from seqzoo.models.optimizers import AdamW
from seqzoo.pipelines import TextData, TextPreprocessor, Vocabulary, read_text, text_sha256
from seqzoo.training.recipes.base import Recipe

_ASCII = string.ascii_letters + string.digits + string.punctuation + " "


@dataclasses.dataclass(frozen=True)
class TextRecipe(Recipe):
    """How a language model is trained on a text.

    AdamW with linear warm-up and cosine decay to 0, gradients clipped at a global norm of 1, on windows from random
    places of the text.

    Attributes:
        name: str, as the command line has it.
        dataset: `TextData`, or `None` where the user brings the text.
        split: `"characters"` or `"whitespace"`, see `Vocabulary`.
        lines: bool, see `TextPreprocessor`.
        ascii: bool, whether the vocabulary is ASCII and an unknown token, and not what stands in the text.
        max_tokens: int, the size to which a vocabulary is cut; the rest is the unknown token. `None` for no limit.
        embedding_dim, hidden_dim, cell, num_layers, dropout, tie_embeddings: see `LanguageModel`.
        window: int, tokens in a window.
        batch_size: int, windows in a batch.
        steps_per_epoch: int, batches in an epoch; `None` for as many as hold the text once.
        epochs: int.
        shards: int, see `StringModel.compile`; more than one a core gain nothing. 1 on GPUs and on several devices.
        learning_rate: float, its highest value.
        weight_decay: float.
    """

    name: str
    dataset: TextData | None = None
    split: str = "characters"
    lines: bool = False
    ascii: bool = False
    max_tokens: int | None = None
    embedding_dim: int = 64
    hidden_dim: int = 256
    cell: str = "lstm"
    num_layers: int = 1
    dropout: float = 0.0
    tie_embeddings: bool = False
    window: int = 64
    batch_size: int = 32
    steps_per_epoch: int | None = 260
    epochs: int = 6
    shards: int = 2
    learning_rate: float = 5e-3
    weight_decay: float = 0.0

    model = LanguageModel.__name__
    metric = "val_loss"
    metric_label = "nats per token, held-out windows without context"
    dataset_classes = (TextData,)
    model_fields = ("embedding_dim", "hidden_dim", "cell", "num_layers", "dropout", "tie_embeddings")

    def training_data(self, data=None, validation_data=None, seed=0):
        """The text to train on, the text to validate on, and the preprocessor for them.

        Args:
            data: text file (see `read_text`), or `None` for the recipe's own text.
            validation_data: text file; `None` to hold out the last tenth of the text.
            seed: not used; a text's last tenth is what it is.

        Returns:
            `(training, validation, preprocessor)`, the texts as ids; see `TextPreprocessor.encode`. The vocabulary is
            that of all of `data`, the part that is held out included.

        Raises:
            ValueError: for a wrong or too short text, or no data.
        """
        self.check_data(data, validation_data)
        text = self.dataset.load() if data is None else read_text(data)
        preprocessor = self.preprocessor(text)
        name = self.data_name if data is None else data
        training = preprocessor.encode(text, name)
        if validation_data is None:
            training, validation = preprocessor.hold_out(training)
        else:
            validation = preprocessor.encode(read_text(validation_data), validation_data)
        remedies = "use more text or shorter windows (--window)"
        if data is not None and validation_data is None:
            remedies += (
                ", or name a text to validate on, --validation-data FILE (validation_data=): none is held out then"
            )
        for part, purpose in ((training, "train on"), (validation, "validate on")):
            if len(part) < self.window:
                raise ValueError(
                    f"There are {len(part)} tokens to {purpose}, fewer than one window of {self.window}: {remedies}"
                )
        return training, validation, preprocessor

    def data_facts(self, data=None):
        """What identifies the text: a dictionary of its SHA-256, which for Python's own text depends on the version."""
        return {"data_sha256": text_sha256(self.dataset.load() if data is None else read_text(data))}

    def preprocessor(self, text):
        """A `TextPreprocessor` for this text, with the recipe's vocabulary."""
        if self.ascii:
            return TextPreprocessor(Vocabulary(_ASCII if self.lines else _ASCII + "\n", unknown=True), self.lines)
        unknown = self.max_tokens is not None
        return TextPreprocessor.from_text(text, self.split, unknown, self.lines, self.max_tokens)

    def build(self, preprocessor):
        """A new model, not compiled."""
        return LanguageModel(preprocessor, **self._model_arguments())

    def count_params(self):
        """The parameters of its model, int; `None` where they depend on a text that is not at hand."""
        return self.build(self.preprocessor(None)).count_params() if self.ascii else None

    def batches(self, preprocessor, text, seed=0, epoch=None):
        """Training batches of this recipe, `tf.data.Dataset`."""
        return preprocessor.windows(text, self.batch_size, self.window, seed, self.steps_per_epoch, epoch)

    def validation_batches(self, preprocessor, text):
        """Batches for the figures after each epoch: windows that are read without what stands before them."""
        return preprocessor.consecutive(text, self.batch_size, self.window)

    def _optimizer(self, steps_per_epoch):
        steps = self.epochs * steps_per_epoch
        warmup = max(1, steps // 20)
        learning_rate = self._warm_up_and_decay(warmup, steps - warmup)
        return AdamW(learning_rate, weight_decay=self.weight_decay, beta_2=0.99, global_clipnorm=1.0)
