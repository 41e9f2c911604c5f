"""Batches of pairs of similar lengths: which rows each has, and that cutting takes nothing but padding away."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.pipelines import PairPreprocessor, Vocabulary

LENGTHS = np.random.default_rng(0).integers(1, 21, 203)
ROWS = [
    (f"{'ab' * 10}"[:length], f"{row:03}c"[: 2 + length // 10] + "c" * (row % 2)) for row, length in enumerate(LENGTHS)
]
VOCABULARY = Vocabulary("abc0123456789")
PREPROCESSOR = PairPreprocessor(VOCABULARY, 20, 5)
REVERSED = PairPreprocessor(VOCABULARY, 20, 5, reverse=True)


def rows_of(preprocessor, inputs, answer):
    sources = inputs["source"][:, ::-1] if preprocessor.reverse else inputs["source"]
    texts = [[text.decode() for text in VOCABULARY.join(ids).numpy()] for ids in (sources, answer)]
    return list(zip(*texts, strict=True))


def epoch(dataset, preprocessor=PREPROCESSOR):
    return [rows_of(preprocessor, *batch) for batch in dataset]


def shapes(dataset):
    return {(inputs["source"].shape[1], answer.shape[1]) for inputs, answer in dataset}


@pytest.mark.parametrize("preprocessor", [PREPROCESSOR, REVERSED], ids=["in-order", "reverse"])
def test_batches_are_the_plain_ones_of_their_rows_without_padding_that_all_have(preprocessor):
    dataset = preprocessor.batches(ROWS, 16, shuffle_seed=0, buckets=4)
    assert dataset.cardinality() == 13
    for inputs, answer in dataset:
        plain, plain_answer = preprocessor(*zip(*rows_of(preprocessor, inputs, answer), strict=True))
        length, answer_length = inputs["source"].shape[1], answer.shape[1]
        cut = plain["source"][:, -length:] if preprocessor.reverse else plain["source"][:, :length]
        np.testing.assert_array_equal(inputs["source"], cut)
        np.testing.assert_array_equal(inputs["target"], plain["target"][:, :answer_length])
        np.testing.assert_array_equal(answer, plain_answer[:, :answer_length])
        # Where the plain answer ends, so does the cut one.
        np.testing.assert_array_equal(tf.reduce_any(answer == 0, 1), tf.reduce_any(plain_answer == 0, 1))


@pytest.mark.parametrize("seed", [None, 0, 3])
def test_each_epoch_has_each_row_once_in_few_shapes(seed):
    dataset = PREPROCESSOR.batches(ROWS, 16, shuffle_seed=seed, buckets=4)
    epochs = [epoch(dataset) for _ in range(2)]
    for batches in epochs:
        assert sorted(row for batch in batches for row in batch) == sorted(ROWS)
        assert sorted(map(len, batches)) == [11] + [16] * 12
    assert (epochs[0] == epochs[1]) == (seed is None)
    assert 2 <= len(shapes(dataset)) <= 4


def test_there_is_less_padding():
    ids = [
        np.concatenate(
            [inputs["source"].numpy().ravel() for inputs, _ in PREPROCESSOR.batches(ROWS, 16, buckets=buckets)]
        )
        for buckets in (1, 4)
    ]
    assert np.mean(ids[0] == 0) > 0.4
    assert np.mean(ids[1] == 0) < 0.25


def test_epochs_repeat_by_seed_and_by_the_number_of_the_epoch():
    number = tf.Variable(0, dtype=tf.int64)
    resumable = PREPROCESSOR.batches(ROWS, 16, shuffle_seed=3, buckets=4, epoch=number)
    counted = PREPROCESSOR.batches(ROWS, 16, shuffle_seed=3, buckets=4)
    epochs = [epoch(counted) for _ in range(3)]
    number.assign(2)
    assert epoch(resumable) == epochs[2]
    assert epoch(PREPROCESSOR.batches(ROWS, 16, shuffle_seed=4, buckets=4)) != epochs[0]
    # Batches are not made of the same rows in another order alone.
    assert {frozenset(batch) for batch in epochs[0]} != {frozenset(batch) for batch in epochs[1]}


def test_short_and_long_batches_are_mixed():
    lengths = [inputs["source"].shape[1] for inputs, _ in PREPROCESSOR.batches(ROWS, 16, shuffle_seed=0, buckets=4)]
    assert lengths != sorted(lengths)


def test_drop_remainder_drops_rows_of_any_length_and_others_in_each_epoch():
    dataset = PREPROCESSOR.batches(ROWS, 16, shuffle_seed=0, drop_remainder=True, buckets=4)
    assert dataset.cardinality() == 12
    dropped = []
    for _ in range(2):
        batches = epoch(dataset)
        assert list(map(len, batches)) == [16] * 12
        dropped.append(set(ROWS) - {row for batch in batches for row in batch})
        assert len(dropped[-1]) >= 11 - (len(ROWS) - len(set(ROWS)))
        assert len({len(source) for source, _ in dropped[-1]}) > 3
    assert dropped[0] != dropped[1]


def test_rows_of_one_length_are_one_bucket():
    assert shapes(PREPROCESSOR.batches([("ab", "c"), ("ba", "b")] * 9, 4, buckets=4)) == {(2, 2)}


def test_streamed_rows_have_plain_batches():
    plain = PREPROCESSOR.batches(ROWS, 16, shuffle_seed=0, shuffle_buffer=32)
    assert epoch(PREPROCESSOR.batches(ROWS, 16, 0, shuffle_buffer=32, buckets=4)) == epoch(plain)
    assert shapes(plain) == {(20, 5)}


def test_fewer_buckets_than_one_are_refused():
    with pytest.raises(ValueError, match="buckets=0"):
        PREPROCESSOR.batches(ROWS, 16, buckets=0)
