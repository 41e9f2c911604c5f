"""Trains small models on several devices, or as one of several workers: `python distributed_training.py FOLDER NAME`.

Writes each model's weights and history into `FOLDER/NAME-model.npz`, on the chief.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import small_training as small

from seqzoo.models import optimizers, presets
from seqzoo.training.distribution import Workers, mirrored
from seqzoo.training.run import fit


def trainings(folder, strategy=None, workers=None):
    """Trains each model; gives its name, its weights and its history.

    Of the 84 pairs about a tenth is validated on: an odd number, less than a batch.
    """
    adam = presets.Adam
    for name, preset, file, optimizer in (
        ("pairs", small.pairs_preset(dropout=0.0, batch_size=12, epochs=3), "pairs.tsv", SGD),
        ("text", small.text_preset(dropout=0.0), "text.txt", adam),
    ):
        presets.Adam = optimizer
        data = preset.training_data(str(folder / file))
        model, history = fit(preset, *data, verbose=0, strategy=strategy, workers=workers)
        presets.Adam = adam
        yield name, model.get_weights(), history.history


class SGD(optimizers._ClippedAsAWhole, keras.optimizers.SGD):
    """Whose steps, unlike Adam's, are as long as the gradients that are left after clipping."""

    def __init__(self, learning_rate, global_clipnorm):
        super().__init__(0.5, global_clipnorm=0.2)


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
