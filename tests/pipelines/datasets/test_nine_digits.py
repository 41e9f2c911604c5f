"""Sums of up to nine digits: all lengths in every split, and sums that each epoch draws anew."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.pipelines import AdditionData, fresh_batches, load_addition
from seqzoo.pipelines.datasets.addition.sums import SPLIT_SIZES, keys_of, operands_of

BATCH = 5_000


@pytest.fixture(scope="module")
def splits():
    return {split: operands_of(9, split) for split in SPLIT_SIZES[9]}


@pytest.fixture(scope="module")
def preprocessor():
    return AdditionData(9).preprocessor(reverse_target=True)


def lengths_of(operands):
    return np.char.str_len(operands.astype(str))


def sums_of(batch, preprocessor):
    sources = preprocessor.source_vocabulary.join(batch[0]["source"]).numpy()
    answers = preprocessor.decode(batch[1]).numpy()
    return np.array([source.split(b"+") for source in sources], "int64"), answers.astype("int64")


def test_splits_have_their_sizes_and_share_no_pair(splits):
    assert {name: len(rows) for name, rows in splits.items()} == SPLIT_SIZES[9]
    keys = np.concatenate([keys_of(rows, 9) for rows in splits.values()])
    assert len(np.unique(keys)) == len(keys)


def test_lengths_are_even_in_all_splits_as_far_as_there_are_pairs(splits):
    for rows in splits.values():
        counts = collections.Counter(map(tuple, lengths_of(rows)))
        even = len(rows) / 81
        for lengths, count in counts.items():
            if sum(lengths) > 4:
                assert 0.5 * even < count < 1.5 * even, lengths
        # All 55 pairs of single digits, of which a split has its share.
        assert 0 < counts[1, 1] <= 55


def test_rows_are_right():
    training, validation = AdditionData(9).load()
    assert training.cardinality() == 500_000
    for source, target in validation.take(200).as_numpy_iterator():
        a, b = source.split(b"+")
        assert int(target) == int(a) + int(b)
    assert next(iter(load_addition(9, "validation"))) == next(iter(validation))


def test_fresh_sums_are_right_and_none_is_held_out(splits, preprocessor):
    batches = fresh_batches(preprocessor, 9, BATCH, seed=0)
    assert batches.cardinality() == SPLIT_SIZES[9]["train"] // BATCH
    held_out = np.concatenate([keys_of(splits[name], 9) for name in ("validation", "test")])
    counts = collections.Counter()
    for batch in batches.take(10):
        operands, answers = sums_of(batch, preprocessor)
        np.testing.assert_array_equal(operands.sum(axis=1), answers)
        assert not np.isin(keys_of(operands, 9), held_out).any()
        counts.update(map(tuple, lengths_of(operands)))
    assert len(counts) == 81
    assert min(counts.values()) > 0.6 * 10 * BATCH / 81


def test_fresh_sums_follow_from_seed_and_epoch(preprocessor):
    def first(batches):
        return next(iter(batches))[0]["source"].numpy()

    epoch = tf.Variable(0, dtype=tf.int64)
    batches = fresh_batches(preprocessor, 9, 100, seed=0, epoch=epoch)
    of_epoch_0 = first(batches)
    epoch.assign(1)
    of_epoch_1 = first(batches)
    counted = fresh_batches(preprocessor, 9, 100, seed=0)
    np.testing.assert_array_equal(first(counted), of_epoch_0)
    np.testing.assert_array_equal(first(counted), of_epoch_1)
    assert (of_epoch_0 != of_epoch_1).any()
    assert (first(fresh_batches(preprocessor, 9, 100, seed=1)) != of_epoch_0).any()
