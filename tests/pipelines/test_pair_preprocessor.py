"""PairPreprocessor: strings to padded ids and back, and what it says about wrong strings."""

import codecs
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines import PADDING_ID, START_ID, PairPreprocessor, Vocabulary

DIGITS = Vocabulary("0123456789+")
SUMS = PairPreprocessor(DIGITS, source_length=7, target_length=4)
REVERSED_SUMS = PairPreprocessor(DIGITS, source_length=7, target_length=4, reverse=True)
WORDS = PairPreprocessor(Vocabulary(["a", "b", "한글"], "whitespace"), source_length=3, target_length=2)
WORDS_AND_UNKNOWN = PairPreprocessor(Vocabulary(["a", "b"], "whitespace", unknown=True), 3, 2)
LETTERS_AND_UNKNOWN = PairPreprocessor(Vocabulary("a한 ", unknown=True), 3, 2)
ROWS = [(f"{row}+{row}", str(2 * row)) for row in range(103)]

# What is wrong with a source of SUMS, and the text that says so.
WRONG_SOURCES = [
    (b"", "source is empty"),
    (b"1+1+1+1+1", "source '1+1+1+1+1' has 9 characters, the model takes at most 7"),
    (b"1-1", "source '1-1' has the character '-', which is not in the vocabulary"),
    (b"1+\x00", "source '1+\x00' has the character '\x00', which is not in the vocabulary"),
    ("1+é한👍".encode(), "source '1+é한👍' has the character 'é', which is not in the vocabulary"),
    ("\ufeff1+1".encode(), "source '\ufeff1+1' has the character '\ufeff', which is not in the vocabulary"),
    (b"1\xff+\x00\n'", "source is not valid UTF-8: 1\\xff+\\x00\\x0a'"),
    (b"\xed\xa0\x80", "source is not valid UTF-8: \\xed\\xa0\\x80"),
    ("한".encode()[:2], "source is not valid UTF-8: \\xed\\x95"),
    (b"", "source is empty"),
]
# What no graph can add to it.
EXPLAINED = {
    b"1+\x00": "source '1+\x00' has the character U+0000 control character, which is not in the vocabulary",
    "1+é한👍".encode(): f"{WRONG_SOURCES[4][1]} (U+00E9 LATIN SMALL LETTER E WITH ACUTE)",
    "\ufeff1+1".encode(): (
        "source '\ufeff1+1' has the character U+FEFF ZERO WIDTH NO-BREAK SPACE, which is not in the vocabulary"
    ),
}
wrong_source = pytest.mark.parametrize(("source", "message"), WRONG_SOURCES[:-1], ids=lambda value: ascii(value)[:20])


STRINGS = tf.TensorSpec([None], tf.string)
call_in_graph = tf.function(SUMS, input_signature=[STRINGS, STRINGS])
encode_in_graph, encode_reversed_in_graph, *encode_words_in_graph = (
    tf.function(preprocessor.encode_sources, input_signature=[STRINGS])
    for preprocessor in (SUMS, REVERSED_SUMS, WORDS, WORDS_AND_UNKNOWN, LETTERS_AND_UNKNOWN)
)


def texts(strings):
    return [string.decode() for string in strings.numpy()]


def sources_of(preprocessor, ids):
    return texts(preprocessor.decode(ids[:, ::-1] if preprocessor.reverse else ids))


def test_sources_are_padded_at_the_end():
    ids, errors = SUMS.encode_sources(["57+5", "1+2", "123+456"])
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [[8, 10, 2, 8, 0, 0, 0], [4, 2, 5, 0, 0, 0, 0], [4, 5, 6, 2, 7, 8, 9]]
    assert texts(errors) == ["", "", ""]


def test_reverse_turns_the_padded_source_around():
    ids, errors = REVERSED_SUMS.encode_sources(["57+5", "123+456"])
    assert ids.numpy().tolist() == [[0, 0, 0, 8, 2, 10, 8], [9, 8, 7, 2, 6, 5, 4]]
    assert texts(errors) == ["", ""]


@pytest.mark.parametrize("preprocessor", [SUMS, REVERSED_SUMS], ids=["in-order", "reverse"])
def test_targets_are_padded_and_never_reversed(preprocessor):
    ids, errors = preprocessor.encode_targets(["62", "1234"])
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [[9, 5, 0, 0], [4, 5, 6, 7]]
    assert texts(errors) == ["", ""]


