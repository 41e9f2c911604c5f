"""Dates as training data: how spellings are drawn, split and loaded."""

import dataclasses
import datetime
import functools

import numpy as np

from seqzoo.pipelines.datasets.dates.spellings import CASES, FIRST, LAST, STYLES, spellings_in_their_case
from seqzoo.pipelines.datasets.pair_data import PairData
from seqzoo.pipelines.datasets.splits import load_rows
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.vocabulary import Vocabulary

_SEED = 8
SPLIT_SIZES = {"train": 50_000, "validation": 5_000, "test": 10_000}
"""The rows of each split."""

# Of all dates, for each split but `train`.
_SHARE = 0.05
# English has two orders and most of the spellings.
_DRAWN_STYLES = (*STYLES, "en", "en")
_CHARACTERS = (
    " '(),-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzºÁÄÇÉÌÛáäçéìû"
    "〇一七三九二五八六十号周四土年日星曜月期木水火金금년목수요월일토화"
)
_SOURCE_LENGTH, _TARGET_LENGTH = 38, 10


@dataclasses.dataclass(frozen=True)
class DatesData(PairData):
    """Dates in many spellings as training data.

    Attributes:
        name: the name that TFDS has for it, `"dates"`.
    """

    name: str = "dates"

    def __post_init__(self):
        if self.name != "dates":
            raise ValueError(f"The data set of dates has one name, 'dates'. Received: name={self.name!r}")

    def load(self):
        """The `(train, validation)` splits, two `tf.data.Dataset`s of `(source, target)` string scalars."""
        return load_dates(["train", "validation"])

    def load_test(self):
        """The `test` split, which no choice is made on; as in `load`."""
        return load_dates("test")

    def preprocessor(self, reverse=False, reverse_target=False):
        """The `PairPreprocessor` of its training split, without a look at that."""
        options = {"reverse": reverse, "reverse_target": reverse_target}
        return PairPreprocessor(Vocabulary(_CHARACTERS), _SOURCE_LENGTH, _TARGET_LENGTH, **options)


def load_dates(split="train"):
    """The rows of `tfds.load("dates", as_supervised=True)`, straight from memory.

    Args:
        split: `"train"`, `"validation"` or `"test"`, TFDS' slices of them such as `"train[:90%]"`, or a list of these.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars; a list of them for a list of splits.

    Raises:
        ValueError: for a split that TFDS does not understand.
    """
    if not isinstance(split, str):
        return [load_dates(one) for one in split]
    return load_rows(split, SPLIT_SIZES, date_rows)


def date_rows(split):
    """The `(source, target)` rows of one split, as a list of `str` pairs."""
    return list(_draw_rows()[split])


@functools.cache
def _draw_rows():
    """The rows of each split, a dictionary of lists, in the order drawn. Raw bits only: NumPy keeps their stream."""
    bits = np.random.PCG64(_SEED)
    count = (LAST - FIRST).days + 1
    days = np.argsort(bits.random_raw(count), kind="stable").tolist()
    share = int(count * _SHARE)
    days = {"train": days[2 * share :], "validation": days[share : 2 * share], "test": days[:share]}
    return {split: _draw_split(bits, days[split], size) for split, size in SPLIT_SIZES.items()}


def _draw_split(bits, days, size):
    rows = {}
    while len(rows) < size:
        day, style, spelling, case = bits.random_raw(4).tolist()
        date = FIRST + datetime.timedelta(days=days[day % len(days)])
        written = spellings_in_their_case(date, _DRAWN_STYLES[style % len(_DRAWN_STYLES)])
        rows[CASES[case % len(CASES)](written[spelling % len(written)])] = date.isoformat()
    return list(rows.items())
