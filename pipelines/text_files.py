"""Checks that files are UTF-8 text, whatever they hold."""

import codecs
import os

BLOCK_BYTES = 2**16
"""Files are read in blocks of this size."""


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
        if first == codecs.BOM_UTF8:
            raise ValueError(f"{path} begins with a byte order mark, which would count as a character; save it without")
        file.seek(0)
        while True:
            block = file.read(BLOCK_BYTES)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                if last_line is not None and lines > last_line:
                    return
                byte = f"\\x{error.object[error.start]:02x}"
                raise ValueError(f"{path}:{lines}: the line is not valid UTF-8 at the byte {byte}") from None
            if not block:
                return
            lines += block.count(b"\n")