def test_the_decoder_reads_the_start_token_then_the_answer_but_its_last_token():
    inputs, answer = REVERSED_SUMS(["57+5", "999+999"], ["62", "1998"])
    assert set(inputs) == {"source", "target"}
    assert inputs["source"].numpy().tolist() == [[0, 0, 0, 8, 2, 10, 8], [12, 12, 12, 2, 12, 12, 12]]
    assert inputs["target"].numpy().tolist() == [[START_ID, 9, 5, 0], [START_ID, 4, 12, 12]]
    assert answer.numpy().tolist() == [[9, 5, PADDING_ID, PADDING_ID], [4, 12, 12, 11]]
    assert {tensor.dtype for tensor in (*inputs.values(), answer)} == {tf.int32}


def test_targets_of_length_one_are_read_from_the_start_token_alone():
    inputs, answer = PairPreprocessor(DIGITS, 3, 1)(["1+1"], ["2"])
    assert (inputs["target"].numpy().tolist(), answer.numpy().tolist()) == ([[START_ID]], [[5]])


def test_decode_gives_the_targets_back():
    answers = ["62", "0", "1998"]
    assert texts(REVERSED_SUMS.decode(REVERSED_SUMS.encode_targets(answers)[0])) == answers


def test_decode_of_nothing_but_padding_is_empty():
    assert texts(SUMS.decode(tf.zeros([2, 4], tf.int32))) == ["", ""]


def test_words_are_encoded_and_decoded():
    ids, errors = WORDS.encode_sources(["b 한글", " a  a\ta "])
    assert ids.numpy().tolist() == [[3, 4, 0], [2, 2, 2]]
    assert texts(errors) == ["", ""]
    assert texts(WORDS.decode(ids)) == ["b 한글", "a a a"]


def test_an_empty_batch_is_encoded():
    ids, errors = SUMS.encode_sources(tf.constant([], tf.string))
    assert (ids.shape, errors.shape) == ((0, 7), (0,))


@pytest.mark.parametrize("preprocessor", [SUMS, REVERSED_SUMS], ids=["in-order", "reverse"])
@wrong_source
def test_wrong_source_is_explained_and_leaves_its_neighbours_alone(preprocessor, source, message):
    ids, errors = preprocessor.encode_sources([b"57+5", source, b"1+2"])
    assert texts(errors) == ["", EXPLAINED.get(source, message), ""]
    assert ids.numpy()[1].tolist() == [PADDING_ID] * 7
    assert sources_of(preprocessor, ids) == ["57+5", "", "1+2"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "source is empty"),
        (" \t ", "source is empty"),
        ("a a a a", "source 'a a a a' has 4 words, the model takes at most 3"),
        ("a 한 x", "source 'a 한 x' has the word '한', which is not in the vocabulary"),
        (b"a \xff b", "source is not valid UTF-8: a \\xff b"),
    ],
    ids=ascii,
)
def test_wrong_words_are_explained(source, message):
    ids, errors = WORDS.encode_sources(["a", source, "b"])
    assert texts(errors) == ["", message, ""]
    assert ids.numpy().tolist() == [[2, 0, 0], [0, 0, 0], [3, 0, 0]]


def test_wrong_rows_of_every_kind_are_explained_in_one_batch():
    _, errors = SUMS.encode_sources([source for source, _ in WRONG_SOURCES])
    assert texts(errors) == [EXPLAINED.get(source, message) for source, message in WRONG_SOURCES]


