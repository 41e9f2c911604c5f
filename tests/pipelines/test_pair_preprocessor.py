"""PairPreprocessor: strings to padded ids and back, what it says about wrong strings, and its training batches."""

import codecs
import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines import PADDING_ID, START_ID, PairPreprocessor, Vocabulary, load_addition

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


def epoch(preprocessor, dataset):
    """The batches of one epoch, each as its rows of (source, target)."""
    batches = []
    for inputs, answer in dataset:
        decoded = sources_of(preprocessor, inputs["source"]), texts(preprocessor.decode(answer))
        batches.append(list(zip(*decoded, strict=True)))
    return batches


def flat(batches):
    return [row for batch in batches for row in batch]


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
    assert texts(errors) == ["", message, ""]
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
    assert texts(errors) == [message for _, message in WRONG_SOURCES]


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
    with pytest.raises(ValueError, match=f"^{re.escape(f'row 2: {message}')}$"):
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


PAIRS = [("57+5", "62"), ("안녕", "👍"), ("1", "12345")]


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
        "target 'é' has the character 'é', which is not in the vocabulary",
        "source 'éé' has 2 characters, the model takes at most 1",
        "source 'E\u0301' has the character 'É', which is not in the vocabulary",
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


def test_batches_hold_the_ids_of_a_large_and_a_small_vocabulary():
    sources = Vocabulary(map(chr, range(0x4E00, 0x4E00 + 300)))
    preprocessor = PairPreprocessor(sources, 1, 1, target_vocabulary=Vocabulary("ab"))
    ((inputs, answer),) = preprocessor.batches([(sources.tokens[-1], "b"), (sources.tokens[0], "a")], 2)
    assert inputs["source"].numpy().tolist() == [[301], [2]]
    assert answer.numpy().tolist() == [[3], [2]]


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


def test_config_of_earlier_versions_is_read():
    config = SUMS.get_config()
    del config["target_vocabulary"]
    for name in ("lower_case", "normal_form"):
        del config["vocabulary"]["config"][name]
    assert PairPreprocessor.from_config(config) == SUMS


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
        epoch(SUMS, dataset)


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
