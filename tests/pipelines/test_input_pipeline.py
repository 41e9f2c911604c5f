"""What the input pipelines have in common: the number of the epoch, and an end without a wait."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, as_pairs, hold_out
from seqzoo.pipelines.input_pipeline import EpochNumber, epoch_numbers, without_autotune

PAIRS = [("ab", "BA"), ("c", "C")] * 20
PAIR_PREPROCESSOR = PairPreprocessor.from_pairs(PAIRS)
TEXT = "ab cab\n" * 50
TEXT_PREPROCESSOR = TextPreprocessor.from_text(TEXT)


def numbers(dataset):
    return [int(number) for number in dataset]


def test_epochs_are_counted_from_zero():
    dataset = epoch_numbers()
    assert [numbers(dataset) for _ in range(3)] == [[0], [1], [2]]
    assert numbers(epoch_numbers()) == [0]
    assert numbers(epoch_numbers().repeat(3)) == [0, 1, 2]


@pytest.mark.parametrize("dtype", [tf.int64, tf.int32])
def test_epochs_are_what_a_variable_says(dtype):
    epoch = tf.Variable(5, dtype=dtype)
    dataset = epoch_numbers(epoch)
    assert numbers(dataset) == numbers(dataset) == [5]
    assert dataset.element_spec.dtype == tf.int64
    epoch.assign(2)
    assert numbers(dataset) == [2]


def test_a_training_writes_the_number_of_its_epoch():
    epoch, seen = tf.Variable(0, dtype=tf.int64), []
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    see = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(int(epoch)))
    model.fit(np.ones([2, 1]), np.ones([2, 1]), 1, 5, initial_epoch=3, verbose=0, callbacks=[EpochNumber(epoch), see])
    assert seen == [3, 3, 4, 4]


DATASETS = {
    "any": lambda: without_autotune(tf.data.Dataset.range(3)),
    "pairs": lambda: as_pairs(PAIRS),
    "pairs of a dataset": lambda: as_pairs(tf.data.Dataset.from_tensor_slices((["a"], ["b"]))),
    "batches in memory": lambda: PAIR_PREPROCESSOR.batches(PAIRS, 8, shuffle_seed=0),
    "batches of a stream": lambda: PAIR_PREPROCESSOR.batches(PAIRS, 8, shuffle_seed=0, shuffle_buffer=16),
    "batches of a part": lambda: PAIR_PREPROCESSOR.batches(hold_out(PAIRS, percent=50)[0], 8),
    "windows": lambda: TEXT_PREPROCESSOR.windows(TEXT, 4, 8),
    "consecutive windows": lambda: TEXT_PREPROCESSOR.consecutive(TEXT, 4, 8),
}


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_no_epoch_ends_with_a_wait_for_the_thread_that_tunes(dataset):
    """It sleeps for as long again as it has run; a data set that is not tuned has none."""
    dataset = dataset()
    assert dataset.options().autotune.enabled is False
    assert len(list(dataset)) > 0
