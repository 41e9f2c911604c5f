"""Trainings that take a second, for tests and for the processes that tests start; and what is compared after them."""

import contextlib
import dataclasses
import itertools
import math
import os
from unittest import mock

from seqzoo import models
from seqzoo.training import recipe

TEXT = "the cat sat on the mat. a dog ran to the cat. " * 20

EAGERLY = {"run_eagerly": True, "jit_compile": False}
"""Compile options that skip graphs and XLA, whose compilation would be most of the time of a few steps."""

RESULTS = ["history.csv", "history.png", "metrics.json", "model.keras", "run.json"]
"""What is in the folder of a training that has ended, and nothing else."""


def text_recipe(**options):
    """A language model with dropout and three epochs of two batches, each computed as a whole."""
    small = {
        "hidden_dim": 4,
        "embedding_dim": 4,
        "num_layers": 1,
        "dropout": 0.3,
        "cell": "simple_rnn",
        "batch_size": 4,
        "shards": 1,
    }
    return dataclasses.replace(
        recipe("char_lstm"), **{**small, "window": 4, "steps_per_epoch": 2, "epochs": 3, **options}
    )


def pair_recipe(**options):
    """A peeky model with dropout and four epochs, whose batches are computed in two shards."""
    small = {"hidden_dim": 4, "embedding_dim": 4, "dropout": 0.3, "cell": "simple_rnn", "batch_size": 40}
    return dataclasses.replace(recipe("pairs_peeky_reverse"), **{**small, "epochs": 4, **options})


def search_recipe(**options):
    """A language model for searches, with three epochs of one batch."""
    return text_recipe(**{"dropout": 0.0, "batch_size": 16, "steps_per_epoch": 1, **options})


def write_data(folder):
    """The files `text.txt` and `pairs.tsv`; returns their names."""
    text, pairs = folder / "text.txt", folder / "pairs.tsv"
    text.write_text(TEXT)
    sources = ("".join(letters) for length in (1, 2, 3) for letters in itertools.product("abcd", repeat=length))
    pairs.write_text("".join(f"{source}\t{source[::-1].upper()}\n" for source in sources))
    return text, pairs


def weights(model):
    """A model's weights as bytes."""
    return [weight.tobytes() for weight in model.get_weights()]


def outcome(folder):
    """What must not depend on how often a training died: its weights and its history."""
    return weights(models.load(folder / "model.keras")), (folder / "history.csv").read_bytes()


def largest_difference(model, other):
    """Between any two weights of two models."""
    return max(
        float(abs(a - b).max()) if a.size else math.nan
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    )


class _Killed(BaseException):
    pass


@contextlib.contextmanager
def killed_at_rename(number, after=True):
    """Ends the block at the `number`-th rename of a file, after it or before it, as a kill would."""
    replace, renames = os.replace, itertools.count(1)

    def killing(source, target):
        at = next(renames)
        if at == number and not after:
            raise _Killed
        replace(source, target)
        if at == number:
            raise _Killed

    with mock.patch("os.replace", killing), contextlib.suppress(_Killed):
        yield
