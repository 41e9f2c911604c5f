"""The TFDS builder `addition`: its rows are right, stable, spread as described, and the same from memory."""

import collections
import hashlib
import types
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.pipelines import (
    Addition,
    AdditionData,
    PairPreprocessor,
    Vocabulary,
    as_pairs,
    digits_of_sums,
    load_addition,
    load_test_sums,
    with_commuted_sums,
    with_short_sums_repeated,
)

SIZES = {2: (4_000, 500), 3: (45_000, 5_000)}


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


@pytest.fixture(scope="module")
def rows():
    return {digits: [rows_of(split) for split in load_addition(digits, ["train", "test"])] for digits in SIZES}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


class TestAdditionBuilder(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Addition
    BUILDER_CONFIG_NAMES_TO_TEST = ("digits_2",)
    SPLITS = types.MappingProxyType({"train": 4_000, "test": 500})
    # Never read: nothing is downloaded. TFDS wants a folder that is there.
    EXAMPLE_DIR = Path(__file__).parent

    def test_session(self, *args, **kwargs):
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False  # TensorFlow's context manager, not a test.


@pytest.mark.parametrize("split", ["train", "test"])
def test_tfds_load_gives_the_rows_of_load_addition_in_order(split, data_dir):
    dataset = tfds.load("addition/digits_2", split=split, data_dir=data_dir, as_supervised=True)
    loaded = load_addition(2, split)
    assert dataset.element_spec == loaded.element_spec
    assert rows_of(dataset) == rows_of(loaded)


@pytest.mark.parametrize(
    "split",
    [
        "train[:90%]",
        "train[90%:]",
        "train[:33%]",
        "test[-10:]",
        "train[10:20]",
        "train[:-5%]",
        "train[95%:]+test",
        "all",
    ],
)
def test_slices_are_those_of_tfds(split, data_dir):
    dataset = tfds.load("addition/digits_2", split=split, data_dir=data_dir, as_supervised=True)
    assert rows_of(load_addition(2, split)) == rows_of(dataset)


def test_slices_of_a_split_make_it_up(rows):
    first, last = load_addition(2, ["train[:90%]", "train[90%:]"])
    assert len(rows_of(first)) == 3_600
    assert rows_of(first) + rows_of(last) == rows[2][0]


def test_train_is_the_default_split_and_three_the_default_digits(rows):
    assert rows_of(load_addition()) == rows[3][0]


def test_elements_are_pairs_of_string_scalars():
    assert load_addition(2, "test").element_spec == (tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string))


def test_every_config_says_its_digits():
    assert list(Addition.builder_configs) == ["digits_2", "digits_3", "digits_4", "digits_5", "digits_9"]


@pytest.mark.parametrize(("digits", "sizes"), SIZES.items())
def test_sizes(digits, sizes, rows):
    assert tuple(map(len, rows[digits])) == sizes
    assert tuple(split.cardinality() for split in load_addition(digits, ["train", "test"])) == sizes


def test_sizes_of_the_largest_config():
    test = load_addition(5, "test")
    assert test.cardinality() == 100_000
    assert max(len(source) for source, _ in rows_of(test)) == len("12345+12345")


@pytest.mark.parametrize("digits", SIZES)
def test_sums_are_right(digits, rows):
    for source, target in rows[digits][0] + rows[digits][1]:
        a, b = source.split("+")
        assert target == str(int(a) + int(b))
        assert source == f"{int(a)}+{int(b)}"
        assert max(len(a), len(b)) <= digits


@pytest.mark.parametrize("digits", SIZES)
def test_no_unordered_pair_stands_twice_across_the_splits(digits, rows):
    pairs = {frozenset(collections.Counter(source.split("+")).items()) for split in rows[digits] for source, _ in split}
    assert len(pairs) == sum(SIZES[digits])


@pytest.mark.parametrize("digits", SIZES)
def test_splits_look_alike(digits, rows):
    train, test = (
        sum(len(operand) for source, _ in split for operand in source.split("+")) / (2 * len(split))
        for split in rows[digits]
    )
    assert abs(train - test) < 0.1


def test_both_orders_of_operands_occur_equally_often(rows):
    larger_first = sum(int(a) > int(b) for a, b in (source.split("+") for source, _ in rows[3][0]))
    assert 0.49 < larger_first / SIZES[3][0] < 0.51


def test_lengths_are_spread_about_as_described(rows):
    lengths = collections.Counter(len(operand) for source, _ in rows[3][0] for operand in source.split("+"))
    shares = [lengths[length] / lengths.total() for length in (1, 2, 3)]
    # A little off, because the few pairs of short operands are drawn once only.
    assert shares == pytest.approx([0.048, 0.190, 0.762], abs=0.02)


def test_numbers_of_one_length_are_drawn_evenly(rows):
    first_digits = collections.Counter(
        operand[0] for source, _ in rows[3][0] for operand in source.split("+") if len(operand) == 3
    )
    shares = [first_digits[digit] / first_digits.total() for digit in "123456789"]
    assert shares == pytest.approx([1 / 9] * 9, abs=0.01)


