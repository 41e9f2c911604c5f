"""What counts as strings among data, and pairs of them in any form."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models.strings import as_list, checked_batch, columns, hold_out_share, holds_strings, string_pairs
from seqzoo.pipelines import PairPreprocessor

PAIRS = [("a", "A"), ("bc", "CB")]
IDS = np.zeros([2, 3], "int32")


@pytest.mark.parametrize(
    "data",
    [
        "a",
        b"a",
        [],
        (),
        ["a"],
        PAIRS,
        (["a"], ["A"]),
        [(1, "a")],
        np.array(["a"]),
        np.array([b"a"]),
        np.array(["a"], object),
        tf.constant(["a"]),
        tf.constant(PAIRS),
        tf.Variable(["a"]),
        {"source": ["a"], "target": ["A"]},
        {"source": ["a"], "id": [1]},
        tf.data.Dataset.from_tensor_slices(["a"]),
        tf.data.Dataset.from_tensor_slices((["a"], [1])),
        tf.data.Dataset.from_tensor_slices({"text": ["a"], "id": [1]}),
    ],
    ids=repr,
)
def test_strings_are_recognised_and_are_no_batch(data):
    assert holds_strings(data)
    with pytest.raises(ValueError, match=r"take a batch of ids, .*Received: strings"):
        checked_batch(data)


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        IDS,
        [IDS],
        (IDS, IDS),
        [[1, 2]],
        [(1, 2)],
        {"source": IDS, "target": IDS},
        ({"source": IDS, "target": IDS}, IDS),
        {},
        tf.constant(IDS),
        tf.data.Dataset.from_tensor_slices((IDS, IDS)),
        iter(["a"]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_batches_are_not_taken_for_strings(data):
    assert not holds_strings(data)
    assert checked_batch(data) is data


def test_a_tuple_of_two_columns_is_not_taken_for_a_tuple_of_pairs():
    for each in (list, np.array, tf.constant):
        x, y = each(["a", "b"]), each(["A", "B"])
        assert columns((x, y))[0] is x
        assert columns((x, y))[1] is y
    for data in (tuple(PAIRS), PAIRS, [["a"], ["A"]], ("a", "b"), (["a"], ["A"], ["x"]), (), "a", {"source": ["a"]}):
        assert columns(data) == (data, None, None)


def test_pairs_are_a_dataset_in_their_order():
    for data in (
        (PAIRS,),
        (["a", "bc"], ("A", b"CB")),
        ({"source": ["a", "bc"], "target": ["A", "CB"], "id": [1, 2]},),
    ):
        assert list(string_pairs(*data).as_numpy_iterator()) == [(b"a", b"A"), (b"bc", b"CB")]


def test_lists_are_made_of_anything_but_dictionaries():
    for strings in (["a"], ("a",), np.array(["a"]), tf.constant(["a"]), tf.data.Dataset.from_tensor_slices(["a"])):
        assert [each if isinstance(each, str) else each.decode() for each in as_list(strings)] == ["a"]
    with pytest.raises(ValueError, match="must be a list, not a dictionary"):
        as_list({"a": 1})


@pytest.mark.parametrize(("share", "percent"), [(0.1, 10), (0.002, 1), (0.98, 98), (0.255, 26)])
def test_a_share_is_held_out_to_a_percent(share, percent):
    pairs = [(f"{number:03d}", "1") for number in range(300)]
    preprocessor = PairPreprocessor.from_pairs(pairs)
    parts = [list(part.as_numpy_iterator()) for part in hold_out_share(preprocessor, pairs, 3, share)]
    assert parts == [list(part.as_numpy_iterator()) for part in preprocessor.hold_out(pairs, 3, percent)]
    assert all(parts)
