"""A TensorFlow/Keras 3 model zoo for small string-to-string and text models.

Subpackages load on first use, so that importing `seqzoo` costs nothing.
"""

import importlib
import os

from seqzoo import startup

# A training step on a CPU frees and takes again tens of megabytes, which as pages that the kernel has to clear took a
# third of a language model's training time (150 ms a step to 95). TensorFlow's own allocator keeps them.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

# Warnings and errors; the command line shows errors only.
startup.set_log_level("1")
startup.filter_tensorflow()

__all__ = ["export", "models", "pipelines", "training", "tuning"]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"seqzoo.{name}")
    raise AttributeError(f"module 'seqzoo' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
