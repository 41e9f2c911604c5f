"""Files of pairs, a line each: how they are read, and what is said about lines that are no pair."""

import itertools
import re
import warnings

import tensorflow as tf

from seqzoo.io.files import matching_files
from seqzoo.pipelines.row_errors import DataWarning
from seqzoo.pipelines.text_files import check_text_file, has_lone_carriage_returns, read_lines

TAB = "\t"

_BLOCK_ROWS = 8192
_OTHER_FORMATS = 'see "Other formats" in docs/your_own_task.md'
_GUESSED_FROM_LINES = 5
# What first lines that name the columns have on either side.
_HEADER = re.compile(rb"(source|src|input|question|text|word)s?", re.IGNORECASE)
_HEADER_OF_TARGETS = re.compile(rb"(target|tgt|output|answer|label|pronunciation)s?", re.IGNORECASE)


def read_pairs(path, preprocessor=None, separator=TAB):
    r"""The pairs of a UTF-8 text file, `source<TAB>target` a line.

    The file is read through once, to check it, and streamed from then on; it is never held in memory. Lines end with
    `\n`, `\r\n` or `\r`.

    Args:
        path: file name, or a glob of files, which are read in the order of their names.
        preprocessor: `PairPreprocessor`, to check lengths and vocabulary against as well.
        separator: str, what stands between source and target, of one or more characters. A line has exactly one tab.
            With any other separator it is split where that first stands, and white space around either side is left
            out, so that `16+75  _91  ` is a pair with the separator `"_"`. Quotes are not parsed.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars, in the order of the lines.

    Raises:
        ValueError: naming file, line and value, for the first line that is not UTF-8, has not exactly one tab or lacks
            the separator, has an empty side, begins with a quote where the separator is a comma or a semicolon, or does
            not fit `preprocessor`; for an empty file; for a separator that is empty or has a line break.
        FileNotFoundError: where there is no such file.

    Warns:
        DataWarning: for a first line that looks like a header or a comment.
    """
    if not isinstance(separator, str) or not separator or "\n" in separator or "\r" in separator:
        raise ValueError(f"separator must be a string of one or more characters of a line. Received: {separator!r}")
    paths = matching_files(path)
    for name in paths:
        _check_file(name, separator.encode())
    pairs = _lines(paths).map(lambda lines: _split_lines(lines, separator), num_parallel_calls=tf.data.AUTOTUNE)
    if preprocessor is not None:
        for name in paths:
            _check_fit(name, preprocessor, separator)
    return pairs.unbatch()


def places_of_pairs(path, numbers):
    """The places, as `file:line`, of pairs of a file or glob by their numbers, counted from 1: a dictionary."""
    places, before = {}, 0
    for name in matching_files(path):
        with open(name, "rb") as file:
            lines = sum(1 for _ in read_lines(file))
        places |= {number: f"{name}:{number - before}" for number in numbers if before < number <= before + lines}
        before += lines
    return places


def _check_file(path, separator):
    number, problem = next(_malformed_lines(path, separator), (None, None))
    check_text_file(path, last_line=number)
    if problem:
        guess = _guess(path) if number == 1 and separator == TAB.encode() else ""
        raise ValueError(f"{path}:{number}: the line {problem}{guess}")
    (first,) = _first_lines(path, 1)
    source, _, target = (part.strip() for part in first.partition(separator))
    if source.startswith((b"#", b";;;")) or (_HEADER.fullmatch(source) and _HEADER_OF_TARGETS.fullmatch(target)):
        kind = "comment" if source.startswith((b"#", b";")) else "header"
        message = (
            f"{path}:1: the line looks like a {kind}, and is read as a pair: {_shown(first)}; remove it if it is none"
        )
        warnings.warn(message, DataWarning, stacklevel=3)


def _malformed_lines(path, separator):
    is_tab = separator == TAB.encode()
    form = "must be source<TAB>target with one tab" if is_tab else f"must be source, {separator.decode()!r}, target"
    with open(path, "rb") as file:
        for number, line in enumerate(read_lines(file), 1):
            source, found, target = (line if is_tab else line.strip()).partition(separator)
            if not is_tab:
                source, target = source.strip(), target.strip()
            if not found or (is_tab and separator in target):
                problem = form
            elif not source or not target:
                problem = "has an empty side"
            elif separator in (b",", b";") and source.startswith(b'"'):
                problem = f"has quotes, which are not parsed ({_OTHER_FORMATS})"
            else:
                continue
            yield number, f"{problem}: {_shown(line)}"


def _guess(path):
    """What a file may be whose first line is no pair with a tab: an end for the error, or `""`."""
    lines = _first_lines(path, _GUESSED_FROM_LINES)
    first, *others = lines
    if first.count(b"\t") > 1:
        columns = first.count(b"\t") + 1
        return f". It has {columns} columns: keep the two that are source and target, for example by cut -f 1,2"
    if others and all(line.count(b"\t") == 1 for line in others):
        return ". The lines after it have a tab: remove this one if it is a header or a comment"
    if all(line.lstrip().startswith((b"{", b"[")) for line in lines):
        return f". The file looks like JSON lines: write its pairs with tabs by Python's json module; {_OTHER_FORMATS}"
    if all(line.count(b"_") == 1 for line in lines):
        return f". The file seems to have _ between its columns: give --separator _ (separator='_'); {_OTHER_FORMATS}"
    for separator, name in ((b",", "commas"), (b";", "semicolons"), (b"|", "bars")):
        if all(separator in line for line in lines):
            option = f"--separator '{separator.decode()}' (separator={separator.decode()!r})"
            return (
                f". The file seems to have {name} between its columns: write its pairs with tabs by Python's csv "
                f"module, or, if it has two columns, no quotes and no header, give {option}; {_OTHER_FORMATS}"
            )
    if all(b" " in line.strip() for line in lines):
        return (
            ". The file has spaces and no tab: where the first space of a line ends its source, "
            f"give --separator ' ' (separator=' '); {_OTHER_FORMATS}"
        )
    return ""


def _first_lines(path, count):
    with open(path, "rb") as file:
        return list(itertools.islice(read_lines(file), count))


def _check_fit(path, preprocessor, separator):
    number = 0
    for lines in _lines([path]):
        sources, targets = _split_lines(lines, separator)
        errors = preprocessor.pair_errors(sources, targets).numpy()
        for error in errors[errors != b""][:1]:
            raise ValueError(f"{path}:{number + 1 + list(errors).index(error)}: {error.decode()}")
        number += len(errors)


def _lines(paths):
    """Blocks of the lines of several files, string `[up to 8192]`."""
    if not any(map(has_lone_carriage_returns, paths)):
        return tf.data.TextLineDataset(paths).batch(_BLOCK_ROWS)

    def blocks():
        for path in paths:
            with open(path, "rb") as file:
                lines = read_lines(file)
                while block := list(itertools.islice(lines, _BLOCK_ROWS)):
                    yield block

    return tf.data.Dataset.from_generator(blocks, output_signature=tf.TensorSpec([None], tf.string))


def _split_lines(lines, separator):
    if separator != TAB:
        lines = tf.strings.strip(lines)
    parts = tf.strings.split(lines, separator, maxsplit=1).to_tensor("", shape=[None, 2])
    if separator != TAB:
        parts = tf.strings.strip(parts)
    return parts[:, 0], parts[:, 1]


def _shown(line):
    text = line[:80].decode(errors="backslashreplace")
    return repr(text) + ("…" if len(line) > 80 else "")