@pytest.mark.parametrize(
    ("vocabulary", "source", "end"),
    [
        (
            Vocabulary("aé"),
            "ae\u0301",
            "the character 'e', which is not in the vocabulary. In the normal form NFC it would fit: write it so, or "
            "train with --normal-form NFC (normal_form='NFC')",
        ),
        (
            Vocabulary("ae\u0301"),
            "aé",
            "the character 'é', which is not in the vocabulary (U+00E9 LATIN SMALL LETTER E WITH ACUTE). In the normal "
            "form NFD it would fit: write it so, or train with --normal-form NFD (normal_form='NFD')",
        ),
        (
            Vocabulary("aé "),
            "a\u202f",
            "the character U+202F NARROW NO-BREAK SPACE, which is not in the vocabulary. In the normal form NFKC it "
            "would fit: write it so, or train with --normal-form NFKC (normal_form='NFKC')",
        ),
        (
            Vocabulary("ae\u0301é"),
            "e\u0301e\u0301e\u0301e\u0301",
            "8 characters, the model takes at most 7. In the normal form NFC it would fit: write it so, or "
            "train with --normal-form NFC (normal_form='NFC')",
        ),
        (Vocabulary("a3-1"), "3−1", "the character '−', which is not in the vocabulary (U+2212 MINUS SIGN)"),
        (Vocabulary("a"), "a\u0300", "the character U+0300 COMBINING GRAVE ACCENT, which is not in the vocabulary"),
        (Vocabulary("a"), "a b", "the character ' ', which is not in the vocabulary"),
        (
            Vocabulary(["a"], "whitespace"),
            "a\u202fb 1",
            "the word 'a\u202fb' (U+202F NARROW NO-BREAK SPACE), which is not in the vocabulary",
        ),
    ],
)
def test_characters_that_cannot_be_seen_are_named_and_so_is_a_normal_form_that_fits(vocabulary, source, end):
    preprocessor = PairPreprocessor(vocabulary, source_length=7, target_length=4)
    shown = f"source '{source}' has {end}"
    assert texts(preprocessor.encode_sources(["a", source])[1])[1] == shown
    with pytest.raises(ValueError, match=re.escape(f"row 2: {shown}")):
        preprocessor(["a", source], ["a", "a"])


def test_the_normal_form_of_a_target_is_not_an_option_of_trainings():
    (error,) = texts(PairPreprocessor(Vocabulary("é"), 7, 4).encode_targets(["e\u0301"])[1])
    assert error.endswith("In the normal form NFC it would fit: write it so, or read it with normal_form='NFC'")


def test_targets_are_called_targets():
    assert texts(SUMS.encode_targets(["12345", "x", ""])[1]) == [
        "target '12345' has 5 characters, the model takes at most 4",
        "target 'x' has the character 'x', which is not in the vocabulary",
        "target is empty",
    ]


def test_pair_errors_name_the_source_before_the_target():
    assert texts(SUMS.pair_errors(["1+1", "x", "1+1", ""], ["2", "", "", "2"])) == [
        "",
        "source 'x' has the character 'x', which is not in the vocabulary",
        "target is empty",
        "source is empty",
    ]


def test_a_listed_unknown_token_is_no_error():
    preprocessor = PairPreprocessor(Vocabulary("ab", unknown=True), 3, 3)
    assert texts(preprocessor.pair_errors(["axb", "한"], ["y", "a"])) == ["", ""]
    assert texts(preprocessor.encode_sources([b"a\xff"])[1]) == ["source is not valid UTF-8: a\\xff"]


@pytest.mark.parametrize(
    "source", ["9" * 100_000, "한" * 100_000, b"\xff" * 100_000], ids=["ascii", "utf-8", "invalid"]
)
def test_messages_about_long_strings_are_short(source):
    (message,) = texts(SUMS.encode_sources([source])[1])
    assert len(message) < 400


byte_strings = st.one_of(
    st.binary(max_size=12), st.text(max_size=8).map(str.encode), st.text("0123456789+", max_size=8).map(str.encode)
)


@settings(deadline=None, max_examples=100)
@given(st.lists(byte_strings, max_size=6), st.booleans())
def test_any_bytes_are_either_encoded_or_explained(strings, reverse):
    preprocessor = REVERSED_SUMS if reverse else SUMS
    encode = encode_reversed_in_graph if reverse else encode_in_graph
    ids, errors = encode(tf.constant(strings, tf.string))
    assert ids.shape == (len(strings), 7)
    same_ids, wrong = preprocessor.source_ids(strings)
    np.testing.assert_array_equal(same_ids, ids)
    np.testing.assert_array_equal(wrong, errors != "")
    decoded = sources_of(preprocessor, ids)
    for string, row, text, message in zip(strings, ids.numpy(), decoded, texts(errors), strict=True):
        fits = 1 <= len(string) <= 7 and set(string) <= set(b"0123456789+")
        assert (message == "") == fits
        assert text == (string.decode() if fits else "")
        assert fits or not row.any()


