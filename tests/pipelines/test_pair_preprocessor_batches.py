"""PairPreprocessor's batches for training: in memory or streamed, shuffled or in order; and what it holds out."""

import functools

import pytest
import tensorflow as tf

from seqzoo.pipelines import PairPreprocessor, Vocabulary

SUMS = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4)
REVERSED_SUMS = PairPreprocessor(SUMS.vocabulary, source_length=7, target_length=4, reverse=True)
ROWS = [(f"{row}+{row}", str(2 * row)) for row in range(103)]


def texts(strings):
    return [string.decode() for string in strings.numpy()]


def sources_of(preprocessor, ids):
    return texts(preprocessor.decode(ids[:, ::-1] if preprocessor.reverse else ids))


def epoch(preprocessor, dataset):
    """The batches of one epoch, each as its rows of (source, target)."""
    batches = []
    for inputs, answer in dataset:
        decoded = sources_of(preprocessor, inputs["source"]), texts(preprocessor.decode(answer))
        batches.append(list(zip(*decoded, strict=True)))
    return batches


def flat(batches):
    return [row for batch in batches for row in batch]


# `shuffle_buffer` that holds all of ROWS in memory, and one that streams them.
both_modes = pytest.mark.parametrize("buffer", [2**20, 16], ids=["in-memory", "streamed"])


@functools.cache
def batches(buffer=2**20, seed=None, drop_remainder=False, preprocessor=SUMS):
    return preprocessor.batches(ROWS, 8, seed, drop_remainder, buffer)


@both_modes
def test_batches_have_int32_ids_of_the_model_lengths(buffer):
    inputs, answer = batches(buffer).element_spec
    assert {name: (spec.dtype, spec.shape[1]) for name, spec in inputs.items()} == {
        "source": (tf.int32, 7),
        "target": (tf.int32, 4),
    }
    assert (answer.dtype, answer.shape[1]) == (tf.int32, 4)
    assert [len(answer) for _, answer in batches(buffer)] == [8] * 12 + [7]


@pytest.mark.parametrize(
    ("buffer", "preprocessor"),
    [(2**20, SUMS), (2**20, REVERSED_SUMS), (16, SUMS)],
    ids=["in-memory", "reverse", "streamed"],
)
def test_batches_without_a_seed_keep_the_order_in_every_epoch(buffer, preprocessor):
    dataset = batches(buffer, preprocessor=preprocessor)
    for _ in range(2):
        assert flat(epoch(preprocessor, dataset)) == ROWS


def test_a_batch_is_what_a_call_gives():
    first = next(iter(batches(preprocessor=REVERSED_SUMS)))
    expected = REVERSED_SUMS(*zip(*ROWS[:8], strict=True))
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(expected), strict=True):
        assert one.numpy().tolist() == other.numpy().tolist()


@pytest.mark.parametrize(("buffer", "seed"), [(2**20, 3), (2**20, 0), (16, 3)], ids=["in-memory", "zero", "streamed"])
def test_each_epoch_has_every_row_once_in_an_order_of_its_own(buffer, seed):
    orders = [flat(epoch(SUMS, batches(buffer, seed))) for _ in range(3)]
    assert [sorted(order) for order in orders] == [sorted(ROWS)] * 3
    assert len({tuple(order) for order in [*orders, ROWS]}) == 4


@both_modes
def test_epochs_repeat_by_seed(buffer):
    one, other = (SUMS.batches(ROWS, 8, shuffle_seed=3, shuffle_buffer=buffer) for _ in range(2))
    epochs = [epoch(SUMS, one) for _ in range(2)]
    assert [epoch(SUMS, other) for _ in range(2)] == epochs


def test_epochs_differ_by_seed():
    epochs = [[epoch(SUMS, batches(seed=seed)) for _ in range(2)] for seed in (0, 3)]
    assert not any(order in epochs[1] for order in epochs[0])


def test_streamed_rows_stay_within_their_window_each_in_its_own_order():
    rows = flat(epoch(SUMS, batches(16, 3)))
    windows = [rows[start : start + 16] for start in range(0, len(ROWS), 16)]
    assert [sorted(window) for window in windows] == [sorted(ROWS[start : start + 16]) for start in range(0, 103, 16)]
    assert len({tuple(ROWS.index(row) % 16 for row in window) for window in windows[:-1]}) == 6


def test_buffer_is_rounded_up_to_whole_batches():
    assert list(map(len, epoch(SUMS, batches(9)))) == [8] * 12 + [7]


