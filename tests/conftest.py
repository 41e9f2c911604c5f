"""What several test files share: a small task, and a model that has learnt it."""

import importlib.util
import itertools
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

from seqzoo import models, pipelines

_STARTING_PROCESSES = ("test_distribution.py", "test_search.py")

# Strings of one to three letters, to be written in capitals and backwards.
PAIRS = [
    (source, source[::-1].upper())
    for length in (1, 2, 3)
    for source in map("".join, itertools.product("abcd", repeat=length))
]


def pytest_configure(config):
    """XLA compiles quickly rather than well, for trainings of a few steps; the slow ones have it as users do."""
    if config.getoption("markexpr") == "not slow":
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


def pytest_collection_modifyitems(items):
    """The tests that start processes first: they are the longest, and none of them is left over when the others end."""
    items.sort(key=lambda item: item.path.parent.name != "tests" and item.path.name not in _STARTING_PROCESSES)


@pytest.fixture(scope="session")
def pairs():
    """The small task: (source, target) strings."""
    return PAIRS


@pytest.fixture
def pair_file(tmp_path):
    """A file of the small task's pairs."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small():
    """The module `small_training.py`, which processes that tests start also use."""
    spec = importlib.util.spec_from_file_location(
        "small_training", pathlib.Path(__file__).with_name("small_training.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def trained():
    """A peeky, reversing model that answers the small task without an error."""
    keras.utils.set_random_seed(0)
    preprocessor = pipelines.PairPreprocessor.from_pairs(PAIRS, reverse=True)
    model = models.PeekySeq2Seq(preprocessor, embedding_dim=8, hidden_dim=32)
    model.compile(keras.optimizers.Adam(0.02), models.SequenceCrossentropy(), jit_compile=False)
    model.fit(preprocessor.batches(PAIRS, 28, shuffle_seed=0), epochs=60, shuffle=False, verbose=0)
    return model
