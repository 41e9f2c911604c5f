"""A Keras 3 model zoo for small character-level sequence models: strings in, strings out.

Subpackages load on first use, so that importing `seqzoo` costs nothing.
"""

import importlib

__all__ = ["models", "pipelines"]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"seqzoo.{name}")
    raise AttributeError(f"module 'seqzoo' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
