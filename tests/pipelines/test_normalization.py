"""Normal forms and lower case as TensorFlow operations: the same as Python's for every character, and for sequences."""

import functools
import itertools
import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.pipelines.normalization import NORMAL_FORMS, check_normal_form, normalize_string, normalizer

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF and code != 0xFFFF]
OPTIONS = [options for options in itertools.product([False, True], [None, *NORMAL_FORMS]) if options != (False, None)]
every_option = pytest.mark.parametrize(("lower_case", "normal_form"), OPTIONS)


@functools.cache
def pieces():
    """What normal forms are about: letters with marks, as one character and as several; marks; and jamo."""
    marks = [each for each in CHARACTERS if unicodedata.combining(each)]
    composed = [each for each in CHARACTERS if unicodedata.decomposition(each)]
    composed += [chr(code) for code in range(0xAC00, 0xAC00 + 11172, 77)]
    parts = sorted({part for each in composed for part in unicodedata.normalize("NFD", each)})
    jamo = [chr(code) for code in range(0x1100, 0x1200)]
    return st.one_of(*map(st.sampled_from, (marks, marks[:60], composed, parts, jamo, list("aEoOuUΣΩς \uffff"))))


def code_points(text):
    return np.frombuffer(text.encode("utf-32-le"), "<i4")


def normalized(strings, *options):
    codes = normalizer(*options)(tf.strings.unicode_decode(strings, "UTF-8"))
    return [string.decode() for string in tf.strings.unicode_encode(codes, "UTF-8").numpy()]


@every_option
def test_every_character_is_as_in_python(lower_case, normal_form):
    codes = tf.RaggedTensor.from_uniform_row_length(code_points("".join(CHARACTERS)), 1)
    # What is never a character separates one from the next, for one call of Python.
    expected = code_points(normalize_string("\uffff".join(CHARACTERS), lower_case, normal_form))
    result = normalizer(lower_case, normal_form)(codes)
    np.testing.assert_array_equal(result.flat_values, expected[expected != 0xFFFF])


def test_a_normal_form_without_lower_case_is_that_of_unicodedata():
    for form in NORMAL_FORMS:
        for text in ("Ａ\u0323\u0301각ﬁ", "e\u0301\u0323", "".join(CHARACTERS[:5000])):
            assert normalize_string(text, normal_form=form) == unicodedata.normalize(form, text)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_sequences_are_as_in_python_and_normalising_twice_changes_nothing(data):
    strings = data.draw(st.lists(st.text(pieces(), max_size=8), min_size=1, max_size=20))
    options = data.draw(st.sampled_from(OPTIONS))
    expected = [normalize_string(string, *options) for string in strings]
    assert normalized(strings, *options) == expected
    assert [normalize_string(string, *options) for string in expected] == expected


@pytest.mark.parametrize(
    ("string", "normal_form", "expected"),
    [
        ("\u0301\u0323e", "NFC", "\u0323\u0301e"),  # Marks without a letter.
        ("a\u0323\u0302\u0302", "NFC", "\u1ead\u0302"),  # Two rounds; a mark that stays.
        ("a\u0305\u0301", "NFC", "a\u0305\u0301"),  # A mark that another one blocks.
        ("a\u0315\u0300", "NFC", "à\u0315"),  # A mark of a higher class does not.
        ("\u0cc6\u0cc2\u0cd5", "NFC", "\u0ccb"),  # Letters that compose with letters.
        ("\u0958", "NFC", "\u0915\u093c"),  # A character that must not be composed.
        ("가\u11a8각\u11a8", "NFC", "각각\u11a8"),
        ("ﬁ①ｶﾞ㌀", "NFKC", "fi1ガアパート"),
        ("\u00a0\u2003", "NFKC", "  "),
    ],
    ids=ascii,
)
def test_well_known_cases(string, normal_form, expected):
    assert normalized([string, "", string], False, normal_form) == [expected, "", expected]


def test_strings_do_not_reach_into_their_neighbours():
    assert normalized(["e", "\u0301", "가", "\u11a8"], False, "NFC") == ["e", "\u0301", "가", "\u11a8"]


def test_lower_case_is_that_of_each_character_alone():
    assert normalized(["ΑΣ ΟΔΟΣ", "İI", "ẞ", "ÀÉ"], True, None) == ["ασ οδοσ", "i\u0307i", "ß", "àé"]
    assert normalized(["J\u030c", "ℌΣ"], True, "NFKC") == ["ǰ", "hσ"]


def test_an_empty_batch_is_normalised():
    assert normalized(tf.constant([], tf.string), True, "NFKC") == []


def test_a_long_run_of_marks_takes_no_longer_than_other_text():
    string = "a" + "\u0323\u0301\u0327" * 2_000
    assert normalized([string], True, "NFC") == [normalize_string(string, True, "NFC")]


def test_graphs_pipelines_and_saved_models_normalise_alike(tmp_path):
    strings = ["E\u0301ÀﬁΣ가", "", "각\u0323"]
    expected = normalized(strings, True, "NFKC")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def normalize(strings):
        codes = normalizer(True, "NFKC")(tf.strings.unicode_decode(strings, "UTF-8"))
        return tf.strings.unicode_encode(codes, "UTF-8")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def normalize_twice(strings):
        return normalize(normalize(strings))

    module = tf.Module()
    module.normalize, module.normalize_twice = normalize, normalize_twice
    tf.saved_model.save(module, tmp_path / "model", signatures={"a": normalize, "b": normalize_twice})
    loaded = tf.saved_model.load(tmp_path / "model")
    batches = tf.data.Dataset.from_tensor_slices(strings).batch(2).map(normalize)
    results = [normalize(strings), loaded.normalize(strings), loaded.normalize_twice(strings)]
    results.append(tf.concat(list(batches), axis=0))
    for result in results:
        assert [string.decode() for string in result.numpy()] == expected
    # The tables, some 100 KB, are held once.
    assert (tmp_path / "model" / "saved_model.pb").stat().st_size < 300_000


def test_other_normal_forms_are_refused():
    with pytest.raises(ValueError, match=r"normal_form must be None or one of .*Received: normal_form='nfc'"):
        check_normal_form("nfc")
    with pytest.raises(ValueError, match="normal_form='nfc'"):
        normalize_string("a", normal_form="nfc")
