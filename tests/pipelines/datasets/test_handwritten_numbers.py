"""The TFDS builder `handwritten_numbers`: pictures and captions agree, and no scan is in two splits."""

import collections
import hashlib
import importlib.util
import sys
import types
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from seqzoo.export.picture_verification import PictureVerification
from seqzoo.pipelines import HandwrittenNumbers, HandwrittenNumbersData, load_test_rows, number_in_words
from seqzoo.pipelines.datasets.handwritten_numbers import drawing, handwritten_numbers_dataset_builder
from seqzoo.pipelines.datasets.handwritten_numbers.rows import SPLIT_SIZES, digits_of_split, number_rows
from seqzoo.pipelines.datasets.handwritten_numbers.words import words_of_numbers

CAPTIONS = {number_in_words(number): number for number in range(100_000)}


class TestHandwrittenNumbersBuilder(tfds.testing.DatasetBuilderTestCase):
    """With few rows in each split."""

    DATASET_CLASS = HandwrittenNumbers
    BUILDER_CONFIG_NAMES_TO_TEST = ("partition_1",)
    SPLITS = types.MappingProxyType({"train": 30, "validation": 10, "test": 20})
    # Never read: nothing is downloaded. TFDS wants a folder that is there.
    EXAMPLE_DIR = Path(__file__).parent

    def setUp(self):
        super().setUp()

        def few(partition, split):
            start = 100 * list(self.SPLITS).index(split)
            return tuple(each[start : start + self.SPLITS[split]] for each in number_rows(partition, "validation"))

        self.enterContext(mock.patch.object(handwritten_numbers_dataset_builder, "number_rows", few))

    def test_session(self, *args, **kwargs):
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False  # TensorFlow's context manager, not a test.


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (419, "four hundred nineteen"),
        (1_000, "one thousand"),
        (80_032, "eighty thousand thirty-two"),
        (999_999, "nine hundred ninety-nine thousand nine hundred ninety-nine"),
    ],
)
def test_numbers_in_words(number, words):
    assert number_in_words(number) == words


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_other_numbers_have_no_words(number):
    with pytest.raises(ValueError, match=f"from 0 to 999,999. Received: {number}"):
        number_in_words(number)


def test_every_number_of_five_digits_has_words_of_its_own():
    assert len(CAPTIONS) == 100_000
    assert {word for caption in CAPTIONS for word in caption.split()} == set(words_of_numbers())
    assert max(len(caption.split()) for caption in CAPTIONS) == 5


def test_no_scan_is_in_two_splits_of_a_partition_and_partitions_differ():
    _, labels = drawing.scanned_digits()
    tests = []
    for partition in range(3):
        parts = {split: np.concatenate(digits_of_split(labels, partition, split)) for split in SPLIT_SIZES}
        assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))
        for digit in range(10):
            assert set(labels[digits_of_split(labels, partition, "test")[digit]]) == {digit}
        tests.append(set(parts["test"].tolist()))
    assert len(tests[0]) == pytest.approx(0.15 * 1797, abs=5)
    assert all(len(one & other) < 100 for one, other in [(tests[0], tests[1]), (tests[1], tests[2])])


def test_lengths_are_uniform_and_no_number_begins_with_zero():
    pictures, captions = number_rows(0, "validation")
    assert pictures.shape == (2_000, drawing.HEIGHT, drawing.WIDTH)
    numbers = [CAPTIONS[caption] for caption in captions]  # A leading zero would make a number shorter.
    lengths = collections.Counter(len(str(number)) for number in numbers)
    assert all(lengths[length] == pytest.approx(400, abs=80) for length in range(1, 6))


def test_rows_are_these():
    pictures, captions = number_rows(0, "validation")
    digest = hashlib.sha256("\n".join(captions).encode()).hexdigest()
    assert captions[:3].tolist() == ["twenty-four thousand four", "three", "fifteen"]
    assert digest == "670cd22f3b728f56e198f7d7068fbb40e3e46f2ab2888f73389326fbebfd72f1"
    # Rounding may differ by a grey between machines.
    assert pictures.mean() == pytest.approx(205.7376, abs=0.01)


def test_each_digit_of_a_number_is_drawn_from_its_scan():
    images, labels = drawing.scanned_digits()
    row = np.array([[int(np.flatnonzero(labels == digit)[0]) for digit in (4, 1, 9)]])
    bits = np.random.default_rng(0)

    def calm(shape):  # No noise, no slant, an even layout.
        return np.full(shape, 0.5)

    (drawn,) = drawing.draw_numbers(images, row, calm)
    ink = (drawn.max() - drawn.astype(int)).sum(axis=0) > 40
    starts = np.flatnonzero(ink & ~np.roll(ink, 1))
    assert len(starts) == 3  # Three digits with gaps between them.
    (noisy,) = drawing.draw_numbers(images, row, bits.random)
    assert noisy.std() > 5


def test_data_set_knows_its_preprocessor_and_its_test_rows():
    data = HandwrittenNumbersData()
    preprocessor = data.preprocessor()
    assert load_test_rows(preprocessor).cardinality() == SPLIT_SIZES["test"]
    picture, caption = next(iter(data.load()[1].as_numpy_iterator()))
    ids, errors = preprocessor.encode_sources([picture])
    np.testing.assert_array_equal(ids[0], number_rows(0, "validation")[0][0])
    assert errors.numpy().tolist() == [b""]
    assert caption.decode() == number_rows(0, "validation")[1][0]
    with pytest.raises(ValueError, match="Pictures are not reversed"):
        data.preprocessor(reverse=True)


@pytest.mark.parametrize("options", [{"partition": 3}, {"partition": True}, {"name": "numbers"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="Received: "):
        HandwrittenNumbersData(**options)


def test_without_scikit_learn_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    drawing.scanned_digits.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'seqzoo\[pictures\]'"):
        drawing.scanned_digits()


def test_without_scikit_learn_exports_are_compared_on_random_pictures(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = types.SimpleNamespace(preprocessor=HandwrittenNumbersData().preprocessor())
    sources, targets = PictureVerification(model).rows
    assert (len(sources), targets) == (256, None)
