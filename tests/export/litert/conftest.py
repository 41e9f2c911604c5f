"""A LiteRT file of a model of sums, and what stands for texts in it: code points, 0 after a text's end."""

import numpy as np
import pytest

from seqzoo.export import litert


@pytest.fixture(scope="session")
def path(sums, tmp_path_factory):
    """The file of the model `sums`."""
    path = tmp_path_factory.mktemp("litert") / "sums.tflite"
    litert(sums, path)
    return path


@pytest.fixture(scope="session")
def code_points():
    """Encodes strings: a function from them, and a length, to int32 `[batch, length]`."""

    def code_points(strings, length=7):
        return np.array([[ord(c) for c in string.ljust(length, "\0")] for string in strings], "int32")

    return code_points


@pytest.fixture(scope="session")
def texts():
    """Decodes answers: a function from code points to a list of `str`."""
    return lambda rows: ["".join(map(chr, row[row > 0])) for row in rows]
