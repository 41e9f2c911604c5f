"""Pictures of handwritten numbers as training data: how digits are split, drawn and loaded."""

import dataclasses
import functools
import importlib.util

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.datasets.handwritten_numbers.drawing import HEIGHT, WIDTH, draw_numbers, scanned_digits
from seqzoo.pipelines.datasets.handwritten_numbers.words import number_in_words, words_of_numbers
from seqzoo.pipelines.datasets.pair_data import PairData
from seqzoo.pipelines.image_preprocessor import ImagePreprocessor
from seqzoo.pipelines.input_pipeline import without_autotune
from seqzoo.pipelines.vocabulary import Vocabulary

SPLIT_SIZES = {"train": 40_000, "validation": 2_000, "test": 5_000}
"""The rows of each split."""

PARTITIONS = 3
"""Into how many different partitions the scanned digits are split."""

# Of the scans of each digit, for each split but `train`.
_SHARE = 0.15
_MAX_DIGITS = 5
_TARGET_LENGTH = 5
# The mean number of words of a training caption, with its end where there is room for it.
_MEAN_TARGET_LENGTH = 3.56
_NOTICE = """\
The digits are from "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49, under the licence Creative Commons Attribution 4.0 International
(CC BY 4.0, https://creativecommons.org/licenses/by/4.0/), in the copy of its test set that scikit-learn carries. They
were slanted, stretched, put side by side to numbers and drawn on grey paper.
"""


@dataclasses.dataclass(frozen=True)
class HandwrittenNumbersData(PairData):
    """Pictures of handwritten numbers, and the numbers in words, as training data; needs scikit-learn.

    Attributes:
        partition: int from 0 to 2, which partition of the scanned digits.
        name: the name that TFDS has for it, `"handwritten_numbers"`.
    """

    partition: int = 0
    name: str = "handwritten_numbers"

    def __post_init__(self):
        if self.name != "handwritten_numbers":
            raise ValueError(f"The data set of numbers has one name, 'handwritten_numbers'. Received: {self.name!r}")
        if isinstance(self.partition, bool) or self.partition not in range(PARTITIONS):
            raise ValueError(f"partition must be from 0 to {PARTITIONS - 1}. Received: partition={self.partition!r}")

    @property
    def is_at_hand(self):
        """Whether scikit-learn is installed."""
        return importlib.util.find_spec("sklearn") is not None

    @property
    def notice(self):
        """Who made the digits, and their licence, `str`."""
        return _NOTICE

    def load(self):
        """The `(train, validation)` splits, two `tf.data.Dataset`s of PNG files and captions, string scalars.

        Raises:
            ValueError: without scikit-learn.
        """
        return [self._split(name) for name in ("train", "validation")]

    def load_test(self):
        """The `test` split, which no choice is made on; as in `load`."""
        return self._split("test")

    def preprocessor(self, reverse=False, reverse_target=False):
        """The `ImagePreprocessor` of its training split, without a look at that."""
        if reverse or reverse_target:
            raise ValueError("Pictures are not reversed, nor are their captions: leave out reverse and reverse_target")
        return ImagePreprocessor(
            Vocabulary(words_of_numbers(), "whitespace"), HEIGHT, WIDTH, _TARGET_LENGTH, _MEAN_TARGET_LENGTH
        )

    def _split(self, name):
        pictures, captions = number_rows(self.partition, name)
        rows = tf.data.Dataset.from_tensor_slices((pictures[..., None], captions))
        rows = rows.map(lambda picture, caption: (tf.io.encode_png(picture), caption), tf.data.AUTOTUNE)
        return without_autotune(rows)


@functools.cache
def number_rows(partition, split):
    """The rows of one split: uint8 `[rows, HEIGHT, WIDTH]`, and captions, an array of `str` objects `[rows]`."""
    images, labels = scanned_digits()
    bits = np.random.PCG64([partition, list(SPLIT_SIZES).index(split)])
    count = SPLIT_SIZES[split]

    def below(limit, shape):
        return (bits.random_raw(int(np.prod(shape))).reshape(shape) % np.uint64(limit)).astype(int)

    lengths = 1 + below(_MAX_DIGITS, count)
    digits = below(10, (count, _MAX_DIGITS))
    digits[:, 0] = np.where(lengths > 1, 1 + digits[:, 0] % 9, digits[:, 0])
    choice, rows = below(2**32, digits.shape), np.full(digits.shape, -1)
    scans = digits_of_split(labels, partition, split)
    for digit, of_digit in enumerate(scans):
        rows = np.where(digits == digit, of_digit[choice % len(of_digit)], rows)
    rows[np.arange(_MAX_DIGITS) >= lengths[:, None]] = -1
    numbers = ["".join(map(str, row[:length])) for row, length in zip(digits.tolist(), lengths, strict=True)]
    captions = np.array([number_in_words(int(number)) for number in numbers], object)

    def uniform(shape):
        return (bits.random_raw(int(np.prod(shape))) >> np.uint64(11)).reshape(shape) * 2.0**-53

    return draw_numbers(images, rows, uniform, varied=split == "train"), captions


def digits_of_split(labels, partition, split):
    """Which scans of each digit a split is drawn from: a list of ten int arrays; no scan is in two splits."""
    order = np.argsort(np.random.PCG64(1_000 + partition).random_raw(len(labels)), kind="stable")
    scans = []
    for digit in range(10):
        of_digit = order[labels[order] == digit]
        share = round(len(of_digit) * _SHARE)
        parts = {"test": of_digit[:share], "validation": of_digit[share : 2 * share], "train": of_digit[2 * share :]}
        scans.append(parts[split])
    return scans
