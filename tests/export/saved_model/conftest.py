"""Exported models: the folders of two versions, and their signatures run through TensorFlow's loader."""

import pathlib

import pytest

from seqzoo.export import saved_model
from seqzoo.export.clients import loaded


@pytest.fixture(scope="session")
def texts():
    """Decodes what a signature returned: a function from bytes to a list of `str`."""
    return lambda values: [value.decode() for value in values]


@pytest.fixture(scope="session")
def sums_report(sums, tmp_path_factory):
    """What the export of the model `sums` reports."""
    return saved_model(sums, tmp_path_factory.mktemp("export") / "sums")


@pytest.fixture(scope="session")
def folder(sums_report):
    """The version's folder of the model `sums`."""
    return pathlib.Path(sums_report["path"])


@pytest.fixture(scope="session")
def run(folder):
    """Runs its signatures."""
    with loaded(folder) as run:
        yield run


@pytest.fixture(scope="session")
def text_folder(writer, tmp_path_factory):
    """The version's folder of the model `writer`."""
    return pathlib.Path(saved_model(writer, tmp_path_factory.mktemp("export") / "writer")["path"])


@pytest.fixture(scope="session")
def write(text_folder):
    """Runs its signatures."""
    with loaded(text_folder) as run:
        yield run
