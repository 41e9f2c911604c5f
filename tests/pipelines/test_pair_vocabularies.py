"""PairPreprocessor: the vocabularies of both sides, and what it makes of the pairs to learn."""

import re
import warnings

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.pipelines import START_ID, DataWarning, PairPreprocessor, Vocabulary, load_addition

DIGITS = Vocabulary("0123456789+")
SUMS = PairPreprocessor(DIGITS, source_length=7, target_length=4)
PAIRS = [("57+5", "62"), ("안녕", "👍"), ("1", "12345")]


def texts(strings):
    return [string.decode() for string in strings.numpy()]


@pytest.mark.parametrize(
    "pairs",
    [PAIRS, tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*PAIRS, strict=True))))],
    ids=["list", "dataset"],
)
def test_from_pairs_collects_tokens_and_the_longest_lengths(pairs):
    assert PairPreprocessor.from_pairs(pairs) == PairPreprocessor(Vocabulary("+1234567안녕👍"), 4, 5)


def test_from_pairs_takes_the_options_of_both_classes():
    pairs = [("A b", "c"), ("b", "D e")]
    words = {"source_split": "whitespace", "target_split": "whitespace"}
    preprocessor = PairPreprocessor.from_pairs(pairs, True, **words)
    assert preprocessor == PairPreprocessor(Vocabulary("AbcDe", "whitespace"), 2, 2, reverse=True)
    preprocessor = PairPreprocessor.from_pairs(pairs, **words, unknown=True, lower_case=True, normal_form="NFC")
    sources = Vocabulary("ab", "whitespace", unknown=True, lower_case=True, normal_form="NFC")
    assert preprocessor == PairPreprocessor(sources, 2, 2, target_vocabulary=Vocabulary("cDe", "whitespace"))


def test_from_pairs_has_one_vocabulary_where_nothing_tells_the_sides_apart():
    pairs = [("ab", "B")]
    both, apart = Vocabulary("abB"), (Vocabulary("ab"), Vocabulary("B"))
    for options, expected in (
        ({}, (both, both)),
        ({"shared": True}, (both, both)),
        ({"shared": False}, apart),
        ({"source_split": "whitespace"}, (Vocabulary(["ab"], "whitespace"), apart[1])),
        ({"unknown": True}, (Vocabulary("ab", unknown=True), apart[1])),
        ({"unknown": True, "shared": True}, (Vocabulary("abB", unknown=True),) * 2),
        ({"lower_case": True}, (Vocabulary("ab", lower_case=True), apart[1])),
        ({"lower_case": True, "shared": True}, (Vocabulary("ab", lower_case=True),) * 2),
    ):
        preprocessor = PairPreprocessor.from_pairs(pairs, **options)
        assert (preprocessor.source_vocabulary, preprocessor.target_vocabulary) == expected


def test_from_pairs_cannot_share_a_vocabulary_that_is_split_in_two_ways():
    with pytest.raises(ValueError, match=r"shared=True needs .*Received: source_split='whitespace'"):
        PairPreprocessor.from_pairs([("a", "b")], source_split="whitespace", shared=True)


def test_from_pairs_counts_normalised_tokens():
    preprocessor = PairPreprocessor.from_pairs([("e\u0301", "e\u0301")], normal_form="NFC")
    assert (preprocessor.source_length, preprocessor.target_length) == (1, 2)
    assert texts(preprocessor.pair_errors(["é", "éé", "E\u0301"], ["é", "e", "e"])) == [
        "target 'é' has the character 'é', which is not in the vocabulary (U+00E9 LATIN SMALL LETTER E WITH ACUTE). In "
        "the normal form NFD it would fit: write it so, or read it with normal_form='NFD'",
        "source 'éé' has 2 characters, the model takes at most 1",
        "source 'E\u0301' has the character 'É', which is not in the vocabulary "
        "(U+00C9 LATIN CAPITAL LETTER E WITH ACUTE)",
    ]


