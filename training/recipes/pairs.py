"""Recipes for models that answer strings with strings."""

import dataclasses

from seqzoo.models import AttentionSeq2Seq, PeekySeq2Seq, Seq2Seq
from seqzoo.pipelines import (
    AdditionData,
    CmudictData,
    DatesData,
    PairPreprocessor,
    as_pairs,
    fresh_batches,
    hold_out,
    read_pairs,
)
from seqzoo.pipelines.pair_files import TAB
from seqzoo.training.recipes.answers import VALIDATION_BATCH, AnswerRecipe

_MODELS = {model.__name__: model for model in (Seq2Seq, PeekySeq2Seq, AttentionSeq2Seq)}
# How strings are read where no option is given, as the data sets' own preprocessors do.
_PLAIN = {
    "source_split": "characters", "target_split": "characters", "lower_case": False, "normal_form": None,
    "unknown": False, "reverse_target": False, "max_tokens": None,
    "copy_unknown": False,
}  # fmt: skip
_COUNTED_ROWS = 8192


@dataclasses.dataclass(frozen=True)
class PairRecipe(AnswerRecipe):
    """How a seq2seq model is trained on pairs.

    Adam with one epoch of linear warm-up and cosine decay to 0, gradients clipped at a global norm of 5.

    Attributes:
        name: str, as the command line has it.
        model: `"Seq2Seq"`, `"PeekySeq2Seq"` or `"AttentionSeq2Seq"`.
        dataset: `AdditionData`, `CmudictData` or `DatesData`; `None` where the user brings the data.
        separator: str, what stands between source and target in files of pairs, see `read_pairs`.
        reverse, reverse_target: bool, see `PairPreprocessor`.
        source_split, target_split: `"characters"`, `"whitespace"` or `"words"`, see `Vocabulary`.
        lower_case, normal_form: see `PairPreprocessor.from_pairs`.
        unknown: bool, whether tokens of sources that training lacks are read as an unknown token, and not refused.
            `None` for `True` where the user brings the data, and `False` for a data set of its own.
        embedding_dim, hidden_dim, cell, num_layers, dropout, pass_cell_state, initializer: see `Seq2Seq`.
        bidirectional: bool, see `Seq2Seq`; `None` for the model's own default.
        label_smoothing: float, see `SequenceCrossentropy`.
        batch_size: int.
        epochs: int.
        shards: int, see `StringModel.compile`; more than one a core gain nothing. 1 on GPUs and on several devices.
        buckets: int, of how many lengths batches are, see `PairPreprocessor.batches`; `None` for the model's own
            default. Models that take sources of one length have 1, and so have several devices.
        min_steps: int. Where `epochs` passes over the data have fewer batches than that, each epoch passes over them
            several times. 0 for one pass whatever their number.
        learning_rate: float, its highest value.
        decay: bool, whether the learning rate warms up and decays; else it is constant.
        beam_size: int, with how wide a beam the SavedModel of a preset answers; 1 for greedy answers.
        max_tokens: int, how many tokens a vocabulary has at most, or `None`; see `PairPreprocessor.from_pairs`.
        copy_unknown: bool, of `"AttentionSeq2Seq"`, see `PairPreprocessor`.
    """

    name: str
    model: str
    dataset: AdditionData | CmudictData | DatesData | None = None
    reverse: bool = False
    source_split: str = "characters"
    target_split: str = "characters"
    lower_case: bool = False
    normal_form: str | None = None
    unknown: bool | None = None
    reverse_target: bool = False
    embedding_dim: int = 16
    hidden_dim: int = 128
    cell: str = "lstm"
    num_layers: int = 1
    bidirectional: bool | None = None
    dropout: float = 0.0
    pass_cell_state: bool = True
    initializer: str = "keras"
    label_smoothing: float = 0.0
    batch_size: int = 128
    epochs: int = 25
    shards: int = 2
    buckets: int | None = None
    min_steps: int = 0
    learning_rate: float = 4e-3
    decay: bool = True
    beam_size: int = 1
    separator: str = TAB
    max_tokens: int | None = None
    copy_unknown: bool = False

    dataset_classes = (AdditionData, CmudictData, DatesData)
    model_fields = (
        "embedding_dim", "hidden_dim", "cell", "num_layers", "dropout", "pass_cell_state", "initializer",
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        if self.model not in _MODELS:
            raise ValueError(f"model must be one of {', '.join(_MODELS)}. Received: model={self.model!r}")
        if not isinstance(self.min_steps, int) or self.min_steps < 0:
            raise ValueError(f"min_steps must be a whole number from 0. Received: min_steps={self.min_steps!r}")
        for name in ("buckets", "max_tokens"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a whole number from 1. Received: {name}={value!r}")
        if self.copy_unknown and (self.model != "AttentionSeq2Seq" or self.max_tokens is None):
            raise ValueError(
                "copy_unknown needs a model with attention, and max_tokens. "
                f"Received: model={self.model!r}, max_tokens={self.max_tokens}"
            )

    @property
    def is_bidirectional(self):
        """Whether its encoder reads sources in both directions."""
        return self.model == "AttentionSeq2Seq" if self.bidirectional is None else self.bidirectional

    def training_data(self, data=None, validation_data=None, seed=0):
        """The pairs to train on, those to validate on, and the preprocessor for them.

        Args:
            data: file of pairs (see `read_pairs`), or `None` for the recipe's own data set.
            validation_data: file of pairs; `None` to hold out a seeded tenth of `data`.
            seed: int.

        Returns:
            `(training, validation, preprocessor)`. The recipe's own data set brings rows of its own to validate on.
            Vocabulary and lengths are those of all of `data`.

        Raises:
            ValueError: for a wrong line, or no data.
        """
        self.check_data(data, validation_data)
        if data is None:
            training, validation = self.dataset.load()
            return training, validation, self.preprocessor(training)
        pairs = read_pairs(data, separator=self.separator)
        preprocessor = self.preprocessor(pairs, data)
        if validation_data is not None:
            return pairs, read_pairs(validation_data, preprocessor, self.separator), preprocessor
        training, validation = hold_out(pairs, seed, preprocessor=preprocessor)
        for part, purpose in ((training, "train on"), (validation, "validate on")):
            if not list(part.take(1)):
                raise ValueError(
                    f"{data} has too few different sources: no pair is left to {purpose} where a tenth is held out. "
                    "Add pairs, or name a file of pairs to validate on, --validation-data FILE (validation_data=)"
                )
        return training, validation, preprocessor

    def check_data(self, data, validation_data=None):
        """As of every recipe; and without a file, that no separator is given for one."""
        super().check_data(data, validation_data)
        if data is None and self.separator != TAB:
            raise ValueError("A separator is that of a file: leave it out (--separator), or name a file, --data FILE")

    def search_data(self, data=None, validation_data=None, seed=0):
        """As `training_data`, for choices: the rows that the recipe's own data set validates on stay unseen.

        A seeded tenth of its training split is held out instead.
        """
        training, validation, preprocessor = self.training_data(data, validation_data, seed)
        if data is None:
            training, validation = hold_out(training, seed, preprocessor=preprocessor)
        return training, validation, preprocessor

    def preprocessor(self, pairs, path=None):
        """A `PairPreprocessor` for these pairs, which reverses, splits and normalises as the recipe has it.

        `path` is their file, for warnings, or `None`.
        """
        options = self._vocabulary_options()
        if self._reads_as_its_dataset(options):
            return self.dataset.preprocessor(self.reverse, self.reverse_target)
        return PairPreprocessor.from_pairs(pairs, self.reverse, path=path, **options)

    def build(self, preprocessor):
        """A new model, not compiled."""
        arguments = {**self._model_arguments(), "bidirectional": self.is_bidirectional}
        return _MODELS[self.model](preprocessor, **arguments)

    def count_params(self):
        """The parameters of its model on its own data set, int; `None` where the user brings the data."""
        if not self.dataset:
            return None
        pairs = None if self._reads_as_its_dataset(self._vocabulary_options()) else self.dataset.load()[0]
        return self.build(self.preprocessor(pairs)).count_params()

    def passes(self, pairs):
        """How many times an epoch passes over these pairs, int; see `min_steps`."""
        needed = -(-self.min_steps // self.epochs) * self.batch_size
        if needed == 0:
            return 1
        blocks = as_pairs(self._augmented(pairs)).take(needed).batch(_COUNTED_ROWS)
        rows = sum(len(sources) for sources, _ in blocks)
        return -(-needed // rows) if rows else 1

    def batches(self, preprocessor, pairs, seed=0, epoch=None):
        """Training batches of this recipe, `tf.data.Dataset`; of its own data set with what that adds to an epoch."""
        if self.dataset and self.dataset.fresh:
            return fresh_batches(preprocessor, self.dataset.digits, self.batch_size, seed, epoch)
        passes, pairs = self.passes(pairs), self._augmented(pairs)
        if passes > 1:
            pairs = as_pairs(pairs).repeat(passes)
        options = {"shuffle_seed": seed, "drop_remainder": True, "epoch": epoch, "buckets": self._number_of_buckets}
        return preprocessor.batches(pairs, self.batch_size, **options)

    def validation_batches(self, preprocessor, pairs):
        """Batches for the figures after each epoch."""
        return preprocessor.batches(pairs, VALIDATION_BATCH, buckets=self._number_of_buckets)

    def for_devices(self):
        """As of every recipe; and with batches of one length, which can be divided anew."""
        return dataclasses.replace(super().for_devices(), buckets=1)

    @property
    def _number_of_buckets(self):
        own = _MODELS[self.model].buckets
        return own if own == 1 or self.buckets is None else self.buckets

    def _augmented(self, pairs):
        return self.dataset.augment(pairs) if self.dataset else pairs

    def _reads_as_its_dataset(self, options):
        """Whether the options of the vocabularies are those of its data set's own preprocessor, which needs no data."""
        own = self.dataset and {**_PLAIN, **self.dataset.vocabulary_options, "reverse_target": self.reverse_target}
        return options == own

    def _vocabulary_options(self):
        options = {name: getattr(self, name) for name in _PLAIN}
        return options if self.unknown is not None else {**options, "unknown": self.dataset is None}

    def with_book_recipe(self):
        """This model trained as *Deep Learning from Scratch 2*, section 7.3.4, does.

        The book's cell, sizes and initial weights, sources read in one direction, a constant learning rate of 1e-3, 25
        epochs, only the hidden state handed over.
        """
        return dataclasses.replace(
            self,
            dataset=self.dataset and self.dataset.plain(),
            embedding_dim=16,
            hidden_dim=128,
            cell="lstm",
            num_layers=1,
            bidirectional=False,
            dropout=0.0,
            pass_cell_state=False,
            initializer="book",
            label_smoothing=0.0,
            batch_size=128,
            epochs=25,
            shards=1,
            min_steps=0,
            learning_rate=1e-3,
            decay=False,
        )
