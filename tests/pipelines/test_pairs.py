"""Pairs of strings from anywhere: lists, `tf.data`, TFDS; and a part held out."""

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.pipelines import PairPreprocessor, Vocabulary, alternatives, as_pairs, hold_out

PAIRS = [("57+5", "62"), ("안녕", "hello 👍"), ("e\u0301\x00", " a b ")]
STRING = tf.TensorSpec([], tf.string)
TRANSLATIONS = [{"en": "hello", "de": "hallo"}, {"en": "thank you", "de": "danke schön"}]


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


def columns(pairs):
    return tuple(tf.constant(side) for side in zip(*pairs, strict=True))


class TinyTranslation(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.Translation(languages=["en", "de"]))

    def _split_generators(self, dl_manager):
        return {"train": enumerate(TRANSLATIONS)}

    def _generate_examples(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def translation(tmp_path_factory):
    return tfds.load("tiny_translation", split="train", data_dir=tmp_path_factory.mktemp("tfds"))


@pytest.mark.parametrize(
    "pairs",
    [
        PAIRS,
        tuple(PAIRS),
        [list(pair) for pair in PAIRS],
        [(source.encode(), target.encode()) for source, target in PAIRS],
        iter(PAIRS),
        tf.data.Dataset.from_tensor_slices(columns(PAIRS)),
        tf.data.Dataset.from_tensor_slices(dict(zip(("source", "target"), columns(PAIRS), strict=True))),
        tf.data.Dataset.from_tensor_slices({"source": columns(PAIRS)[0], "target": columns(PAIRS)[1], "id": [1, 2, 3]}),
    ],
    ids=["list", "tuple", "lists", "bytes", "iterator", "dataset", "dictionaries", "dictionaries-with-more"],
)
def test_pairs_of_every_form_keep_their_rows_and_order(pairs):
    dataset = as_pairs(pairs)
    assert dataset.element_spec == (STRING, STRING)
    assert rows_of(dataset) == PAIRS


def test_no_pairs_are_an_empty_dataset():
    assert rows_of(as_pairs([])) == []


def test_keys_of_dictionaries_can_be_chosen():
    dataset = tf.data.Dataset.from_tensor_slices({"en": ["hello"], "de": ["hallo"]})
    assert rows_of(as_pairs(dataset, source="de", target="en")) == [("hallo", "hello")]


def test_tfds_translation_is_taken_as_pairs(translation):
    pairs = as_pairs(translation, source="en", target="de")
    assert sorted(rows_of(pairs)) == [("hello", "hallo"), ("thank you", "danke schön")]


def test_tfds_translation_without_its_languages_is_refused(translation):
    with pytest.raises(ValueError, match=r"dictionaries with 'source' and 'target'.*Received: element_spec="):
        as_pairs(translation)


@pytest.mark.parametrize(
    "dataset",
    [
        tf.data.Dataset.from_tensor_slices(["a", "b"]),
        tf.data.Dataset.from_tensor_slices((["a"], ["b"], ["c"])),
        tf.data.Dataset.from_tensor_slices(([1], ["b"])),
        tf.data.Dataset.from_tensor_slices((["a"], ["b"])).batch(1),
        tf.data.Dataset.from_tensor_slices([["a", "b"]]),
        tf.data.Dataset.from_tensor_slices({"source": ["a"], "answer": ["b"]}),
        tf.data.Dataset.from_tensor_slices({"source": [1], "target": ["b"]}),
        tf.data.Dataset.from_tensor_slices(((["a"], ["b"]), ["c"])),
    ],
    ids=["strings", "triples", "int", "batched", "matrix", "other-key", "int-in-dictionary", "nested"],
)
def test_datasets_of_anything_else_are_refused(dataset):
    with pytest.raises(ValueError, match=r"must be \(source, target\) string scalars"):
        as_pairs(dataset)


@pytest.mark.parametrize(
    "row",
    [
        ("a",),
        ("a", "b", "c"),
        ("a", 1),
        ("a", None),
        1,
        None,
        "ab",
        "abc",
        b"ab",
        {"source": "a", "target": "b"},
        pytest.param({"a", "b"}, id="set"),  # Its own text differs from process to process.
    ],
    ids=repr,
)
def test_rows_of_anything_else_are_refused(row):
    with pytest.raises(ValueError, match=r"Pair 2 must be a \(source, target\) tuple of strings"):
        as_pairs([("a", "b"), row])


def many_pairs(count=10_000):
    return [(f"안녕{row}", f"{row}👍") for row in range(count)]


def test_hold_out_is_complete_and_keeps_the_order():
    pairs = many_pairs()
    training, validation = map(rows_of, hold_out(pairs))
    held_out = set(validation)
    assert training == [pair for pair in pairs if pair not in held_out]
    assert validation == [pair for pair in pairs if pair in held_out]
    assert len(training) + len(validation) == len(pairs)


def test_same_source_never_stands_in_both_parts():
    pairs = [(f"{row % 500}", f"{row}") for row in range(5_000)]
    training, validation = map(rows_of, hold_out(pairs))
    assert sorted(training + validation) == sorted(pairs)
    assert {source for source, _ in training}.isdisjoint(source for source, _ in validation)


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (1, 100), (10, 1_000), (50, 5_000), (100, 10_000)])
def test_about_the_given_percentage_is_held_out(percent, expected):
    _, validation = hold_out(many_pairs(), percent=percent)
    # Five standard deviations of a binomial distribution.
    assert abs(len(rows_of(validation)) - expected) <= 5 * (expected * (1 - percent / 100)) ** 0.5