def test_each_side_has_its_own_vocabulary():
    sources = Vocabulary(["one", "two"], "whitespace", unknown=True, lower_case=True)
    preprocessor = PairPreprocessor(sources, 3, 2, reverse=True, target_vocabulary=Vocabulary("12"))
    assert preprocessor.vocabulary is preprocessor.source_vocabulary is sources
    inputs, answer = preprocessor(["One TWO", "three"], ["12", "1"])
    assert inputs["source"].numpy().tolist() == [[0, 4, 3], [0, 0, 2]]
    assert inputs["target"].numpy().tolist() == [[START_ID, 2], [START_ID, 2]]
    assert answer.numpy().tolist() == [[2, 3], [2, 0]]
    assert texts(preprocessor.decode(answer)) == ["12", "1"]
    assert texts(preprocessor.pair_errors([b"a \xff", "a a a a", "a", "a"], ["1", "1", "3", "111"])) == [
        "source is not valid UTF-8: a \\xff",
        "source 'a a a a' has 4 words, the model takes at most 3",
        "target '3' has the character '3', which is not in the vocabulary",
        "target '111' has 3 characters, the model takes at most 2",
    ]
    assert texts(preprocessor.encode_ids([[2, 4], [5, 0]])[1]) == ["", "source has the id 5; a token's is 2 to 4"]


def test_one_vocabulary_is_that_of_both_sides():
    assert SUMS.source_vocabulary is SUMS.target_vocabulary is DIGITS
    assert PairPreprocessor(DIGITS, 7, 4, target_vocabulary=Vocabulary("0123456789+")) == SUMS
    with pytest.raises(ValueError, match=r"target_vocabulary must be a Vocabulary or None\. Received: '12'"):
        PairPreprocessor(DIGITS, 7, 4, target_vocabulary="12")


@pytest.mark.parametrize("split", ["characters", "whitespace"])
def test_invalid_bytes_are_an_error_of_a_normalised_vocabulary(split):
    vocabulary = Vocabulary(["a", "b"], split, unknown=True, lower_case=True, normal_form="NFKC")
    preprocessor = PairPreprocessor(vocabulary, 3, 3)
    sources = [b"A\xff", "\uffff", "Ａ", "\u3000" if split == "whitespace" else "", "z"]
    ids, errors = preprocessor.encode_sources(sources)
    assert texts(errors) == [
        "source is not valid UTF-8: A\\xff",
        "source is not valid UTF-8: \\xef\\xbf\\xbf",
        "",
        "source is empty",
        "",
    ]
    assert ids.numpy()[[2, 4], 0].tolist() == [3, vocabulary.unknown_id]
    np.testing.assert_array_equal(preprocessor.source_ids(sources)[1], errors != "")


def test_pairs_are_held_out_by_their_normalised_sources():
    pairs = [(word, "x") for number in range(200) for word in (f"é{number}", f"E\u0301{number}")]
    preprocessor = PairPreprocessor.from_pairs(pairs, lower_case=True, normal_form="NFC")
    training, validation = (
        [source.decode() for source, _ in part.as_numpy_iterator()] for part in preprocessor.hold_out(pairs)
    )
    assert len(training) + len(validation) == 400
    assert {source[-2:] for source in validation}
    read = preprocessor.source_vocabulary.normalize_string
    assert {*map(read, training)}.isdisjoint(map(read, validation))


def test_from_pairs_of_a_tfds_sums_data_set():
    assert PairPreprocessor.from_pairs(load_addition(2)) == PairPreprocessor(DIGITS, 5, 3)


