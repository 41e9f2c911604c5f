"""Vocabulary: which id each token has, and that strings survive the way to ids and back."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines import PADDING_ID, START_ID, Vocabulary

DIGITS = "0123456789+"
CORPUS = "you say goodbye and I say hello ."
valid_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\uffff")


def texts(strings):
    return [string.decode() for string in strings.numpy()]


def round_trip(vocabulary, strings):
    return texts(vocabulary.join(vocabulary.lookup(strings).to_tensor()))


def test_ids_are_padding_start_then_sorted_characters():
    vocabulary = Vocabulary(DIGITS)
    assert (PADDING_ID, START_ID) == (0, 1)
    assert vocabulary.size == 13
    assert vocabulary.tokens == sorted(DIGITS)
    assert vocabulary.lookup(["+0123456789"]).to_list() == [list(range(2, 13))]
    assert vocabulary.lookup(["57+5"]).to_list() == [[8, 10, 2, 8]]


def test_order_and_duplicates_of_tokens_do_not_matter():
    assert Vocabulary("9+8+0") == Vocabulary(["0", "8", "9", "+", "+"])


def test_characters_sort_by_code_point_beyond_ascii():
    assert Vocabulary("👍한é+").lookup(["+é한👍"]).to_list() == [[2, 3, 4, 5]]


def test_ids_are_int32():
    assert Vocabulary(DIGITS).lookup(["1"]).dtype == tf.int32


def test_unlisted_token_is_minus_one_without_an_unknown_token():
    vocabulary = Vocabulary("ab")
    assert vocabulary.unknown_id == -1
    assert vocabulary.lookup(["axb", "\x00", "€"]).to_list() == [[2, -1, 3], [-1], [-1]]


def test_unknown_token_has_the_first_id_after_start():
    vocabulary = Vocabulary("ab", unknown=True)
    assert vocabulary.unknown_id == 2
    assert vocabulary.size == 5
    assert vocabulary.lookup(["axb"]).to_list() == [[3, 2, 4]]


def test_unknown_character_is_shown_as_the_replacement_character():
    assert round_trip(Vocabulary("ab", unknown=True), ["axb"]) == ["a\ufffdb"]


def test_unknown_word_is_shown_as_unk():
    assert round_trip(Vocabulary(["a", "b"], "whitespace", unknown=True), ["a x b"]) == ["a <unk> b"]


@pytest.mark.parametrize("split", ["characters", "whitespace"])
def test_empty_vocabulary_is_refused(split):
    with pytest.raises(ValueError, match="at least one token"):
        Vocabulary([], split)


def test_empty_string_has_no_ids():
    assert Vocabulary(DIGITS).lookup(["", "1"]).to_list() == [[], [4]]


def test_words_of_the_corpus():
    vocabulary = Vocabulary.from_strings([CORPUS], split="whitespace")
    assert vocabulary.tokens == [".", "I", "and", "goodbye", "hello", "say", "you"]
    assert vocabulary.lookup([CORPUS]).to_list() == [[8, 7, 5, 4, 3, 7, 6, 2]]
    assert round_trip(vocabulary, [CORPUS]) == [CORPUS]


def test_any_run_of_white_space_separates_words():
    vocabulary = Vocabulary(["a", "b"], split="whitespace")
    assert vocabulary.lookup(["  a \t\n b "]).to_list() == [[2, 3]]
    assert round_trip(vocabulary, ["  a \t\n b "]) == ["a b"]


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2028", "\x1c", "\x85"], ids=ascii)
def test_words_collected_from_a_string_are_found_in_it(space):
    text = f"a{space}b c"
    assert -1 not in Vocabulary.from_strings([text], split="whitespace").lookup([text]).to_list()[0]


def test_from_strings_collects_characters():
    assert Vocabulary.from_strings(["57+5", "62"]) == Vocabulary("+2567")


def test_join_leaves_out_padding_and_start():
    assert texts(Vocabulary("ab").join([[START_ID, 2, 3, PADDING_ID, PADDING_ID]])) == ["ab"]
    words = Vocabulary(["a", "b"], split="whitespace")
    assert texts(words.join(tf.constant([[START_ID, 2, 3, PADDING_ID], [0, 0, 0, 0]]))) == ["a b", ""]


def test_a_token_is_not_mistaken_for_a_longer_one_with_the_same_start():
    vocabulary = Vocabulary(["you", "your"], split="whitespace")
    assert vocabulary.lookup(["you your yo yours"]).to_list() == [[2, 3, -1, -1]]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(valid_characters), min_size=1, max_size=5))
def test_any_unicode_text_round_trips(strings):
    assert round_trip(Vocabulary.from_strings(["x", *strings]), strings) == strings


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.text("0123456789+-z\0é한", max_size=9), min_size=1, max_size=5),
    st.sampled_from([DIGITS, DIGITS + "\0", DIGITS + "é"]),
)
def test_padded_ids_are_those_of_the_look_up(strings, tokens):
    """With bytes, and without: in which strings there is something wrong, and the ids of the others."""
    vocabulary, length = Vocabulary(tokens), 6
    ids, lengths = (each.numpy() for each in vocabulary.padded_ids(tf.constant(strings), length))
    for string, row, count in zip(strings, ids, lengths, strict=True):
        expected = vocabulary.lookup([string]).to_list()[0]
        if set(string) <= set(tokens):
            assert count == len(string)
            assert row.tolist() == (expected + [PADDING_ID] * length)[:length]
        else:
            assert -1 in row or count > length
            assert count >= len(string)


@pytest.mark.parametrize(
    "text",
    [
        "안녕하세요",
        "👍🏽👩‍👩‍👧",
        "e\u0301\u0323",
        "a\x00b\x00",
        "\ufeffa",
        "\ufffd",
        "\ufffe\U0010ffff",
        "\r\n",
        "한\u0000👍",
    ],
    ids=ascii,
)
def test_unusual_text_round_trips(text):
    assert round_trip(Vocabulary(text), [text, text[::-1]]) == [text, text[::-1]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(valid_characters).filter(lambda word: word.split() == [word]), min_size=1, max_size=5))
def test_any_words_round_trip(words):
    text = " ".join(words)
    assert round_trip(Vocabulary(words, split="whitespace"), [text]) == [text]


@pytest.mark.parametrize(
    ("vocabulary", "strings"),
    [
        (Vocabulary(DIGITS), ["57+5", "", "1x2"]),
        (Vocabulary("a\x00한👍", unknown=True), ["a\x00한👍", "b\x00", "👍한"]),
        (Vocabulary.from_strings([CORPUS], "whitespace", unknown=True), [CORPUS, "you hello", "and x ."]),
    ],
    ids=["digits", "unicode", "words"],
)
def test_graph_equals_eager(vocabulary, strings):
    def ids_of(strings):
        return vocabulary.lookup(strings).to_tensor(PADDING_ID)

    ids = ids_of(strings)
    assert tf.function(ids_of)(tf.constant(strings)).numpy().tolist() == ids.numpy().tolist()
    listed = tf.maximum(ids, 0)
    assert texts(tf.function(vocabulary.join)(listed)) == texts(vocabulary.join(listed))


@pytest.mark.parametrize(
    "vocabulary",
    [
        Vocabulary("한a+👍\x00"),
        Vocabulary("ab", unknown=True),
        Vocabulary(["a", "한글"], "whitespace"),
        Vocabulary("aé", lower_case=True, normal_form="NFC"),
    ],
    ids=["characters", "unknown", "words", "normalised"],
)
def test_config_round_trip(vocabulary):
    copy = Vocabulary.from_config(vocabulary.get_config())
    assert copy == vocabulary
    assert hash(copy) == hash(vocabulary)
    names = ("tokens", "split", "unknown", "lower_case", "normal_form")
    assert copy.get_config() == {name: getattr(vocabulary, name) for name in names}


def test_config_of_earlier_versions_is_read():
    config = {"tokens": ["a", "b"], "split": "characters", "unknown": False}
    assert Vocabulary.from_config(config) == Vocabulary("ab")


@pytest.mark.parametrize(
    "other",
    [
        Vocabulary("abc"),
        Vocabulary("ab", unknown=True),
        Vocabulary("ab", split="whitespace"),
        Vocabulary("ab", lower_case=True),
        Vocabulary("ab", normal_form="NFC"),
        "ab",
        None,
    ],
    ids=["tokens", "unknown", "split", "lower_case", "normal_form", "str", "none"],
)
def test_vocabularies_that_differ_are_not_equal(other):
    assert Vocabulary("ab") != other


@pytest.mark.parametrize("token", ["ab", "", "\ud800", "\uffff", "e\u0301"], ids=ascii)
def test_bad_character_is_refused(token):
    with pytest.raises(ValueError, match="one Unicode character"):
        Vocabulary(["a", token])


@pytest.mark.parametrize("token", ["", " ", "a b", "a\tb", "a\n", " a"], ids=ascii)
def test_bad_word_is_refused(token):
    with pytest.raises(ValueError, match="one word without white space"):
        Vocabulary(["a", token], split="whitespace")


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split='word'"):
        Vocabulary("ab", split="word")


def test_strings_are_read_in_lower_case_and_normal_form():
    vocabulary = Vocabulary("aé가", lower_case=True, normal_form="NFC")
    assert vocabulary.lookup(["AE\u0301É", "\u1100\u1161", "E"]).to_list() == [[2, 3, 3], [4], [-1]]
    assert Vocabulary("ae\u0301", normal_form="NFD").lookup(["aé"]).to_list() == [[2, 3, 4]]
    assert Vocabulary("ab").lookup(["aB"]).to_list() == [[2, -1]]


def test_words_are_split_after_they_are_normalised():
    vocabulary = Vocabulary(["fi", "é"], "whitespace", lower_case=True, normal_form="NFKC")
    assert vocabulary.lookup([" ﬁ\u3000E\u0301\tFI "]).to_list() == [[2, 3, 2]]


@pytest.mark.parametrize("tokens", ["abk", "abké"])
def test_padded_ids_are_those_of_normalised_strings(tokens):
    """Also where all tokens are ASCII: the Kelvin sign is a K."""
    ids, lengths = Vocabulary(tokens, lower_case=True, normal_form="NFC").padded_ids(["\u212aAb", "E\u0301", ""], 4)
    unlisted = 5 if "é" in tokens else -1
    assert ids.numpy().tolist() == [[4, 2, 3, 0], [unlisted, 0, 0, 0], [0, 0, 0, 0]]
    assert lengths.numpy().tolist() == [3, 1, 0]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(st.one_of(valid_characters, st.sampled_from("AÉΣ\u0301\u0323 \u3000ﬁ"))), min_size=1, max_size=4),
    st.sampled_from(["characters", "whitespace"]),
    st.booleans(),
    st.sampled_from([None, "NFC", "NFKD"]),
)
def test_python_and_tensorflow_read_the_same_tokens(strings, split, lower_case, normal_form):
    vocabulary = Vocabulary.from_strings(["x", *strings], split, False, lower_case, normal_form)
    texts_of_ids = [None, None, *vocabulary.tokens]
    read = [[texts_of_ids[index] for index in row] for row in vocabulary.lookup(strings).to_list()]
    assert read == [vocabulary.split_string(string) for string in strings]
    normalized = texts(vocabulary.normalize(tf.constant(strings)))
    assert normalized == [vocabulary.normalize_string(string) for string in strings]
    assert normalized == [vocabulary.separator.join(tokens) for tokens in read]
    assert texts(vocabulary.normalize(tf.constant(normalized))) == normalized


@pytest.mark.parametrize("unknown", [False, True])
def test_invalid_bytes_have_no_id_in_a_normalised_vocabulary(unknown):
    vocabulary = Vocabulary("ab", unknown=unknown, lower_case=True, normal_form="NFC")
    assert vocabulary.lookup([b"A\xffz"]).to_list() == [[3 if unknown else 2, -1, vocabulary.unknown_id]]


@pytest.mark.parametrize(
    ("tokens", "options", "normalized"),
    [
        ("aB", {"lower_case": True}, "'b'"),
        ("aé", {"normal_form": "NFD"}, "'e\u0301'"),
        (["a", "e\u0301"], {"split": "whitespace", "normal_form": "NFC"}, "'é'"),
    ],
    ids=["lower_case", "normal_form", "word"],
)
def test_token_that_can_never_be_read_is_refused(tokens, options, normalized):
    with pytest.raises(ValueError, match="A token must be as it is read") as error:
        Vocabulary(tokens, **options)
    assert f", {normalized}; Vocabulary.from_strings normalises tokens" in str(error.value)


def test_unknown_normal_form_is_refused():
    with pytest.raises(ValueError, match="normal_form='nfc'"):
        Vocabulary("ab", normal_form="nfc")


def test_options_are_shown():
    assert repr(Vocabulary("ab")) == "Vocabulary(size=4, split='characters', unknown=False)"
    assert repr(Vocabulary("ab", lower_case=True)).endswith(", lower_case=True, normal_form=None)")
