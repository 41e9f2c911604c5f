"""Trains small models on one device, two, or as one of several workers: `python distributed_training.py JSON`.

The JSON holds `folder`, `devices`, and `kill`: the worker that kills itself in the middle of its second epoch, or none.
"""

import json
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import small_training as small

from seqzoo.models import Checkpoint, presets
from seqzoo.models.training import train


def main():
    """Trains."""
    options = json.loads(sys.argv[1])
    folder, distributed = pathlib.Path(options["folder"]), "TF_CONFIG" in os.environ
    text, pairs = folder / "text.txt", folder / "pairs.tsv"
    if options.get("kill"):
        Checkpoint.on_train_batch_end = lambda self, batch, logs=None: (
            os.kill(os.getpid(), signal.SIGKILL) if self.epoch.numpy() == 1 else None
        )
    runs = {
        # 84 pairs, of which a tenth is validated on: batches of which the last one is not full, nor even.
        "pairs": (small.pairs_preset(dropout=0.0, batch_size=12), pairs),
        "text": (small.text_preset(dropout=0.0), text),
    }
    for name, (preset, data) in runs.items():
        with_sgd = {"": presets.Adam, "_sgd": lambda *args, **kwargs: keras.optimizers.SGD(0.5)}
        for suffix, optimizer in with_sgd.items() if name == "pairs" else [("", presets.Adam)]:
            presets.Adam = optimizer
            train(
                preset,
                folder / f"{options['name']}_{name}{suffix}",
                data,
                verbose=0,
                resume=bool(options.get("resume")),
                devices=options.get("devices", 1),
                distributed=distributed,
            )


if __name__ == "__main__":
    main()
