"""Pronunciations of English words as training data."""

import dataclasses
import pathlib
import string
from typing import ClassVar

from seqzoo.pipelines.datasets.builders import load_prepared, prepare
from seqzoo.pipelines.datasets.cmudict.cmudict_dataset_builder import Builder
from seqzoo.pipelines.datasets.pair_data import PairData
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.vocabulary import Vocabulary

_PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH",
    "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
# The longest word of the data has 22 letters, the longest pronunciation 20 phonemes.
_LENGTH = 32


@dataclasses.dataclass(frozen=True)
class CmudictData(PairData):
    """Pronunciations of English words as training data; TFDS downloads them on first use.

    Attributes:
        name: the name that TFDS has for it, `"cmudict"`.
    """

    name: str = "cmudict"

    vocabulary_options: ClassVar = {"target_split": "whitespace", "lower_case": True}

    is_at_hand = False

    def __post_init__(self):
        if self.name != "cmudict":
            raise ValueError(f"The data set of pronunciations has one name, 'cmudict'. Received: name={self.name!r}")

    @property
    def notice(self):
        """The notice that goes with the dictionary and with what is made of it, `str`."""
        return (pathlib.Path(__file__).parent / "NOTICE.txt").read_text(encoding="utf-8")

    def prepare(self, manual_dir=None):
        """Writes the data set to TFDS' folder; see `seqzoo.pipelines.datasets.builders.prepare`."""
        prepare(Builder(), manual_dir)

    def load(self):
        """The `(train, validation)` splits, two `tf.data.Dataset`s of `(source, target)` string scalars.

        Raises:
            ValueError: where the data set is not there and cannot be downloaded.
        """
        return [self._split(name) for name in ("train", "validation")]

    def load_test(self):
        """The `test` split, which no choice is made on; as in `load`."""
        return self._split("test")

    def preprocessor(self, reverse=False, reverse_target=False):
        """The `PairPreprocessor` of its words, which reads them in lower case, without a look at them."""
        letters = Vocabulary(string.ascii_lowercase + "'", lower_case=True)
        phonemes = Vocabulary(_PHONEMES, "whitespace")
        return PairPreprocessor(letters, _LENGTH, _LENGTH, reverse, phonemes, reverse_target)

    def _split(self, name):
        builder = Builder()
        prepare(builder)
        return load_prepared(builder, name)
