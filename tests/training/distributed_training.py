"""Trains small models on several devices, or as one of several workers: `python distributed_training.py FOLDER NAME`.

Writes each model's weights and history into `FOLDER/NAME-model.npz`, on the chief. `small_training` must be in Python's
path.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import small_training as small

from seqzoo.models import optimizers
from seqzoo.training import PairRecipe, fit
from seqzoo.training.distribution import Workers, mirrored


class SGD(optimizers._ClippedAsAWhole, keras.optimizers.SGD):
    """Whose steps, unlike Adam's, are as long as the gradients that are left after clipping."""


class SGDRecipe(PairRecipe):
    """A recipe whose gradients are nearly all clipped: in one shard, since several have another norm."""

    def compile(self, model, steps_per_epoch, **overrides):
        """See `Recipe.compile`."""
        super().compile(model, steps_per_epoch, optimizer=SGD(0.5, global_clipnorm=0.2), **overrides)


def trainings(folder, strategy=None, workers=None):
    """Trains each model; yields its name, its weights and its history.

    Of the 84 pairs about a tenth is validated on: an odd number, less than a batch.
    """
    pairs = SGDRecipe(**vars(small.pair_recipe(dropout=0.0, batch_size=12, epochs=3, shards=1)))
    for name, recipe, file in (
        ("pairs", pairs, "pairs.tsv"),
        ("text", small.text_recipe(dropout=0.0, shards=1), "text.txt"),
    ):
        data = recipe.training_data(str(folder / file))
        options = {"strategy": strategy, "workers": workers, "compile_options": {"jit_compile": False}}
        model, history = fit(recipe, *data, verbose=0, **options)
        yield name, model.get_weights(), history.history


def main():
    """Trains, and writes."""
    folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    workers = Workers() if "TF_CONFIG" in os.environ else None
    strategy = None if workers else mirrored(2)
    for model, weights, history in trainings(folder, strategy, workers):
        if workers is None or workers.is_chief:
            np.savez(folder / f"{name}-{model}.npz", *weights, history=np.array(json.dumps(history)))


if __name__ == "__main__":
    main()
