"""Which of the data that `fit`, `evaluate` and `predict` take are strings, and which are batches."""

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import check_that_it_ends
from seqzoo.pipelines.pairs import as_pairs
from seqzoo.runtime import check_threads_survive


def holds_strings(data):
    """Whether data are strings, or pairs of them, which a preprocessor has to encode; an empty list counts as such."""
    if isinstance(data, str | bytes):
        return True
    if isinstance(data, tf.data.Dataset):
        return any(getattr(spec, "dtype", None) == tf.string for spec in tf.nest.flatten(data.element_spec))
    if isinstance(data, tf.Tensor | tf.Variable):
        return data.dtype == tf.string
    if isinstance(data, np.ndarray):
        return data.dtype.kind in "US" or (data.dtype == object and bool(data.size) and holds_strings(data.flat[0]))
    if isinstance(data, dict):
        return any(map(holds_strings, data.values()))
    if not isinstance(data, list | tuple):
        return False
    return not data or any(map(holds_strings, data[0] if isinstance(data[0], tuple) and data[0] else data[:1]))


def string_pairs(x, y=None):
    """Pairs in any of the forms that `fit` takes, as a `tf.data.Dataset` of `(source, target)` scalars.

    `x` are what `as_pairs` takes, an array or a tensor of pairs, sources, or a dictionary of `source` and `target`; `y`
    are the targets where `x` are sources. Any other form is a `ValueError`.
    """
    if isinstance(x, dict) and y is None:
        if not {"source", "target"} <= set(x):
            raise ValueError(f"A dictionary of strings must have the keys source and target. Received: {sorted(x)}")
        x, y = x["source"], x["target"]
    if y is None:
        if isinstance(x, tf.data.Dataset):
            return as_pairs(x)
        rows = [x] if isinstance(x, str | bytes) else as_list(x)
        if rows and isinstance(rows[0], str | bytes):
            raise ValueError(
                "Targets are missing: use (source, target) pairs, or sources and targets as two lists. "
                f"Received: {rows[0]!r}"
            )
        return as_pairs(rows)
    for name, side in (("sources", x), ("targets", y)):
        if not holds_strings(side) or isinstance(side, str | bytes | dict | tf.data.Dataset):
            raise ValueError(f"Sources and targets must be two lists of strings. Received: {name}={side!r:.60}")
    sources, targets = as_list(x), as_list(y)
    if len(sources) != len(targets):
        raise ValueError(f"There must be a target for each source. Received: {len(sources)} and {len(targets)}")
    return as_pairs(list(zip(sources, targets, strict=True)))


def columns(validation_data):
    """`(x, y, weights)` of validation strings: a tuple may hold the sources, the targets, and weights of the rows."""
    is_columns = (
        isinstance(validation_data, tuple)
        and len(validation_data) in (2, 3)
        and isinstance(validation_data[0], list | np.ndarray | tf.Tensor)
        and not (len(validation_data) == 3 and holds_strings(validation_data[2]))
    )
    return (*validation_data, None)[:3] if is_columns else (validation_data, None, None)


def as_data(*data):
    """Data as `fit` reads them: iterators such as `zip`, which can be read once, as lists."""
    return tuple(list(each) if isinstance(each, zip | map | filter) else each for each in data)


def with_weights(x, y, weights):
    """`(x, y, weights)` of strings, weights as a float32 array `[rows]` or `[rows, length]`, or `None`.

    `x` may be a `tf.data.Dataset` of `(source, target, weight)`.
    """
    if isinstance(x, tf.data.Dataset) and isinstance(x.element_spec, tuple) and len(x.element_spec) == 3:
        *_, last = x.element_spec
        if isinstance(last, tf.TensorSpec) and (last.dtype.is_floating or last.dtype.is_integer):
            check_that_it_ends(x)
            weights = list(x.map(lambda *row: row[2]).as_numpy_iterator())
            x = x.map(lambda *row: row[:2])
    if weights is None:
        return x, y, None
    weights = np.asarray(weights)
    if weights.dtype.kind not in "fiub" or not np.isfinite(weights).all():
        raise ValueError("sample_weight must be finite numbers. Received: others")
    weights = weights.astype("float32")
    if weights.ndim not in (1, 2):
        raise ValueError(f"sample_weight must be [rows] or [rows, length]. Received: shape {list(weights.shape)}")
    return x, y, weights


def hold_out_share(preprocessor, data, seed, share):
    """`(training, validation)`: data split by a preprocessor, about a share of them to validate on, to a percent."""
    if not 0 < share < 1:
        raise ValueError(f"validation_split must be between 0 and 1. Received: validation_split={share}")
    parts = preprocessor.hold_out(data, seed, min(99, max(1, round(100 * share))))
    for part, purpose in zip(parts, ("train", "validate"), strict=True):
        if next(iter(part), None) is None:
            raise ValueError(
                f"validation_split={share} leaves no data to {purpose} on: use more data, or validation_data="
            )
    return parts


def check_errors_option(errors):
    """Raises a `ValueError` for an argument `errors` other than `"raise"` and `"return"`."""
    if errors not in ("raise", "return"):
        raise ValueError(f"errors must be 'raise' or 'return'. Received: errors={errors!r}")


def check_that_it_has_values(strings, instead):
    """Raises a `ValueError` for a tensor of a graph, which has no values before the graph runs."""
    if tf.is_symbolic_tensor(strings):
        raise ValueError(
            f"In a graph, such as the function of Dataset.map, use {instead}: generate needs strings that are known. "
            f"Received: {strings}"
        )


def as_list(strings):
    """Strings as a list: from a sequence, an array, a tensor, or a `tf.data.Dataset` of scalars."""
    if isinstance(strings, dict):
        raise ValueError(f"Strings must be a list, not a dictionary. Received the keys {sorted(strings)}")
    if isinstance(strings, tf.data.Dataset):
        check_that_it_ends(strings)
        return list(strings.as_numpy_iterator())
    return list(strings.numpy() if isinstance(strings, tf.Tensor | tf.Variable) else strings)


def as_tensor(strings, what):
    """A list of strings as a string tensor, `[batch]`; a surrogate is no UTF-8 then, which is an error of its row."""
    check_threads_survive()
    for string in strings:
        if not isinstance(string, str | bytes):
            raise ValueError(f"{what} must be strings. Received: {string!r}")
    try:
        return tf.constant(strings, tf.string)
    except ValueError:
        return tf.constant(
            [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in strings]
        )


def checked_batch(x):
    """The batch `x`; a `ValueError` where it consists of strings."""
    check_threads_survive()
    if holds_strings(x):
        raise ValueError(
            "train_on_batch, test_on_batch and predict_on_batch take a batch of ids, such as "
            "next(iter(model.preprocessor.batches(…))). Received: strings; fit, evaluate and predict take them"
        )
    return x
