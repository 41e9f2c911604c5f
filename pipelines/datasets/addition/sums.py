"""Sums written as text: how they are drawn, split and loaded, and what a training on sums may add to them."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.datasets.pair_data import PairData
from seqzoo.pipelines.datasets.splits import load_rows
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.pairs import as_pairs
from seqzoo.pipelines.vocabulary import Vocabulary

_SEED = 7
_BLOCK_ROWS = 8192
SPLIT_SIZES = {
    2: {"train": 4_000, "test": 500},
    3: {"train": 45_000, "test": 5_000},
    4: {"train": 200_000, "test": 20_000},
    5: {"train": 500_000, "test": 100_000},
    9: {"train": 500_000, "validation": 10_000, "test": 100_000},
}
"""The rows of each split, by digits."""

DIGITS = tuple(SPLIT_SIZES)
# So many times as likely as the next shorter one is each length of an operand.
_GROWTH = dict.fromkeys(DIGITS, 4) | {9: 1}


@dataclasses.dataclass(frozen=True)
class AdditionData(PairData):
    """The sums of up to so many digits as training data, and what a training adds to them.

    Attributes:
        digits: int, 2 to 5, or 9.
        commute: bool, whether each sum is also trained the other way round; see `with_commuted_sums`.
        short_sums: int, how often a sum with an operand of one digit is trained on in an epoch; see
            `with_short_sums_repeated`.
        fresh: bool, whether each epoch has as many new sums in place of the training rows; see `fresh_batches`.
    """

    digits: int = 3
    commute: bool = False
    short_sums: int = 1
    fresh: bool = False

    def __post_init__(self):
        _check_digits(self.digits)

    @property
    def name(self):
        """The name that TFDS has for it, such as `addition/digits_3`."""
        return f"addition/digits_{self.digits}"

    def load(self):
        """The rows to train on and to validate on, two `tf.data.Dataset`s of `(source, target)` string scalars.

        The latter are the split `validation`, or `test` where there is none.
        """
        return load_addition(self.digits, list(SPLIT_SIZES[self.digits])[:2])

    def load_test(self):
        """The `test` split, as in `load`."""
        return load_addition(self.digits, "test")

    def augment(self, pairs):
        """What an epoch trains on, given pairs of this data set.

        No two pairs of the data set have the same two operands, so a mirror image never stands in another split.
        """
        if self.short_sums > 1:
            pairs = with_short_sums_repeated(pairs, self.short_sums)
        return with_commuted_sums(pairs) if self.commute else pairs

    def plain(self):
        """These sums where nothing is added to an epoch."""
        return AdditionData(self.digits)

    def preprocessor(self, reverse=False, reverse_target=False):
        """The `PairPreprocessor` of its training split, without a look at that."""
        options = {"reverse": reverse, "reverse_target": reverse_target}
        return PairPreprocessor(Vocabulary("0123456789+"), 2 * self.digits + 1, self.digits + 1, **options)


def load_addition(digits=3, split="train"):
    """The rows of `tfds.load("addition/digits_…", as_supervised=True)`, straight from memory.

    Args:
        digits: int, 2 to 5, or 9.
        split: `"train"`, `"test"`, or of 9 digits `"validation"`; TFDS' slices of them such as `"train[:90%]"`; or a
            list of these.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars; a list of them for a list of splits.

    Raises:
        ValueError: for other digits, or a split that TFDS does not understand.
    """
    if not isinstance(split, str):
        return [load_addition(digits, one) for one in split]
    _check_digits(digits)
    return load_rows(split, SPLIT_SIZES[digits], functools.partial(addition_rows, digits))


def _check_digits(digits):
    if digits not in DIGITS:
        raise ValueError(f"digits must be one of {DIGITS}. Received: digits={digits!r}")


def load_test_sums(preprocessor):
    """The test sums of as many digits as a preprocessor takes; `None` where vocabulary or lengths are not of sums."""
    digits = digits_of_sums(preprocessor)
    return load_addition(digits, "test") if digits else None


def digits_of_sums(preprocessor):
    """For sums of how many digits a preprocessor was made; `None` where vocabulary or lengths are not of sums."""
    sides = [preprocessor.source_vocabulary, preprocessor.target_vocabulary]
    if sides != [Vocabulary("0123456789+")] * 2 or not hasattr(preprocessor, "source_length"):
        return None
    digits = preprocessor.source_length // 2
    is_of_sums = digits in DIGITS and (preprocessor.source_length, preprocessor.target_length) == (
        2 * digits + 1,
        digits + 1,
    )
    return digits if is_of_sums else None


def addition_rows(digits, split):
    """The `(source, target)` rows of one split, as a list of `str` pairs."""
    return [(f"{a}+{b}", str(a + b)) for a, b in operands_of(digits, split).tolist()]


def operands_of(digits, split):
    """The operands of one split, int64 `[rows, 2]`."""
    sizes = SPLIT_SIZES[digits]
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())).tolist(), strict=True))
    return _draw_pairs(digits, sum(sizes.values()))[ends[split] - sizes[split] : ends[split]]


def with_commuted_sums(pairs, except_for=None):
    """Each pair `a+b` followed by `b+a`, with the same target.

    Addition commutes, so this doubles the training data without a new fact. Sources without `+` are left alone.

    Args:
        pairs: what `as_pairs` takes.
        except_for: pairs, or `None`. Sums that stand here are not added: the rows that a model will be tested on. They
            are held in memory as hashes, 8 bytes each.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars.
    """
    tested = tf.zeros([0], tf.int64)
    if except_for is not None:
        blocks = [_hashes(sources) for sources, _ in as_pairs(except_for).batch(_BLOCK_ROWS)]
        tested = tf.sort(tf.concat([tested, *blocks], axis=0))

    def both(sources, targets):
        commuted = tf.strings.regex_replace(sources, r"^([^+]*)\+([^+]*)$", r"\2+\1")
        hashes = _hashes(commuted)
        is_tested = tf.searchsorted(tested, hashes, side="left") != tf.searchsorted(tested, hashes, side="right")
        added = tf.stack([tf.ones_like(is_tested), (commuted != sources) & ~is_tested], axis=1)
        rows = tf.boolean_mask(tf.stack([sources, commuted], axis=1), added)
        return rows, tf.boolean_mask(tf.stack([targets, targets], axis=1), added)

    return as_pairs(pairs).batch(_BLOCK_ROWS).map(both, num_parallel_calls=tf.data.AUTOTUNE).unbatch()


def with_short_sums_repeated(pairs, times):
    """Each pair, and those of which one operand is a single digit `times` times in a row.

    They are the most varied of all sums for how rare they are: what a model of a million sums gets wrong in the end.
    Sources without `+` are left alone.

    Args:
        pairs: what `as_pairs` takes.
        times: int.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars.
    """

    def repeated(sources, targets):
        is_short = tf.strings.regex_full_match(sources, r"\d\+\d+|\d+\+\d")
        count = tf.where(is_short, times, 1)
        return tf.repeat(sources, count), tf.repeat(targets, count)

    return as_pairs(pairs).batch(_BLOCK_ROWS).map(repeated, num_parallel_calls=tf.data.AUTOTUNE).unbatch()


def _hashes(strings):
    return tf.strings.to_hash_bucket_fast(strings, 2**62)


@functools.cache
def _draw_pairs(digits, count):
    """The first `count` different unordered pairs, int64 `[count, 2]`, in the order drawn, or, of 9 digits, in another.

    Where lengths are drawn evenly, the few pairs of short operands come up early: they would all be in the first split.
    """
    bits = np.random.PCG64(_SEED + digits)
    drawn = np.empty((0, 2), "int64")
    while True:
        drawn = np.concatenate([drawn, np.stack([_draw_numbers(bits, digits, 2 * count) for _ in range(2)], axis=1)])
        first = np.sort(np.unique(keys_of(drawn, digits), return_index=True)[1])
        if len(first) >= count:
            pairs = drawn[first[:count]]
            if _GROWTH[digits] == 1:
                pairs = pairs[np.argsort(bits.random_raw(count), kind="stable")]
            pairs.setflags(write=False)
            return pairs


def keys_of(operands, digits):
    """A number for each unordered pair of operands, int64 `[rows]` of int64 `[rows, 2]`."""
    return operands.min(axis=1) * 10**digits + operands.max(axis=1)


def _draw_numbers(bits, digits, count):
    """int64 `[count]`: numbers of 1 to `digits` digits. Raw bits only: NumPy keeps their stream for good."""
    weights = _GROWTH[digits] ** np.arange(digits, dtype="int64")
    place = (bits.random_raw(count) % np.uint64(weights.sum())).astype("int64")
    length = np.searchsorted(np.cumsum(weights), place, side="right")
    low = np.where(length == 0, 0, 10**length)
    high = 10 ** (length + 1)
    return low + (bits.random_raw(count) % (high - low).astype("uint64")).astype("int64")
