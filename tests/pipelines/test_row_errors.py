"""Errors of rows: the first is raised, with its number, in eager code and in graphs; bytes are shown readably."""

import pytest
import tensorflow as tf

from seqzoo.pipelines.row_errors import MAX_SHOWN_CHARACTERS, checked_ids, escaped, raise_first_error

IDS = tf.constant([[1], [2], [3]]), tf.constant([[4], [5], [6]])


def test_the_first_error_is_raised_with_the_number_of_its_row():
    errors = tf.constant(["", "source is empty", "target is empty"])
    for first, message in ((1, "row 2: source is empty"), (99, "row 100: source is empty"), (None, "source is empty")):
        with pytest.raises(ValueError, match=f"^{message}$"):
            raise_first_error(errors, first)
    raise_first_error(tf.constant(["", ""]))
    raise_first_error(tf.constant([], tf.string))


def test_ids_pass_where_no_row_is_wrong_and_else_raise_eagerly_and_in_a_graph():
    in_graph = tf.function(checked_ids)
    for check in (checked_ids, in_graph):
        source, answer = check(*IDS, tf.constant(["", "", ""]))
        assert (source.numpy().tolist(), answer.numpy().tolist()) == ([[1], [2], [3]], [[4], [5], [6]])
    errors = tf.constant(["", "source is empty", "x"])
    with pytest.raises(ValueError, match=r"^row 12: source is empty$"):
        checked_ids(*IDS, errors, first_row=11)
    with pytest.raises(tf.errors.InvalidArgumentError, match="source is empty"):
        in_graph(*IDS, errors)


def test_bytes_that_are_no_printable_ascii_are_escaped_and_long_strings_are_cut():
    shown = escaped(tf.constant([b"a\xff~ \x00\n", b"", b"\xed\x95", b"x" * 1000])).numpy().tolist()
    assert shown == [rb"a\xff~ \x00\x0a", b"", rb"\xed\x95", b"x" * MAX_SHOWN_CHARACTERS]