@pytest.mark.parametrize(
    ("digits", "sha256"),
    [
        (2, "b7962e558af3ae6c8d22b19da9ad5be4d14e67f8848764c0b83bca448f786aee"),
        (3, "a58190e2be30eb745deb5c2e170b7d251f4e60ec7882f6ea0a5e9a356cffa150"),
    ],
)
def test_rows_are_the_same_in_every_process_and_version(digits, sha256, rows):
    text = "".join(f"{source}={target}\n" for split in rows[digits] for source, target in split)
    assert hashlib.sha256(text.encode()).hexdigest() == sha256


@pytest.mark.parametrize("digits", [1, 6, 0, -2, "3", None, [2]], ids=repr)
def test_other_digits_are_refused(digits):
    with pytest.raises(ValueError, match=r"digits must be one of \(2, 3, 4, 5, 9\)\. Received: digits=6"):
        AdditionData(6)
    with pytest.raises(ValueError, match=r"digits must be one of \(2, 3, 4, 5, 9\)"):
        load_addition(digits)


@pytest.mark.parametrize(
    "split",
    [
        "validation",
        "",
        "Train",
        "train[",
        "train[:90%",
        "train[:200%]",
        "train[abc]",
        "train[:4001]",
        "train+validation",
    ],
)
def test_unknown_splits_are_refused(split):
    with pytest.raises(ValueError, match="Unknown split"):
        load_addition(2, split)


def test_one_unknown_split_in_a_list_is_refused():
    with pytest.raises(ValueError, match="Unknown split 'dev'"):
        load_addition(2, ["train", "dev"])


def test_commuted_sums_follow_their_sums():
    pairs = with_commuted_sums([("57+5", "62"), ("1+23", "24")])
    assert rows_of(pairs) == [("57+5", "62"), ("5+57", "62"), ("1+23", "24"), ("23+1", "24")]


@pytest.mark.parametrize("source", ["57-5", "", "1+2+3", "한글", "5+5"], ids=ascii)
def test_source_that_does_not_change_is_left_alone(source):
    assert rows_of(with_commuted_sums([(source, "x")])) == [(source, "x")]


def test_commuted_sums_that_will_be_tested_are_not_added():
    training = [("57+5", "62"), ("1+23", "24")]
    assert rows_of(with_commuted_sums(training, except_for=[("5+57", "62"), ("9+1", "10")])) == [
        ("57+5", "62"),
        ("1+23", "24"),
        ("23+1", "24"),
    ]
    assert rows_of(with_commuted_sums(training, except_for=[])) == rows_of(with_commuted_sums(training))


def test_commuted_sums_of_a_dataset(rows):
    commuted = rows_of(with_commuted_sums(load_addition(3, "train")))
    expected = []
    for source, target in rows[3][0]:
        a, b = source.split("+")
        expected += [(source, target), (f"{b}+{a}", target)][: 1 + (a != b)]
    assert commuted == expected


def test_commuted_training_sums_are_never_test_sums(rows):
    commuted = rows_of(with_commuted_sums(load_addition(3, "train")))
    assert {source for source, _ in commuted}.isdisjoint(source for source, _ in rows[3][1])


def test_short_sums_are_repeated_and_nothing_else():
    pairs = [("1+234", "235"), ("56+7", "63"), ("56+78", "134"), ("hello", "world")]
    assert rows_of(with_short_sums_repeated(pairs, 2)) == [pairs[0]] * 2 + [pairs[1]] * 2 + pairs[2:]


@pytest.mark.parametrize(
    ("tokens", "lengths", "digits"),
    [
        ("0123456789+", (7, 4), 3),
        ("0123456789+", (11, 6), 5),
        ("0123456789+", (13, 7), None),
        ("0123456789+", (7, 5), None),
        ("0123456789+-", (7, 4), None),
    ],
)
def test_models_of_sums_are_known_by_vocabulary_and_lengths(tokens, lengths, digits):
    assert digits_of_sums(PairPreprocessor(Vocabulary(tokens), *lengths)) == digits


def test_training_data_of_sums_are_the_splits_and_what_an_epoch_adds(rows):
    assert [rows_of(split) for split in AdditionData(2).load()] == rows[2]
    assert AdditionData().name == "addition/digits_3"
    pairs = [("57+5", "62"), ("23+45", "68")]
    assert rows_of(as_pairs(AdditionData().augment(pairs))) == pairs
    commuted = [("57+5", "62"), ("5+57", "62"), ("23+45", "68"), ("45+23", "68")]
    assert rows_of(AdditionData(commute=True).augment(pairs)) == commuted
    assert rows_of(AdditionData(short_sums=3).augment(pairs)) == [pairs[0]] * 3 + [pairs[1]]
    assert rows_of(AdditionData(commute=True, short_sums=2).augment(pairs)) == commuted[:2] * 2 + commuted[2:]


def test_test_sums_are_those_that_a_preprocessor_takes():
    sums = load_test_sums(PairPreprocessor(Vocabulary("0123456789+"), 5, 3))
    assert rows_of(sums) == rows_of(load_addition(2, "test"))
    assert load_test_sums(PairPreprocessor(Vocabulary("ab"), 5, 3)) is None
