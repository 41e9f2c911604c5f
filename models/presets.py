"""The zoo's presets: for each task a model, the data and the recipe that trains it."""

import dataclasses
import json

import keras

from seqzoo.models import seq2seq
from seqzoo.models.execution import execution
from seqzoo.models.losses import ExactMatch, SequenceCrossentropy
from seqzoo.models.optimizers import Adam
from seqzoo.models.text_presets import TEXT_PRESETS
from seqzoo.pipelines import (
    PairPreprocessor,
    Vocabulary,
    hold_out,
    load_addition,
    read_pairs,
    with_commuted_sums,
    with_short_sums_repeated,
)

_VALIDATION_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class Preset:
    """A seq2seq model with its recipe, as data; `dataclasses.replace` gives a variant.

    The default recipe is Adam with one epoch of linear warm-up and cosine decay to 0, gradients clipped at a global
    norm of 5.

    Attributes:
        name: str, as the command line has it.
        model: `"Seq2Seq"` or `"PeekySeq2Seq"`.
        reverse: bool, see `PairPreprocessor`.
        digits: int, the `addition` data set it is trained on by default; `None` where the user brings the data.
        embedding_dim, hidden_dim, cell, num_layers, dropout, pass_cell_state, initializer: see `Seq2Seq`.
        commute: bool, whether sums are also trained the other way round, see `with_commuted_sums`; false for any other
            task whose sources have a `+`.
        short_sums: int, how often a training sum with an operand of one digit is seen in an epoch; see
            `with_short_sums_repeated`.
        label_smoothing: float, see `SequenceCrossentropy`.
        batch_size: int.
        epochs: int.
        learning_rate: float, its highest value.
        decay: bool, whether the learning rate warms up and decays; else it is constant.
    """

    name: str
    model: str
    reverse: bool = False
    digits: int | None = None
    embedding_dim: int = 16
    hidden_dim: int = 128
    cell: str = "lstm"
    num_layers: int = 1
    dropout: float = 0.0
    pass_cell_state: bool = True
    initializer: str = "keras"
    commute: bool = False
    short_sums: int = 1
    label_smoothing: float = 0.0
    batch_size: int = 128
    epochs: int = 25
    learning_rate: float = 4e-3
    decay: bool = True

    metric = "val_exact_match"
    metric_label = "exact match on validation data"

    @property
    def command(self):
        """The command that trains it."""
        data = "" if self.digits else " --data FILE"
        return f"seqzoo train {self.name} --output DIR{data}"

    @property
    def data_name(self):
        """The name of its own data, or `None`."""
        return f"addition/digits_{self.digits}" if self.digits else None

    def data_facts(self, data=None):
        """What identifies the data beside its name: nothing for pairs."""
        return {}

    def training_data(self, data=None, validation_data=None, seed=0):
        """The pairs to train on, those to validate on, and the preprocessor for them.

        Args:
            data: file of pairs (see `read_pairs`), or `None` for the preset's own data.
            validation_data: likewise; `None` holds out a seeded tenth of `data`.
            seed: int.

        Returns:
            `(training, validation, preprocessor)`. The preset's own data brings its `test` split to validate on.
            Vocabulary and lengths are those of all of `data`.

        Raises:
            ValueError: for a wrong line, or no data.
            FileNotFoundError: for a missing file.
        """
        if data is None:
            if validation_data is not None:
                raise ValueError("Validation data needs data to train on: give both, or neither")
            if self.digits is None:
                raise ValueError(f"The preset {self.name} has no data of its own: give a file of pairs, --data FILE")
            training, validation = load_addition(self.digits, ["train", "test"])
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

    def preprocessor(self, pairs):
        """A `PairPreprocessor` for these pairs, reversing or not as the preset has it."""
        return PairPreprocessor.from_pairs(pairs, reverse=self.reverse)

    def build(self, preprocessor):
        """A new model, not compiled."""
        return getattr(seq2seq, self.model)(
            preprocessor,
            embedding_dim=self.embedding_dim,
            hidden_dim=self.hidden_dim,
            cell=self.cell,
            num_layers=self.num_layers,
            dropout=self.dropout,
            pass_cell_state=self.pass_cell_state,
            initializer=self.initializer,
        )

    def count_params(self):
        """The parameters of its model on its own data, int; `None` where the user brings the data."""
        if not self.digits:
            return None
        sums = PairPreprocessor(Vocabulary("0123456789+"), 2 * self.digits + 1, self.digits + 1)
        return self.build(sums).count_params()

    def batches(self, preprocessor, pairs, seed=0, validation=None, epoch=None):
        """Training batches of this recipe, `tf.data.Dataset`; sums that stand in `validation` are not added."""
        if self.short_sums > 1:
            pairs = with_short_sums_repeated(pairs, self.short_sums)
        if self.commute:
            pairs = with_commuted_sums(pairs, except_for=validation)
        return preprocessor.batches(pairs, self.batch_size, shuffle_seed=seed, drop_remainder=True, epoch=epoch)

    def validation_batches(self, preprocessor, pairs):
        """Batches for the figures after each epoch."""
        return preprocessor.batches(pairs, _VALIDATION_BATCH)

    def compile(self, model, steps_per_epoch):
        """Compiles a model with this recipe; how its steps run is `execution`'s.

        Args:
            model: `Seq2Seq`.
            steps_per_epoch: int, batches an epoch, which the schedule of the learning rate needs.
        """
        learning_rate = self.learning_rate
        if self.decay:
            learning_rate = keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=0.0,
                decay_steps=max(1, (self.epochs - 1) * steps_per_epoch),
                warmup_target=self.learning_rate,
                warmup_steps=steps_per_epoch,
            )
        model.compile(
            optimizer=Adam(learning_rate, global_clipnorm=5.0),
            loss=SequenceCrossentropy(label_smoothing=self.label_smoothing),
            metrics=[ExactMatch()],
            **execution(steps_per_epoch),
        )
        # Else the first step would be traced twice, and a search could not load a checkpoint before it.
        model.optimizer.build(model.trainable_variables)

    def with_book_recipe(self):
        """This model trained as *Deep Learning from Scratch 2*, section 7.3.4, does.

        The book's cell, sizes and initial weights, a constant learning rate of 1e-3, 25 epochs, only the hidden state
        handed over.
        """
        return dataclasses.replace(
            self,
            embedding_dim=16,
            hidden_dim=128,
            cell="lstm",
            num_layers=1,
            pass_cell_state=False,
            initializer="book",
            commute=False,
            short_sums=1,
            label_smoothing=0.0,
            batch_size=128,
            epochs=25,
            learning_rate=1e-3,
            decay=False,
        )


