"""Which of the data that `fit`, `evaluate` and `predict` take are strings, and which are batches."""

import numpy as np
import tensorflow as tf

_ERRORS = ("raise", "return")


def holds_strings(data):
    """Whether data are strings, or pairs of them, which a preprocessor has to encode; an empty list counts as such."""
    if isinstance(data, str | bytes):
        return True
    if isinstance(data, tf.data.Dataset):
        specs = tf.nest.flatten(data.element_spec)
        return bool(specs) and all(getattr(spec, "dtype", None) == tf.string for spec in specs)
    if isinstance(data, tf.Tensor | tf.Variable):
        return data.dtype == tf.string
    if isinstance(data, np.ndarray):
        return data.dtype.kind in "US" or (data.dtype == object and bool(data.size) and holds_strings(data.flat[0]))
    if isinstance(data, dict):
        return bool(data) and all(map(holds_strings, data.values()))
    return isinstance(data, list | tuple) and (not data or holds_strings(data[0]))


def check_errors_option(errors):
    """Checks an argument `errors`.

    Raises:
        ValueError: for anything but `"raise"` and `"return"`.
    """
    if errors not in _ERRORS:
        raise ValueError(f"errors must be one of {_ERRORS}. Received: errors={errors!r}")


def as_list(strings):
    """Strings as a list: from a sequence, an array, a tensor, or a `tf.data.Dataset` of scalars."""
    if isinstance(strings, tf.data.Dataset):
        return list(strings.as_numpy_iterator())
    return list(strings.numpy() if isinstance(strings, tf.Tensor | tf.Variable) else strings)


def check_is_batch(x, method):
    """Checks that what a method like `train_on_batch` takes are no strings.

    Raises:
        ValueError: for strings.
    """
    if holds_strings(x):
        raise ValueError(
            f"{method} takes a batch of ids, such as next(iter(model.preprocessor.batches(…))). Received: strings; "
            "fit, evaluate and predict take them"
        )
