"""Texts: files streamed whole and in order, and what is said about wrong ones."""

import hashlib

import pytest
import tensorflow as tf

from seqzoo import pipelines
from seqzoo.pipelines import as_text, read_text, text_sha256


def joined(text):
    return b"".join(as_text(text).as_numpy_iterator())


@pytest.mark.parametrize(
    "content",
    [
        b"a",
        b"a\n",
        b"\n\n a\nb\n",
        "é한👍\n".encode() * 50_000,
        b"no line break in two million bytes " * 60_000,
        "한글".encode() * 400_000,
    ],
    ids=["one character", "one line", "blank lines", "many lines", "one long line", "no white space"],
)
def test_file_is_read_whole_and_in_order_in_pieces_of_whole_tokens(tmp_path, content):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    pieces = list(read_text(path).as_numpy_iterator())
    assert b"".join(pieces) == content
    assert all(piece.decode() for piece in pieces)
    assert max(map(len, pieces)) < 2**21
    if b" " in content or b"\n" in content:
        assert [word for piece in pieces for word in piece.split()] == content.split()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", " is empty"),
        (b"a\nb\n\xff\n", r":3: the line is not valid UTF-8 at the byte \xff"),
        (b"a\n" * 100_000 + b"\xed\x95", r":100001: the line is not valid UTF-8 at the byte \xed"),
        (b"\xef\xbb\xbfa", " begins with a byte order mark, which would count as a character; save it without"),
    ],
)
def test_wrong_file_is_named_with_its_line(tmp_path, content, problem):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"text\.txt") as error:
        read_text(path)
    assert str(error.value) == f"{path}{problem}"


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_line_ends_of_every_system_are_read_as_line_feeds_wherever_blocks_end(tmp_path, end):
    path = tmp_path / "text.txt"
    for length in range(2**16 - 3, 2**16 + 3):
        content = b"a" * length + b"\n\nb\n"
        path.write_bytes(content.replace(b"\n", end))
        assert b"".join(read_text(path).as_numpy_iterator()) == content
        assert text_sha256(read_text(path)) == hashlib.sha256(content).hexdigest()
    assert joined(f"a{end.decode()}b") == b"a\nb"


@pytest.mark.parametrize("before", [1, 2**16 - 3, 2**16 - 2, 2**16 - 1])
def test_a_wrong_line_is_counted_by_line_ends_of_every_system(tmp_path, before):
    path = tmp_path / "text.txt"
    path.write_bytes(b"a" * before + b"\r\n\rb\n\xff")
    with pytest.raises(ValueError, match=r"text\.txt:4: the line is not valid UTF-8"):
        read_text(path)


def test_missing_file_and_folder_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(ValueError, match=r"is not a file$"):
        read_text(tmp_path)


def test_any_text_becomes_a_dataset_of_pieces():
    assert joined("é b") == "é b".encode()
    assert joined(["a\n", "b"]) == b"a\nb"
    assert joined(tf.data.Dataset.from_tensor_slices({"text": ["a", "b"]})) == b"ab"
    assert joined([]) == b""


@pytest.mark.parametrize("wrong", [[1, 2], [("a", "b")], tf.data.Dataset.range(3)])
def test_what_is_no_text_is_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        as_text(wrong)


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "text.txt").write_text("é\nb", encoding="utf-8")
    assert text_sha256(read_text(tmp_path / "text.txt")) == hashlib.sha256("é\nb".encode()).hexdigest()


def test_names_are_public():
    assert {"TextPreprocessor", "read_text", "as_text", "END_ID"} <= set(pipelines.__all__)