PRESETS = {
    each.name: each
    for each in (
        Preset(
            "addition_baseline",
            "Seq2Seq",
            digits=3,
            commute=True,
            short_sums=3,
            label_smoothing=0.05,
            epochs=60,
            learning_rate=6e-3,
        ),
        Preset(
            "addition_reverse",
            "Seq2Seq",
            digits=3,
            reverse=True,
            commute=True,
            short_sums=3,
            label_smoothing=0.05,
            epochs=30,
            learning_rate=8e-3,
        ),
        Preset(
            "addition_peeky",
            "PeekySeq2Seq",
            digits=3,
            commute=True,
            short_sums=3,
            label_smoothing=0.05,
            epochs=30,
            learning_rate=8e-3,
        ),
        Preset(
            "addition_peeky_reverse",
            "PeekySeq2Seq",
            digits=3,
            reverse=True,
            hidden_dim=192,
            commute=True,
            short_sums=3,
            label_smoothing=0.05,
            epochs=50,
            learning_rate=8e-3,
        ),
        # An LSTM, of 128 or 256 units, takes many times as many epochs to find out about five digits.
        Preset(
            "addition_5_digits",
            "PeekySeq2Seq",
            digits=5,
            reverse=True,
            cell="gru",
            hidden_dim=192,
            short_sums=3,
            label_smoothing=0.05,
            epochs=16,
            learning_rate=5e-3,
        ),
        Preset("pairs_baseline", "Seq2Seq"),
        Preset("pairs_peeky_reverse", "PeekySeq2Seq", reverse=True),
        *TEXT_PRESETS,
    )
}


def preset(name):
    """The preset of that name.

    Raises:
        ValueError: where there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}. Choose one of: {', '.join(PRESETS)}")
    return PRESETS[name]


def found_recipe(path, name):
    """The preset of that name with the recipe that a search found.

    Args:
        path: the search's `best.json`.
        name: str.

    Raises:
        ValueError: for an unknown preset, a file that is no such thing, or another preset's.
        FileNotFoundError: for a missing file.
    """
    base = preset(name)
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        there, recipe = found["preset"], found["recipe"]
        found = dataclasses.replace(base, **recipe) if there == name else None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no best.json of a search: {error}") from None
    if found is None:
        raise ValueError(f"{path} is of a search over {there}, not over {name}")
    return found
