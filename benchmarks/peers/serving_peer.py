"""A SavedModel on as many threads as there are cores: how TensorFlow Serving runs one unless told otherwise."""

import os

os.environ["TF_NUM_INTRAOP_THREADS"] = "0"  # seqzoo's own process takes one for each operation.

from seqzoo_peer import Exports

__all__ = ["Exports"]
