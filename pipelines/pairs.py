"""(source, target) pairs of strings: any `tf.data` of them, the targets of each source, a held-out part."""

import reprlib

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import check_that_it_ends, without_autotune

_BLOCK_ROWS = 8192


def as_pairs(pairs, source="source", target="target"):
    """Any data set of string pairs as a `tf.data.Dataset` of `(source, target)` scalars.

    Args:
        pairs: a `tf.data.Dataset` whose elements are pairs of strings, or dictionaries with the keys `source` and
            `target` (such as TFDS' `Translation` feature yields); or a sequence of `(str, str)`.
        source: key of the source, where elements are dictionaries: a language code, say.
        target: key of the target, likewise.

    Raises:
        ValueError: for elements of any other form, a data set that is known to be endless, or an iterator that is used
            up.
    """
    if not isinstance(pairs, tf.data.Dataset):
        rows = list(pairs)
        if not rows and iter(pairs) is pairs:
            raise ValueError(
                "The iterator of pairs gave none. It can be read once, and may have been: use a list, list(zip(…))"
            )
        for number, row in enumerate(rows, 1):
            if (
                not isinstance(row, tuple | list | np.ndarray)
                or [isinstance(x, str | bytes) for x in row] != [True] * 2
            ):
                received = reprlib.repr(row)  # Shortened: it may be a picture.
                raise ValueError(f"Pair {number} must be a (source, target) tuple of strings. Received: {received}")
        columns = [tf.constant([row[side] for row in rows], tf.string) for side in (0, 1)]
        return without_autotune(tf.data.Dataset.from_tensor_slices(tuple(columns)))
    check_that_it_ends(pairs)
    spec = pairs.element_spec
    if isinstance(spec, dict) and source in spec and target in spec:
        pairs = pairs.map(lambda row: (row[source], row[target]))
        spec = pairs.element_spec
    if not (
        isinstance(spec, tuple)
        and len(spec) == 2
        and all(isinstance(side, tf.TensorSpec) and side.dtype == tf.string and side.shape == () for side in spec)
    ):
        raise ValueError(
            f"Elements must be (source, target) string scalars, or dictionaries with {source!r} and {target!r}. "
            f"Received: element_spec={spec}"
        )
    return without_autotune(pairs)


def decoded(pairs, text_sources=True):
    """The pairs of a `tf.data.Dataset`, one after the other as Python strings; sources that are no texts as bytes."""
    row = 0
    for sources, targets in pairs.batch(_BLOCK_ROWS).as_numpy_iterator():
        for source, target in zip(sources, targets, strict=True):
            row += 1
            try:
                yield source.decode() if text_sources else source, target.decode()
            except UnicodeDecodeError as error:
                raise ValueError(f"Pair {row} is not valid UTF-8: {error.object!r}") from None


def alternatives(pairs, preprocessor=None):
    """The different targets of each source, where a source may have several right answers.

    All pairs are held in memory.

    Args:
        pairs: what `as_pairs` takes.
        preprocessor: `AnswerPreprocessor`, to count as one source what it reads as the same tokens, and as one target
            likewise. Keys and targets are then written as its vocabularies normalise them, see `Vocabulary`.
            Pictures are `bytes`.

    Returns:
        A dictionary of each source, `str`, to its targets, a list of `str` without duplicates; sources and targets in
        the order in which they first appear.

    Raises:
        ValueError: naming the first pair that is not valid UTF-8.

    Example:
        >>> alternatives([("colour", "color"), ("metre", "meter"), ("colour", "hue"), ("colour", "color")])
        {'colour': ['color', 'hue'], 'metre': ['meter']}
    """
    targets = {}
    for source, target in decoded(as_pairs(pairs), preprocessor is None or preprocessor.reads_text):
        if preprocessor is not None:
            source = preprocessor.normalize_source(source)
            target = preprocessor.target_vocabulary.normalize_string(target)
        targets.setdefault(source, {})[target] = None
    return {source: list(each) for source, each in targets.items()}


def hold_out(pairs, seed=0, percent=10, preprocessor=None):
    """Splits a data set of pairs into one to train on and one to validate on.

    Which part a pair falls into depends on its source and the seed alone, so the same source never stands in both,
    and nothing needs to be held in memory. Sources that a `preprocessor` reads as the same tokens, such as those that
    differ in capitals where it reads lower case, count as the same.

    Args:
        pairs: what `as_pairs` takes.
        seed: int.
        percent: int. About how much of the data to hold out.
        preprocessor: `PairPreprocessor` that will read the pairs, or `None`.

    Returns:
        `(training, validation)`, two `tf.data.Dataset`s.
    """
    blocks = as_pairs(pairs).batch(_BLOCK_ROWS)

    def part(held_out):
        def select(sources, targets):
            same = sources if preprocessor is None else preprocessor.normalize_sources(sources)
            bucket = tf.strings.to_hash_bucket_strong(same, 100, key=[seed, 0])
            chosen = (bucket < percent) == held_out
            return tf.boolean_mask(sources, chosen), tf.boolean_mask(targets, chosen)

        return blocks.map(select, num_parallel_calls=tf.data.AUTOTUNE).unbatch()

    return part(held_out=False), part(held_out=True)
