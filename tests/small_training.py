"""A training that takes a second, for the tests of what happens when it dies."""

import dataclasses
import itertools
import math

from seqzoo.training import recipe

TEXT = "the cat sat on the mat. a dog ran to the cat. " * 20


EAGERLY = {"run_eagerly": True, "jit_compile": False}
"""Compile options that skip graphs and XLA, whose compilation would be most of the time of a few steps."""


def text_recipe(**options):
    """A language model with dropout and three epochs of two batches."""
    small = {
        "hidden_dim": 4,
        "embedding_dim": 4,
        "num_layers": 1,
        "dropout": 0.3,
        "cell": "simple_rnn",
        "batch_size": 4,
    }
    return dataclasses.replace(
        recipe("char_lstm"), **{**small, "window": 4, "steps_per_epoch": 2, "epochs": 3, **options}
    )


def pair_recipe(**options):
    """A peeky model with dropout and four epochs."""
    small = {"hidden_dim": 4, "embedding_dim": 4, "dropout": 0.3, "cell": "simple_rnn", "batch_size": 40}
    return dataclasses.replace(recipe("pairs_peeky_reverse"), **{**small, "epochs": 4, **options})


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


def largest_difference(model, other):
    """Between any two weights of two models."""
    return max(
        float(abs(a - b).max()) if a.size else math.nan
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    )