@pytest.mark.parametrize(("buffer", "seed"), [(2**20, None), (16, 3)], ids=["in-memory", "streamed"])
def test_drop_remainder_drops_only_the_last_batch_that_is_not_full(buffer, seed):
    rows = epoch(SUMS, batches(buffer, seed, drop_remainder=True))
    assert list(map(len, rows)) == [8] * 12
    assert len(set(flat(rows))) == 96


@pytest.mark.parametrize("buffer", [48, 96], ids=["streamed", "just-in-memory"])
def test_drop_remainder_keeps_the_last_batch_that_is_full(buffer):
    dataset = SUMS.batches(ROWS[:96], 8, drop_remainder=True, shuffle_buffer=buffer)
    assert dataset.cardinality() == (12 if buffer == 96 else tf.data.UNKNOWN_CARDINALITY)
    assert flat(epoch(SUMS, dataset)) == ROWS[:96]


@pytest.mark.parametrize(("drop_remainder", "expected"), [(False, 13), (True, 12)])
def test_cardinality_is_the_number_of_batches(drop_remainder, expected):
    assert batches(drop_remainder=drop_remainder).cardinality() == expected


def test_batches_take_datasets():
    dataset = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*ROWS, strict=True))))
    assert flat(epoch(SUMS, SUMS.batches(dataset, 8))) == ROWS


@pytest.mark.parametrize(
    ("row", "buffer"), [(102, 2**20), (3, 16), (20, 16)], ids=["in-memory", "first-window", "second-window"]
)
def test_wrong_row_is_reported_at_the_call_counted_from_the_first_row(row, buffer):
    rows = [*ROWS[:row], ("1-1", "0"), *ROWS[row + 1 :]]
    with pytest.raises(ValueError, match=f"^row {row + 1}: source '1-1' has the character '-'"):
        SUMS.batches(rows, 8, shuffle_seed=3, shuffle_buffer=buffer)


def test_wrong_row_further_on_in_a_stream_is_reported_when_it_is_reached():
    dataset = SUMS.batches([*ROWS * 500, ("1-1", "0")], 8, shuffle_buffer=16)
    with pytest.raises(tf.errors.InvalidArgumentError, match="has the character"):
        dataset.reduce(0, lambda count, _: count + 1)


def test_fewer_rows_than_a_batch_are_one_batch():
    dataset = SUMS.batches(ROWS[:31], 32)
    assert dataset.cardinality() == 1
    assert epoch(SUMS, dataset) == [ROWS[:31]]


@both_modes
def test_fewer_rows_than_a_batch_are_refused_with_drop_remainder(buffer):
    with pytest.raises(ValueError, match=r"Too few pairs for a batch of 32: received 31"):
        SUMS.batches(ROWS[:31], 32, drop_remainder=True, shuffle_buffer=buffer)


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match=r"There are no pairs\. Received an empty data set"):
        SUMS.batches([], 8)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_below_one_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}"):
        SUMS.batches(ROWS, batch_size)


def test_shuffle_buffer_below_one_is_refused_by_name():
    with pytest.raises(ValueError, match="shuffle_buffer=0"):
        SUMS.batches(ROWS, 8, shuffle_buffer=0)


def test_pairs_are_held_out_by_source_and_the_first_wrong_one_is_named_by_its_number():
    training, validation = SUMS.hold_out(ROWS, seed=3, percent=20)
    held_out = [tuple(text.decode() for text in row) for row in validation.as_numpy_iterator()]
    assert 0 < len(held_out) < 50
    assert sorted(held_out + [tuple(map(bytes.decode, row)) for row in training.as_numpy_iterator()]) == sorted(ROWS)
    for row in (1, 50, 103):
        with pytest.raises(ValueError, match=f"^row {row}: source '1-1' has the character '-'"):
            SUMS.hold_out([*ROWS[: row - 1], ("1-1", "0"), *ROWS[row - 1 :], ("", "")])
    with pytest.raises(ValueError, match=r"^row 10301: target is empty"):
        SUMS.hold_out([*ROWS * 100, ("1+1", "")])


def test_pairs_without_an_end_can_be_held_out():
    training, _ = SUMS.hold_out(tf.data.Dataset.from_tensors(("1+1", "2")).repeat(2**21))
    assert next(training.as_numpy_iterator()) == (b"1+1", b"2")


def test_batches_hold_the_ids_of_a_large_and_a_small_vocabulary():
    sources = Vocabulary(map(chr, range(0x4E00, 0x4E00 + 300)))
    preprocessor = PairPreprocessor(sources, 1, 1, target_vocabulary=Vocabulary("ab"))
    ((inputs, answer),) = preprocessor.batches([(sources.tokens[-1], "b"), (sources.tokens[0], "a")], 2)
    assert inputs["source"].numpy().tolist() == [[301], [2]]
    assert answer.numpy().tolist() == [[3], [2]]