@pytest.mark.parametrize("split", ["characters", "whitespace"])
@pytest.mark.parametrize("space", [" ", "\u00a0", "\u3000", "\x1c"], ids=ascii)
def test_pairs_fit_the_preprocessor_that_was_made_from_them(split, space):
    source = f"a{space}b"
    preprocessor = PairPreprocessor.from_pairs([(source, "c")], source_split=split)
    assert texts(preprocessor.pair_errors([source], ["c"])) == [""]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "There are no pairs"),
        (tf.data.Dataset.from_tensor_slices((["a"], ["b"])).take(0), "There are no pairs"),
        ([("a", "b"), ("", "b")], "Pair 2 has an empty source"),
        ([("a", "b"), ("a", "")], "Pair 2 has an empty target"),
        ([("a", "b"), (b"\xff", "b")], r"Pair 2 is not valid UTF-8: b'\xff'"),
        ([("a", "b"), ("a", b"\xed\xa0\x80")], "Pair 2 is not valid UTF-8"),
    ],
    ids=["list", "dataset", "source", "target", "invalid-source", "invalid-target"],
)
def test_from_pairs_refuses_what_cannot_be_learnt(pairs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PairPreprocessor.from_pairs(pairs)


def test_from_pairs_refuses_a_pair_without_words():
    with pytest.raises(ValueError, match="Pair 1 has an empty target"):
        PairPreprocessor.from_pairs([("a", " \t")], target_split="whitespace")


BOUNDED = [("a a a b", "x x y"), ("a c", "x z")]


def test_max_tokens_keeps_the_most_frequent_tokens_of_each_side_and_reads_the_others_as_unknown():
    words = {"source_split": "whitespace", "target_split": "whitespace", "unknown": True}
    preprocessor = PairPreprocessor.from_pairs(BOUNDED, **words, max_tokens=2)
    assert preprocessor.source_vocabulary == Vocabulary(["a", "b"], "whitespace", unknown=True)
    assert preprocessor.target_vocabulary == Vocabulary(["x", "y"], "whitespace", unknown=True)
    inputs, answer = preprocessor(*map(list, zip(*BOUNDED, strict=True)))
    assert inputs["source"].numpy().tolist() == [[3, 3, 3, 4], [3, 2, 0, 0]]
    assert answer.numpy().tolist() == [[3, 3, 4], [3, 2, 0]]
    assert texts(preprocessor.decode(answer)) == ["x x y", "x <unk>"]


def test_targets_have_an_unknown_token_only_where_max_tokens_leaves_some_out():
    preprocessor = PairPreprocessor.from_pairs(BOUNDED, unknown=True, max_tokens=4)
    assert preprocessor.source_vocabulary == Vocabulary("abc ", unknown=True)
    assert preprocessor.target_vocabulary == Vocabulary("xyz ")
    shared = PairPreprocessor.from_pairs(BOUNDED, unknown=True, shared=True, max_tokens=3)
    assert shared.source_vocabulary == shared.target_vocabulary == Vocabulary("ax ", unknown=True)


@pytest.mark.parametrize(("max_tokens", "unknown"), [(0, True), (2, False)])
def test_max_tokens_needs_an_unknown_token(max_tokens, unknown):
    with pytest.raises(ValueError, match=f"needs unknown=True. Received: max_tokens={max_tokens}, unknown={unknown}"):
        PairPreprocessor.from_pairs(BOUNDED, unknown=unknown, max_tokens=max_tokens)


def test_copies_stand_in_place_of_unknown_tokens_in_either_order():
    words = {"source_split": "words", "target_split": "words", "unknown": True, "max_tokens": 1, "copy_unknown": True}
    for reversed_sides in ({}, {"reverse": True}, {"reverse_target": True}, {"reverse": True, "reverse_target": True}):
        preprocessor = PairPreprocessor.from_pairs(
            [("I see Tom", "Tom je vois"), ("I", "vois")], **words, **reversed_sides
        )
        assert preprocessor.target_vocabulary.tokens == ["vois"]
        ids, places = [[2, 2, 3]], [[2, 0, 1]]
        if preprocessor.reverse_target:
            ids, places = [[3, 2, 2]], [[1, 0, 2]]
        if preprocessor.reverse:
            places = [[2 - place for place in places[0]]]
        copied = preprocessor.decode_with_copies(tf.constant(ids), tf.constant(places), ["I see Tom"])
        assert texts(copied) == ["Tom I vois"]
        assert PairPreprocessor.from_config(preprocessor.get_config()).copy_unknown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 2}, "split into words in the same way. Received: source_split='characters'"),
        ({"max_tokens": 2, "target_split": "words"}, "target_split='words'"),
        ({}, "copy_unknown=True needs max_tokens"),
    ],
)
def test_copying_needs_words_and_an_unknown_token(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PairPreprocessor.from_pairs(BOUNDED, unknown=True, copy_unknown=True, **options)


def test_copying_that_can_never_be_learnt_is_warned_of():
    words = {"source_split": "words", "target_split": "words", "unknown": True, "copy_unknown": True}
    pairs = [("I see Tom", "je vois Tom"), ("I go", "je vais")]
    with pytest.warns(DataWarning, match="max_tokens=4 leaves out none of the targets' 4 words: copy_unknown will"):
        PairPreprocessor.from_pairs(pairs, max_tokens=4, **words)
    with warnings.catch_warnings(action="error"):
        PairPreprocessor.from_pairs(pairs, max_tokens=3, **words)