def test_a_tenth_is_held_out_by_default():
    pairs = many_pairs()
    assert rows_of(hold_out(pairs)[1]) == rows_of(hold_out(pairs, percent=10)[1])


def test_hold_out_repeats_by_seed():
    first, second = ([rows_of(part) for part in hold_out(many_pairs(), seed=3)] for _ in range(2))
    assert first == second


def test_hold_out_differs_by_seed():
    first, second = (set(rows_of(hold_out(many_pairs(), seed=seed)[1])) for seed in (1, 2))
    assert len(first & second) < len(first) / 2


def test_hold_out_does_not_depend_on_the_other_pairs_or_their_order():
    pairs = many_pairs(2_000)
    _, validation = hold_out(pairs, seed=1)
    _, of_reversed_half = hold_out(pairs[:1_000][::-1], seed=1)
    assert rows_of(of_reversed_half) == [pair for pair in rows_of(validation) if pair in set(pairs[:1_000])][::-1]


def test_sources_that_are_read_alike_never_stand_in_both_parts():
    pairs = [(source, "x") for row in range(300) for source in (f"Row {row}", f"row  {row}")]
    vocabulary = Vocabulary.from_strings((source for source, _ in pairs), "whitespace", lower_case=True)
    preprocessor = PairPreprocessor(vocabulary, 2, 1, target_vocabulary=Vocabulary("x"))
    training, validation = map(rows_of, hold_out(pairs, preprocessor=preprocessor))
    assert sorted(training + validation) == sorted(pairs)
    assert {source.split()[1] for source, _ in training}.isdisjoint(source.split()[1] for source, _ in validation)


def test_hold_out_of_characters_as_they_stand_is_the_same_with_their_preprocessor():
    pairs = many_pairs(500)
    preprocessor = PairPreprocessor.from_pairs(pairs)
    assert rows_of(hold_out(pairs, preprocessor=preprocessor)[1]) == rows_of(hold_out(pairs)[1])


@pytest.mark.parametrize("form", [list, as_pairs], ids=["list", "dataset"])
def test_alternatives_are_each_source_s_targets_in_their_order(form):
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("b", "2"), ("한", "👍")]
    targets = alternatives(form(pairs))
    assert list(targets.items()) == [("b", ["2", "1"]), ("a", ["1"]), ("한", ["👍"])]
    assert alternatives([]) == {}


def test_alternatives_of_sources_that_are_read_alike_are_together():
    sources = Vocabulary(["read", "x"], "whitespace", lower_case=True)
    preprocessor = PairPreprocessor(sources, 2, 2, target_vocabulary=Vocabulary("é", normal_form="NFC"))
    pairs = [("Read", "é"), (" read", "e\u0301"), ("READ", "E"), ("x  Read", "é")]
    assert alternatives(pairs, preprocessor) == {"read": ["é", "E"], "x read": ["é"]}
    assert len(alternatives(pairs)) == 4


def test_alternatives_name_a_pair_that_is_not_utf_8():
    with pytest.raises(ValueError, match="Pair 2 is not valid UTF-8"):
        alternatives([("a", "b"), (b"\xff", "b")])
