"""Texts: any `tf.data` of them, or a UTF-8 file, streamed in pieces of whole lines."""

import codecs
import hashlib
import os

import tensorflow as tf

from seqzoo.pipelines.input_pipeline import check_that_it_ends
from seqzoo.pipelines.text_files import LINE_ENDS, check_text_file, read_blocks

_LONGEST_LINE = 2**20


def as_text(text):
    r"""Any text as a `tf.data.Dataset` of string scalars: its pieces, in order, each of whole lines.

    The line ends of Windows and of old Macs, `\r\n` and `\r`, are read as `\n`.

    Args:
        text: `str`; a sequence of `str`; a `tf.data.Dataset` of string scalars, or of dictionaries with the key
            `text`, as TFDS' text data sets have it.

    Raises:
        ValueError: for anything else, or a data set that is known to be endless.
    """
    if isinstance(text, str | bytes):
        text = [text]
    if not isinstance(text, tf.data.Dataset):
        pieces = [text] if isinstance(text, dict) else list(text)
        for piece in pieces:
            if not isinstance(piece, str | bytes):
                raise ValueError(f"A text must be a string or a sequence of strings. Received: {piece!r}")
        return _with_line_feeds(tf.data.Dataset.from_tensor_slices(tf.constant(pieces, tf.string)))
    check_that_it_ends(text)
    if isinstance(text.element_spec, dict) and "text" in text.element_spec:
        text = text.map(lambda row: row["text"])
    spec = text.element_spec
    if not (isinstance(spec, tf.TensorSpec) and spec.dtype == tf.string and spec.shape == ()):
        raise ValueError(f"Elements must be string scalars, or dictionaries with 'text'. Received: element_spec={spec}")
    return _with_line_feeds(text)


def read_text(path):
    r"""The text of a UTF-8 file, with the line ends `\r\n` and `\r` read as `\n`.

    The file is read through once, to check it, and streamed from then on; it is never held in memory. A line longer
    than a million bytes is cut into several pieces.

    Args:
        path: file name.

    Returns:
        `tf.data.Dataset` of string scalars, pieces of whole lines.

    Raises:
        ValueError: for a file that is empty, or not UTF-8 (naming the line), or begins with a byte order mark.
        FileNotFoundError: where there is no such file.
    """
    path = os.fspath(path)
    check_text_file(path)
    return tf.data.Dataset.from_generator(lambda: _pieces(path), output_signature=tf.TensorSpec([], tf.string))


def text_sha256(text):
    r"""The SHA-256 of a text's UTF-8 bytes, its line ends as `\n`, in hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in as_text(text).as_numpy_iterator():
        digest.update(piece)
    return digest.hexdigest()


def _with_line_feeds(text):
    return text.map(lambda piece: tf.strings.regex_replace(piece, LINE_ENDS, "\n"))


def _pieces(path):
    """The file's bytes in blocks that end at a line's end, or, in lines of more than a million bytes, anywhere."""
    rest = b""
    with open(path, "rb") as file:
        for block in read_blocks(file):
            rest += block
            end = rest.rfind(b"\n") + 1
            if not end and len(rest) > _LONGEST_LINE:
                # At white space if there is any; never inside a character.
                end = rest.rfind(b" ") + 1 or len(rest) - _length_of_part(rest)
            if end:
                yield rest[:end]
                rest = rest[end:]
    if rest:
        yield rest


def _length_of_part(block):
    """How many bytes of a character that is not whole stand at the end of a block."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    decoder.decode(block)
    return len(decoder.getstate()[0])
