"""Sentences as words and punctuation, and back: the same in Python and in TensorFlow."""

import sys
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, Vocabulary
from seqzoo.pipelines.tokens import join_tokens, split_tokens
from seqzoo.pipelines.words import JOINER, marked, marked_string

sentences = st.text(
    st.one_of(
        st.sampled_from("aé한 \t\n\r\x0b\x0c\x1c\x85\u00a0\u202f\u3000.,'-!?()\\^[]\ufffd\uffed\u0301"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\uffff"),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", ["Hello", "￭,", "world", "￭!"]),
        ("don't", ["don", "￭'￭", "t"]),
        ("twenty-one", ["twenty", "￭-￭", "one"]),
        ("« Bonjour »", ["«", "Bonjour", "»"]),
        ("(a)", ["(￭", "a", "￭)"]),
        ("3,5 €", ["3", "￭,￭", "5", "€"]),
        ('"No..."', ['"￭', "No", "￭.", "￭.", "￭.", '￭"']),
        ("Ça va\u202f?", ["Ça", "va", "￭\u202f", "￭?"]),
        ("! ?", ["!", "?"]),
        ("x - y", ["x", "-", "y"]),
        ("  a ,b!?c  ", ["a", ",￭", "b", "￭!", "￭?￭", "c"]),
        ("e\u0301", ["e\u0301"]),
        ("", []),
        ("a\ufffd", ["a\ufffd"]),
    ],
)
def test_punctuation_is_a_token_and_marks_where_it_touches(text, tokens):
    assert split_tokens(text, "words") == tokens
    assert join_tokens(tokens, "words") == text.strip()


@settings(deadline=None, max_examples=300)
@given(st.lists(sentences, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, "NFC", "NFKD"]))
def test_python_and_tensorflow_split_alike_and_ids_come_back_as_the_text(strings, lower_case, normal_form):
    vocabulary = Vocabulary.from_strings(["x", *strings], "words", False, lower_case, normal_form)
    of_ids = [None, None, *vocabulary.tokens]
    ids = vocabulary.lookup(strings)
    assert [[of_ids[index] for index in row] for row in ids.to_list()] == [*map(vocabulary.split_string, strings)]
    read = [text.decode() for text in vocabulary.join(ids.to_tensor()).numpy()]
    normalized = [text.decode() for text in vocabulary.normalize(tf.constant(strings)).numpy()]
    assert read == normalized == [*map(vocabulary.normalize_string, strings)]
    if not vocabulary.normalizes:
        assert read == [b" ".join(text.replace(JOINER, "■").encode().split()).decode() for text in strings]
    assert [*map(vocabulary.normalize_string, normalized)] == normalized


def test_all_code_points_are_classed_alike_by_python_and_tensorflow():
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    known = [
        each for each in characters if unicodedata.category(each)[0] in "PSZ" and each not in (" ", "\ufffd", JOINER)
    ]
    texts = ["a".join(characters[at : at + 256]) for at in range(0, len(characters), 256)]
    assert [text.decode() for text in marked(tf.constant(texts)).numpy()] == [*map(marked_string, texts)]
    assert marked_string("".join(known)).encode().split()[1:] == [f"{JOINER}{each}".encode() for each in known[1:]]


def test_a_vocabulary_has_marked_tokens_and_refuses_what_is_none():
    vocabulary = Vocabulary(["a", ",", "￭,", ",￭", "￭,￭"], "words")
    assert Vocabulary.from_config(vocabulary.get_config()) == vocabulary
    assert (vocabulary.unit, vocabulary.token_texts("a,a")) == ("word", ["a", ",", "a"])
    for token in ("", "a b", "a,", "￭a", "a￭", "￭", ",,", "■￭,"):
        with pytest.raises(ValueError, match="A token of split='words' must be a word, or one character"):
            Vocabulary(["a", token], "words")
    with pytest.raises(ValueError, match="A token must be as it is read with"):
        Vocabulary(["a", "￭…"], "words", normal_form="NFKC")


def test_unknown_words_are_shown_as_one_character_which_is_read_as_unknown_again():
    vocabulary = Vocabulary(["a", "￭.", "(￭", "￭)"], "words", unknown=True)
    ids = vocabulary.lookup(["a b.", "(b)"])
    assert [text.decode() for text in vocabulary.join(ids.to_tensor()).numpy()] == ["a \ufffd.", "(\ufffd)"]
    assert vocabulary.lookup(["a \ufffd.", "(\ufffd)"]).to_list() == ids.to_list()


def test_errors_name_words_without_marks_and_count_punctuation():
    preprocessor = PairPreprocessor.from_pairs([("I go.", "x")], source_split="words")
    assert [error.decode() for error in preprocessor.encode_sources(["I go!", "I. go.", b"\xff"])[1].numpy()] == [
        "source 'I go!' has the word '!', which is not in the vocabulary",
        "source 'I. go.' has 4 words, the model takes at most 3",
        "source is not valid UTF-8: \\xff",
    ]


def test_a_text_that_is_continued_is_not_split_so():
    with pytest.raises(ValueError, match="which is for pairs"):
        TextPreprocessor.from_text("Hello, world!", split="words")