word_strings = st.one_of(
    st.binary(max_size=10),
    st.lists(st.sampled_from(["a", "b", "한글", "한", " ", "\t"]), max_size=7).map(
        lambda parts: "".join(parts).encode()
    ),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(word_strings, min_size=1, max_size=4))
def test_any_words_are_either_encoded_or_explained(strings):
    encoded = [encode(tf.constant(strings)) for encode in encode_words_in_graph]
    for preprocessor, (ids, errors) in zip((WORDS, WORDS_AND_UNKNOWN, LETTERS_AND_UNKNOWN), encoded, strict=True):
        same_ids, wrong = preprocessor.source_ids(strings)
        np.testing.assert_array_equal(same_ids, ids)
        np.testing.assert_array_equal(wrong, errors != "")
    ids, errors = encoded[0]
    for string, text, message in zip(strings, texts(WORDS.decode(ids)), texts(errors), strict=True):
        words = string.split()
        fits = 1 <= len(words) <= 3 and {*words} <= {b"a", b"b", "한글".encode()}
        assert (message == "") == fits
        assert text == (b" ".join(words).decode() if fits else "")


@wrong_source
def test_eager_call_raises_a_value_error_for_the_first_wrong_row(source, message):
    with pytest.raises(ValueError, match=f"^{re.escape(f'row 2: {EXPLAINED.get(source, message)}')}$"):
        SUMS([b"1+1", source, b"x"], ["2", "3", "4"])


@wrong_source
def test_call_in_a_graph_raises_the_same_text(source, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        call_in_graph(tf.constant([b"1+1", source, b"x"]), tf.constant(["2", "3", "4"]))
    # An operation of TensorFlow escapes strings as C does.
    assert message in codecs.escape_decode(str(error.value))[0].decode()


def test_graph_equals_eager():
    sources, targets = (tf.constant(side) for side in zip(*ROWS, strict=True))
    in_graph = tf.nest.flatten(call_in_graph(sources, targets))
    for one, other in zip(in_graph, tf.nest.flatten(SUMS(sources, targets)), strict=True):
        assert one.numpy().tolist() == other.numpy().tolist()


def test_errors_are_the_same_in_a_graph():
    sources = tf.constant([source for source, _ in WRONG_SOURCES] + [b"1+1"])
    ids, errors = encode_reversed_in_graph(sources)
    assert texts(errors) == [*(message for _, message in WRONG_SOURCES), ""]
    assert sources_of(REVERSED_SUMS, ids) == [""] * len(WRONG_SOURCES) + ["1+1"]


@pytest.mark.parametrize(
    "preprocessor",
    [
        SUMS,
        REVERSED_SUMS,
        WORDS,
        PairPreprocessor(Vocabulary("한\x00👍", unknown=True), 1, 1),
        PairPreprocessor(Vocabulary("ab", lower_case=True), 1, 1, target_vocabulary=Vocabulary("A")),
    ],
    ids=["sums", "reverse", "words", "unicode", "two-vocabularies"],
)
def test_keras_serialization_round_trip(preprocessor):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(preprocessor))
    assert isinstance(copy, PairPreprocessor)
    assert copy == preprocessor
    assert hash(copy) == hash(preprocessor)
    assert copy.get_config() == preprocessor.get_config()


@pytest.mark.parametrize(
    "other",
    [
        REVERSED_SUMS,
        PairPreprocessor(DIGITS, 8, 4),
        PairPreprocessor(DIGITS, 7, 5),
        PairPreprocessor(DIGITS, 7, 4, target_vocabulary=Vocabulary("0123456789")),
        WORDS,
        DIGITS,
    ],
    ids=["reverse", "source_length", "target_length", "target_vocabulary", "words", "vocabulary"],
)
def test_preprocessors_that_differ_are_not_equal(other):
    assert other != SUMS


@pytest.mark.parametrize("lengths", [(0, 4), (7, 0), (-1, 4)])
def test_lengths_below_one_are_refused(lengths):
    with pytest.raises(ValueError, match=f"source_length={lengths[0]}, target_length={lengths[1]}"):
        PairPreprocessor(DIGITS, *lengths)


def test_config_of_earlier_versions_is_read():
    config = SUMS.get_config()
    del config["target_vocabulary"]
    for name in ("lower_case", "normal_form"):
        del config["vocabulary"]["config"][name]
    assert PairPreprocessor.from_config(config) == SUMS
