"""TextPreprocessor: texts to ids, windows from random places, the whole text in order, prompts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines import END_ID, START_ID, TextPreprocessor, Vocabulary, read_text

HELLO = "you say goodbye and I say hello"
LETTERS = TextPreprocessor(Vocabulary("abc \n"))
LINES = TextPreprocessor(Vocabulary("abc "), lines=True)
WORDS = TextPreprocessor.from_text(HELLO, split="whitespace")


def texts(preprocessor, ids):
    return preprocessor.vocabulary.join(np.asarray(ids, "int32")[None])[0].numpy().decode()


def test_one_text_ends_once_and_lines_end_each():
    assert texts(LETTERS, LETTERS.encode("ab\n\nc")) == "ab\n\nc"
    assert (LETTERS.encode("ab\n\nc") == END_ID).nonzero()[0].tolist() == [5]
    a, b, c = LINES.encode("abc")[:3]
    assert LINES.encode("ab\n\nc\r\n").tolist() == [a, b, END_ID, c, END_ID]
    assert LINES.encode(["a\n", "b"]).tolist() == [a, END_ID, b, END_ID]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\uffff\r"), max_size=20), min_size=1))
def test_text_survives_encoding(pieces):
    text = "\n".join(pieces) + "."
    preprocessor = TextPreprocessor.from_text(text)
    assert texts(preprocessor, preprocessor.encode(text)) == text


def test_file_of_many_blocks_encodes_like_its_text(tmp_path):
    text = "abc cab\n" * 20_000
    (tmp_path / "text.txt").write_text(text)
    for preprocessor in (LETTERS, LINES):
        np.testing.assert_array_equal(preprocessor.encode(read_text(tmp_path / "text.txt")), preprocessor.encode(text))


def test_ids_are_held_in_the_smallest_type():
    assert LETTERS.encode("abc").dtype == np.uint8
    many = TextPreprocessor(Vocabulary(map(chr, range(0x4E00, 0x4E00 + 300))))
    assert many.encode("一").dtype == np.uint16


def test_vocabulary_keeps_the_most_frequent_tokens():
    preprocessor = TextPreprocessor.from_text("b a b c c d", "whitespace", unknown=True, max_tokens=2)
    assert preprocessor.vocabulary.tokens == ["b", "c"]
    assert preprocessor.encode("d b").tolist()[0] == preprocessor.vocabulary.unknown_id
    with pytest.raises(ValueError, match=r"needs unknown=True\. Received: max_tokens=2, unknown=False"):
        TextPreprocessor.from_text("a", max_tokens=2)


@pytest.mark.parametrize(("text", "split"), [("", "characters"), (" \n ", "whitespace"), ([], "characters")])
def test_text_without_tokens_is_an_error(text, split):
    with pytest.raises(ValueError, match="The text has no tokens"):
        TextPreprocessor.from_text(text, split)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\nb\u0301\nc",
            "line 2: the text has the character U+0301 COMBINING ACUTE ACCENT, which is not in the vocabulary",
        ),
        (["a\n", "b\n", "c d"], "line 3: the text has the character 'd', which is not in the vocabulary"),
        (b"a\xff", "line 1: the text is not valid UTF-8"),
    ],
)
def test_line_that_does_not_fit_is_named(text, message):
    with pytest.raises(ValueError, match="line") as error:
        LETTERS.encode(text)
    assert str(error.value) == message


def test_file_is_named_where_its_text_does_not_fit():
    with pytest.raises(ValueError, match=r"^notes\.txt:2: the text has the character 'd'"):
        LETTERS.encode("abc\nd", "notes.txt")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("split", ["characters", "whitespace"])
def test_line_ends_of_every_system_are_read_as_line_feeds(end, lines, split, tmp_path):
    expected = "ab c\n\nb\na\n"
    text = expected.replace("\n", end)
    (tmp_path / "text.txt").write_bytes(text.encode())
    own = TextPreprocessor.from_text(expected, split, lines=lines)
    for form in (
        text,
        text.encode(),
        [f"{line}{end}" for line in expected.splitlines()],
        read_text(tmp_path / "text.txt"),
    ):
        preprocessor = TextPreprocessor.from_text(form, split, lines=lines)
        assert preprocessor == own
        assert preprocessor.encode(form).tolist() == own.encode(expected).tolist()
    np.testing.assert_array_equal(own.encode_prompts([f"{end}ab c"])[0], own.encode_prompts(["\nab c"])[0])


def test_line_ends_of_every_system_are_counted_where_a_text_does_not_fit(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"a\rb\r\nc\nX")
    with pytest.raises(ValueError, match=r":4: the text has the character 'X'"):
        LETTERS.read(tmp_path / "text.txt")


def test_a_text_has_no_separator(tmp_path):
    with pytest.raises(ValueError, match="A text has no separator"):
        LETTERS.read(tmp_path / "text.txt", separator="_")


def test_last_tenth_is_held_out():
    text = "abc cab bc" * 10
    training, validation = LETTERS.hold_out(text)
    assert (texts(LETTERS, training), texts(LETTERS, validation)) == (text[:90], text[90:])
    training, validation = LINES.hold_out("abcabc\n" * 15)
    assert (len(training), len(validation)) == (13 * 7, 2 * 7)
    assert training[-1] == END_ID


def test_windows_are_pieces_of_the_text_with_what_stands_before():
    text = "".join("abc "[int(i)] for i in np.random.default_rng(0).integers(0, 4, 500))
    ids = LETTERS.encode(text).tolist()
    places = set()
    for tokens, targets in LETTERS.windows(text, 40, 10, steps=100):
        assert tokens.shape == targets.shape == (40, 10)
        np.testing.assert_array_equal(tokens[:, 1:], targets[:, :-1])
        for row, target in zip(tokens.numpy().tolist(), targets.numpy().tolist(), strict=True):
            (place,) = (i for i in range(len(ids) - 9) if ids[i : i + 10] == target)
            assert row[0] == (ids[place - 1] if place else START_ID)
            places.add(place)
    assert {0, len(ids) - 10} <= places
    assert len(places) > 300


def test_windows_that_begin_a_line_read_the_start_token():
    newline = LETTERS.encode("\n")[0]
    for tokens, targets in LETTERS.windows("abc\ncab\n" * 20, 64, 5, steps=3):
        starts = tokens[:, 0].numpy() == START_ID
        assert starts.any()
        assert (tokens[:, 0].numpy() != newline).all()
        begun = {texts(LETTERS, target) for target in targets.numpy()[starts]}
        assert begun <= {"abc\nc", "cab\na", "cab\n"}


def test_after_a_lines_end_the_start_token_is_read():
    for tokens, targets in LINES.windows("abc\ncab\n" * 20, 16, 9, steps=3):
        assert (tokens.numpy() != END_ID).all()
        np.testing.assert_array_equal(tokens.numpy()[:, 1:] == START_ID, targets.numpy()[:, :-1] == END_ID)


def test_words_without_lines_read_the_start_token_in_some_windows():
    ((tokens, _),) = WORDS.windows(" ".join([HELLO] * 20), 64, 5, steps=1)
    assert (tokens[:, 0].numpy() == START_ID).sum() >= 4


def test_windows_repeat_with_the_seed_and_differ_between_epochs():
    def epochs(seed):
        dataset = LETTERS.windows("abc cab" * 50, 4, 6, seed=seed)
        assert len(dataset) == 351 // 24
        return [[targets.numpy().tolist() for _, targets in dataset] for _ in range(2)]

    first = epochs(1)
    assert first == epochs(1)
    assert first[0] != first[1]
    assert first != epochs(2)


def test_consecutive_windows_cover_the_text_once():
    text = "abc cab" * 10
    batches = list(LETTERS.consecutive(text, 4, 6))
    assert "".join(texts(LETTERS, row) for _, targets in batches for row in targets.numpy()) == text[:66]
    assert [len(targets) for _, targets in batches] == [4, 4, 3]


@pytest.mark.parametrize("preprocessor", [LETTERS, LINES], ids=["one text", "lines"])
def test_ordered_parts_are_the_whole_text(preprocessor):
    text = "abc\ncab\n" * 5
    parts = list(preprocessor.ordered(text, 7))
    tokens, targets = (np.concatenate(part, axis=1)[0] for part in zip(*parts, strict=True))
    assert tokens[0] == START_ID
    np.testing.assert_array_equal(np.where(targets[:-1] == END_ID, START_ID, targets[:-1]), tokens[1:])
    assert len(targets) == 40
    with pytest.raises(ValueError, match="no text to evaluate"):
        list(preprocessor.ordered("", 7))


@pytest.mark.parametrize("method", ["windows", "consecutive"])
def test_text_shorter_than_a_window_is_an_error(method):
    with pytest.raises(ValueError, match="The text has 4 tokens, fewer than one window of 5: give more text"):
        getattr(LETTERS, method)("abc", 2, 5)
    with pytest.raises(ValueError, match=r"batch_size and length must be at least 1\. Received: batch_size=0"):
        getattr(LETTERS, method)("abc", 0, 5)


def test_prompts_are_padded_at_their_ends_and_the_empty_one_is_the_start_token():
    ids, lengths, errors = LETTERS.encode_prompts(["ab", "", "c"])
    a, b, c = LETTERS.encode("abc")[:3]
    assert ids.numpy().tolist() == [[a, b], [START_ID, 0], [c, 0]]
    assert lengths.numpy().tolist() == [2, 1, 1]
    assert errors.numpy().tolist() == [b""] * 3


def test_line_break_in_front_of_a_prompt_begins_a_line():
    a = LINES.encode("a")[0]
    assert LINES.encode_prompts(["\na", "a"])[0].numpy().tolist() == [[START_ID, a], [a, 0]]


def test_wrong_prompts_have_errors_and_unknown_words_where_there_is_a_token_for_them_none():
    errors = LETTERS.encode_prompts(["a", "é", b"\xff"])[2].numpy()
    assert [error.decode() for error in errors] == [
        "",
        "the prompt has the character 'é', which is not in the vocabulary (U+00E9 LATIN SMALL LETTER E WITH ACUTE)",
        "the prompt is not valid UTF-8",
    ]
    words = TextPreprocessor.from_text(HELLO, "whitespace", unknown=True)
    ids, _, errors = words.encode_prompts(["you there"])
    assert errors.numpy().tolist() == [b""]
    assert ids.numpy()[0, 1] == words.vocabulary.unknown_id
    assert words.unknown_tokens("you there you there") == ["there"]


def test_prompts_are_encoded_alike_in_a_graph():
    encode = tf.function(LINES.encode_prompts, input_signature=[tf.TensorSpec([None], tf.string)])
    for mine, expected in zip(encode(["ab", "", "\nc"]), LINES.encode_prompts(["ab", "", "\nc"]), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_preprocessor_survives_serialisation():
    for preprocessor in (LETTERS, LINES, WORDS):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(preprocessor))
        assert again == preprocessor
        assert hash(again) == hash(preprocessor)
    assert LETTERS != LINES


@pytest.mark.parametrize("lines", [False, True])
def test_texts_and_prompts_are_read_in_lower_case_and_normal_form(lines):
    options = {"lines": lines, "lower_case": True, "normal_form": "NFC"}
    preprocessor = TextPreprocessor.from_text("cafe\u0301\nÀ b\r\n", **options)
    assert preprocessor.vocabulary.normal_form == "NFC"
    assert {"é", "à"} <= set(preprocessor.vocabulary.tokens)
    np.testing.assert_array_equal(preprocessor.encode("Cafe\u0301\nA\u0300 B"), preprocessor.encode("café\nà b"))
    ids, lengths, errors = preprocessor.encode_prompts(["CAFE\u0301", "café", "\nÀ", "Z", ""])
    assert ids.numpy()[0].tolist() == ids.numpy()[1].tolist()
    assert lengths.numpy()[:2].tolist() == [4, 4]
    message = "the prompt has the character 'z', which is not in the vocabulary"
    assert [error.decode() for error in errors.numpy()] == ["", "", "", message, ""]
    assert preprocessor.unknown_tokens("CAFÉ Z") == ["z"]
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(preprocessor))
    assert copy == preprocessor


def test_a_mark_that_begins_a_line_is_not_composed_with_the_line_before():
    preprocessor = TextPreprocessor.from_text("e\n\u0301e\u0301", normal_form="NFC")
    assert texts(preprocessor, preprocessor.encode("e\n\u0301e\u0301")) == "e\n\u0301é"


def test_the_most_frequent_tokens_are_counted_in_lower_case():
    preprocessor = TextPreprocessor.from_text("a B b c c", "whitespace", unknown=True, max_tokens=2, lower_case=True)
    assert preprocessor.vocabulary.tokens == ["b", "c"]
