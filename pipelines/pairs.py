"""(source, target) pairs of strings: any `tf.data` of them, files with a tab between the two, a held-out part."""

import numpy as np
import tensorflow as tf

from seqzoo.io.files import matching_files
from seqzoo.pipelines.input_pipeline import without_autotune
from seqzoo.pipelines.text_files import check_text_file

_BLOCK_ROWS = 8192


def as_pairs(pairs, source="source", target="target"):
    """Any data set of string pairs as a `tf.data.Dataset` of `(source, target)` scalars.

    Args:
        pairs: a `tf.data.Dataset` whose elements are pairs of strings, or dictionaries with the keys `source` and
            `target` (such as TFDS' `Translation` feature yields); or a sequence of `(str, str)`.
        source: key of the source, where elements are dictionaries: a language code, say.
        target: key of the target, likewise.

    Raises:
        ValueError: for elements of any other form.
    """
    if not isinstance(pairs, tf.data.Dataset):
        rows = list(pairs)
        for number, row in enumerate(rows, 1):
            if (
                not isinstance(row, tuple | list | np.ndarray)
                or [isinstance(x, str | bytes) for x in row] != [True] * 2
            ):
                raise ValueError(f"Pair {number} must be a (source, target) tuple of strings. Received: {row!r}")
        columns = [tf.constant([row[side] for row in rows], tf.string) for side in (0, 1)]
        return without_autotune(tf.data.Dataset.from_tensor_slices(tuple(columns)))
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


def decoded(pairs):
    """The pairs of a `tf.data.Dataset`, one after the other as Python strings."""
    row = 0
    for sources, targets in pairs.batch(_BLOCK_ROWS).as_numpy_iterator():
        for source, target in zip(sources, targets, strict=True):
            row += 1
            try:
                yield source.decode(), target.decode()
            except UnicodeDecodeError as error:
                raise ValueError(f"Pair {row} is not valid UTF-8: {error.object!r}") from None


def read_pairs(path, preprocessor=None):
    """The pairs of a UTF-8 text file, `source<TAB>target` a line.

    The file is read through once, to check it, and streamed from then on; it is never held in memory.

    Args:
        path: file name, or a glob of files, which are read in the order of their names.
        preprocessor: `PairPreprocessor`, to check lengths and vocabulary against as well.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars, in the order of the lines.

    Raises:
        ValueError: naming file, line and value, for the first line that is not UTF-8, has not exactly one tab, has an
            empty side, or does not fit `preprocessor`; or for an empty file.
        FileNotFoundError: where there is no such file.
    """
    paths = matching_files(path)
    for name in paths:
        _check_file(name)
    lines = tf.data.TextLineDataset(paths).batch(_BLOCK_ROWS)
    pairs = lines.map(_split_lines, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
    if preprocessor is not None:
        for name in paths:
            _check_fit(name, preprocessor)
    return pairs


def alternatives(pairs, preprocessor=None):
    """The different targets of each source, where a source may have several right answers.

    All pairs are held in memory.

    Args:
        pairs: what `as_pairs` takes.
        preprocessor: `PairPreprocessor`, to count as one source what it reads as the same tokens, and as one target
            likewise. Keys and targets are then written as its vocabularies normalise them, see `Vocabulary`.

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
    for source, target in decoded(as_pairs(pairs)):
        if preprocessor is not None:
            source = preprocessor.source_vocabulary.normalize_string(source)
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
            same = sources if preprocessor is None else preprocessor.source_vocabulary.normalize(sources)
            bucket = tf.strings.to_hash_bucket_strong(same, 100, key=[seed, 0])
            chosen = (bucket < percent) == held_out
            return tf.boolean_mask(sources, chosen), tf.boolean_mask(targets, chosen)

        return blocks.map(select, num_parallel_calls=tf.data.AUTOTUNE).unbatch()

    return part(held_out=False), part(held_out=True)


def _check_file(path):
    number, problem = next(_malformed_lines(path), (None, None))
    check_text_file(path, last_line=number)
    if problem:
        raise ValueError(f"{path}:{number}: the line {problem}")


def _malformed_lines(path):
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            source, _, target = line.partition(b"\t")
            if not source or not target or b"\t" in target:
                problem = "has an empty side" if line.count(b"\t") == 1 else "must be source<TAB>target with one tab"
            elif b"\r" in line:
                problem = "contains a carriage return"
            else:
                continue
            yield number, f"{problem}: {_shown(line)}"


def _check_fit(path, preprocessor):
    number = 0
    for lines in tf.data.TextLineDataset(path).batch(_BLOCK_ROWS):
        sources, targets = _split_lines(lines)
        errors = preprocessor.pair_errors(sources, targets).numpy()
        for error in errors[errors != b""][:1]:
            raise ValueError(f"{path}:{number + 1 + list(errors).index(error)}: {error.decode()}")
        number += len(errors)


def _split_lines(lines):
    parts = tf.strings.split(lines, "\t", maxsplit=1).to_tensor("", shape=[None, 2])
    return parts[:, 0], parts[:, 1]


def _shown(line):
    text = line[:80].decode(errors="backslashreplace")
    return repr(text) + ("…" if len(line) > 80 else "")
