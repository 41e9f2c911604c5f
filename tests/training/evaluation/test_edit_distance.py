"""The edit distance of batches: that of each row on its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.training.evaluation.edit_distance import edit_distances, edit_steps

WORDS = st.lists(st.text("abc", max_size=6), min_size=1, max_size=8)


def as_ids(words):
    """Words as padded ids, int32 `[rows, length]`."""
    ids = np.zeros((len(words), max(1, *map(len, words))), "int32")
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = [ord(character) for character in word]
    return ids


def recursive_distance(answer, target):
    """The definition."""
    if not answer or not target:
        return len(answer) + len(target)
    replaced = recursive_distance(answer[1:], target[1:]) + (answer[0] != target[0])
    return min(replaced, 1 + recursive_distance(answer[1:], target), 1 + recursive_distance(answer, target[1:]))


@pytest.mark.parametrize(
    ("answer", "target", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("abc", "abc", 0), ("bcd", "abcd", 1)],
)
def test_known_distances(answer, target, distance):
    assert edit_distances(as_ids([answer, ""]), as_ids([target, ""])).tolist() == [distance, 0]


@settings(max_examples=50, deadline=None)
@given(WORDS, st.data())
def test_each_row_has_the_distance_that_the_definition_says(answers, data):
    targets = data.draw(st.lists(st.text("abc", max_size=5), min_size=len(answers), max_size=len(answers)))
    expected = [recursive_distance(*row) for row in zip(answers, targets, strict=True)]
    assert edit_distances(as_ids(answers), as_ids(targets)).tolist() == expected


@pytest.mark.parametrize(
    ("answer", "target", "steps"),
    [
        ("cat", "cat", []),
        ("cat", "cut", [("u", "a")]),
        ("cart", "cat", [("", "r")]),
        ("cat", "cart", [("r", "")]),
        ("", "ab", [("b", ""), ("a", "")]),
        ("ab", "", [("", "b"), ("", "a")]),
        ("kitten", "sitting", [("g", ""), ("i", "e"), ("s", "k")]),
    ],
)
def test_steps_make_the_target_of_the_answer(answer, target, steps):
    assert edit_steps(list(answer), list(target)) == steps


def test_there_are_as_many_steps_as_the_distance_says():
    numbers = np.random.default_rng(0)
    rows = numbers.integers(1, 4, [2, 200, 7]) * (np.arange(7) < numbers.integers(0, 8, [2, 200, 1]))
    tokens = [[[int(token) for token in row if token] for row in side] for side in rows]
    assert [len(edit_steps(*pair)) for pair in zip(*tokens, strict=True)] == edit_distances(*rows).tolist()
