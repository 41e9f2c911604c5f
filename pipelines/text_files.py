r"""Checks that files are UTF-8 text, whatever they hold, and reads their lines, which end with `\n`, `\r\n` or `\r`."""

import codecs
import contextlib
import io
import itertools
import os
import re

BLOCK_BYTES = 2**16
"""Files are read in blocks of this size."""

LINE_ENDS = "\r\n?"
r"""A regular expression of what is read as `\n`: the line ends of Windows and of old Macs."""

_LINE_ENDS = re.compile(LINE_ENDS)
_LINE_ENDS_IN_BYTES = re.compile(LINE_ENDS.encode())
_LONE_CARRIAGE_RETURN = re.compile(rb"\r(?!\n)")


def check_text_file(path, last_line=None):
    """Checks that a file is UTF-8 text, `last_line` (int) and the lines before it, or all of it."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {path}")
    if not os.path.isfile(path):
        raise ValueError(f"{path} is not a file")
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with open(path, "rb") as file:
        first = file.read(3)
        if not first:
            raise ValueError(f"{path} is empty")
        check_byte_order_mark(first, path)
        file.seek(0)
        for block in itertools.chain(read_blocks(file), [None]):
            try:
                decoder.decode(block or b"", final=block is None)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                if last_line is not None and lines > last_line:
                    return
                byte = f"\\x{error.object[error.start]:02x}"
                raise ValueError(f"{path}:{lines}: the line is not valid UTF-8 at the byte {byte}") from None
            lines += (block or b"").count(b"\n")


def check_byte_order_mark(first, name):
    """Raises a `ValueError` where the first bytes of what has this name are a byte order mark."""
    if first.startswith(codecs.BOM_UTF8):
        raise ValueError(f"{name} begins with a byte order mark, which would count as a character; save it without")


def read_blocks(file):
    r"""Yields the content of a binary file in blocks, with every line end as `\n`."""
    for block in _raw_blocks(file):
        yield _LINE_ENDS_IN_BYTES.sub(b"\n", block) if b"\r" in block else block


def read_lines(file):
    """Yields the lines of a binary file, `bytes` without their ends, each as soon as it is there."""
    lines = io.TextIOWrapper(file, encoding="latin-1")  # It has a character for each byte.
    try:
        for line in lines:
            yield line.removesuffix("\n").encode("latin-1")
    finally:
        with contextlib.suppress(ValueError):  # The file is closed.
            lines.detach()


def with_line_feeds(text):
    r"""A `str` with every line end as `\n`."""
    return _LINE_ENDS.sub("\n", text)


def has_lone_carriage_returns(path):
    """Whether any line of a file ends with a carriage return alone, which TensorFlow does not read as a line end."""
    with open(path, "rb") as file:
        return any(b"\r" in block and _LONE_CARRIAGE_RETURN.search(block) for block in _raw_blocks(file))


def _raw_blocks(file):
    """Blocks of a file, none of which ends between a carriage return and a line feed."""
    held = b""
    while block := file.read(BLOCK_BYTES):
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""
        yield block.removesuffix(held)
    if held:
        yield held
