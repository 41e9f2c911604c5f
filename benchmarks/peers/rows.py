"""Sums as ids, for the sides that bring no preprocessor of their own."""

import numpy as np

SOURCE_LENGTH, TARGET_LENGTH = 7, 4
START = 1
LEARNING_RATE = 8e-3  # The highest, of the zoo's recipe for sums.
_CHARACTERS = "+0123456789"
VOCABULARY_SIZE = 2 + len(_CHARACTERS)  # Padding, which also ends an answer, and the start token.


def read(path):
    """`(sources, answers)` of a file of `source<TAB>target` lines, int64 `[rows, 7]` and `[rows, 4]`.

    Padded with 0; sources are turned around, as Reverse does.
    """
    with open(path, encoding="utf-8") as file:
        sources, targets = zip(*(line.rstrip("\n").split("\t") for line in file), strict=True)
    return _ids(sources, SOURCE_LENGTH)[:, ::-1].copy(), _ids(targets, TARGET_LENGTH)


def _ids(strings, length):
    table = np.zeros(128, "int64")
    table[[ord(each) for each in _CHARACTERS]] = np.arange(2, VOCABULARY_SIZE)
    padded = "".join(each.ljust(length, "\0") for each in strings)
    return table[np.frombuffer(padded.encode(), "uint8")].reshape(-1, length)
