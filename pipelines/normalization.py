"""Unicode normal forms and lower case of whole batches of strings, as TensorFlow operations on code points.

The algorithms are those of Unicode Standard Annex 15 (https://unicode.org/reports/tr15) with the tables of Python's
`unicodedata`. TensorFlow's own `tf.strings.lower` and the normal forms of TensorFlow Text use the tables of another
version of Unicode, and TensorFlow Serving has no operations of TensorFlow Text.
"""

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf

NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")

# Syllables of Hangul are 19 leading consonants × 21 vowels × 28 trailing consonants, the first of which is none.
_SYLLABLE, _LEADING, _VOWEL, _TRAILING = 0xAC00, 0x1100, 0x1161, 0x11A7
_LEADINGS, _VOWELS, _TRAILINGS = 19, 21, 28
_SYLLABLES = _LEADINGS * _VOWELS * _TRAILINGS
# One number for two code points, each of which has at most 21 bits; and for a place and a combining class.
_PAIR, _CLASSES = 2**21, 2**8


def check_normal_form(normal_form):
    """Raises a `ValueError` for what is neither `None` nor a normal form."""
    if normal_form is not None and normal_form not in NORMAL_FORMS:
        raise ValueError(f"normal_form must be None or one of {NORMAL_FORMS}. Received: normal_form={normal_form!r}")


def normalize_string(string, lower_case=False, normal_form=None):
    """One `str` in a normal form and in lower case.

    The string is brought into the normal form, each of its characters is then replaced by its own lower case
    (`str.lower` of the character alone, so that Σ becomes σ also at the end of a word), and the result is brought into
    the normal form again. Normalising twice is the same as normalising once.

    Args:
        string: `str`.
        lower_case: bool.
        normal_form: one of `NORMAL_FORMS`, or `None`.

    Raises:
        ValueError: for another `normal_form`.
    """
    check_normal_form(normal_form)
    if normal_form is not None:
        string = unicodedata.normalize(normal_form, string)
    if lower_case:
        string = "".join(map(str.lower, string))
        if normal_form is not None:
            string = unicodedata.normalize(normal_form, string)
    return string


@functools.cache
def normalizer(lower_case, normal_form):
    """The `Normalizer` of these options; its tables are made once for a process."""
    return Normalizer(lower_case, normal_form)


class Normalizer:
    """`normalize_string` for a batch of strings, with the same results.

    Args:
        lower_case: bool.
        normal_form: one of `NORMAL_FORMS`, or `None`.
    """

    def __init__(self, lower_case, normal_form):
        # Lower case of a character and of its decomposition have the same decomposition, so that one table serves for
        # decomposition, lower case and decomposition again.
        self._decomposed = normal_form and normal_form.replace("C", "D")
        self._composes = normal_form in ("NFC", "NFKC")
        expansions = _expansions(lower_case, self._decomposed)
        self._expanded = np.array(list(expansions), "int32")
        self._starts = np.cumsum([0, *map(len, expansions.values())], dtype="int32")
        self._expansions = np.array([code for each in expansions.values() for code in each], "int32")
        if self._decomposed:
            self._marks, self._mark_classes = _combining_classes()
        if self._composes:
            self._pairs, self._composites = _composites()
        # One function for every graph that normalises, so that a saved model holds the tables once.
        signature = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64)]
        self._normalized = tf.function(self._normalized, input_signature=signature, autograph=False)
        # Traced so that its loops also run in the graphs of `seqzoo.runtime.compiled_for_python`.
        with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            self._normalized.get_concrete_function()

    def __call__(self, code_points):
        """The code points of the normalised strings.

        Args:
            code_points: int32 ragged tensor, `[batch, (length)]`.

        Returns:
            int32 ragged tensor, `[batch, (length)]`, of other lengths.
        """
        return tf.RaggedTensor.from_row_splits(
            *self._normalized(code_points.flat_values, code_points.row_splits), validate=False
        )

    def _normalized(self, codes, row_splits):
        rows = tf.RaggedTensor.from_row_splits(codes, row_splits, validate=False).value_rowids()
        row_count = tf.size(row_splits, tf.int64) - 1
        codes, rows = self._expand(codes, rows)
        if self._decomposed:
            codes, classes = self._in_canonical_order(codes, rows)
            if self._composes:
                codes, rows = self._compose(codes, classes, rows)
        strings = tf.RaggedTensor.from_value_rowids(codes, rows, row_count, validate=False)
        return strings.flat_values, strings.row_splits

    def _expand(self, codes, rows):
        """Replaces each code point by its decomposition, in lower case if that is wanted."""
        places, expands = _find(self._expanded, codes)
        table = tf.constant(self._starts)
        starts = tf.gather(table, places)
        counts = tf.where(expands, tf.gather(table, places + 1) - starts, 1)
        number = codes - _SYLLABLE
        if self._decomposed:
            syllables = _is_within(codes, _SYLLABLE, _SYLLABLES)
            counts = tf.where(syllables, tf.where(number % _TRAILINGS == 0, 2, 3), counts)
        source = tf.repeat(tf.range(tf.size(codes)), counts)
        offset = tf.range(tf.size(source)) - tf.gather(tf.cumsum(counts, exclusive=True), source)
        at = tf.minimum(tf.gather(starts, source) + offset, len(self._expansions) - 1)
        expanded = tf.gather(self._expansions, at)
        expanded = tf.where(tf.gather(expands, source), expanded, tf.gather(codes, source))
        if self._decomposed:
            number = tf.gather(number, source)
            leading = _LEADING + number // (_VOWELS * _TRAILINGS)
            vowel = _VOWEL + number // _TRAILINGS % _VOWELS
            jamo = tf.where(offset == 0, leading, tf.where(offset == 1, vowel, _TRAILING + number % _TRAILINGS))
            expanded = tf.where(tf.gather(syllables, source), jamo, expanded)
        return expanded, tf.gather(rows, source)

    def _in_canonical_order(self, codes, rows):
        """Sorts each run of combining marks by their classes: the code points, and the class of each."""
        places, marks = _find(self._marks, codes)
        classes = tf.where(marks, tf.cast(tf.gather(self._mark_classes, places), tf.int32), 0)
        follows = tf.concat([[False], rows[1:] == rows[:-1]], axis=0)[: tf.size(rows)]
        runs = tf.cumsum(tf.cast(~(marks & follows), tf.int64))
        order = tf.argsort(runs * _CLASSES + tf.cast(classes, tf.int64), stable=True)
        return tf.gather(codes, order), tf.gather(classes, order)

    def _compose(self, codes, classes, rows):
        """Composes each starter with the marks and starters after it: the code points and their rows.

        One round composes each starter with the first code point that it can be composed with. What a starter cannot
        be composed with now, it cannot be composed with later, since each character is its own normal form. So the
        rounds find what the standard finds from left to right, and are as few as a character has marks.
        """

        def compose_once(codes, classes, rows, _):
            indices = tf.range(tf.size(codes))
            starters = tf.boolean_mask(indices, classes == 0)
            number = tf.cumsum(tf.cast(classes == 0, tf.int32), exclusive=True) - 1
            has_starter = number >= 0
            # The last starter before each code point. Without any, the code point itself.
            starter = tf.where(has_starter, tf.gather(tf.pad(starters, [(0, 1)]), tf.maximum(number, 0)), indices)
            previous = tf.maximum(indices - 1, 0)
            is_open = (starter == previous) | (tf.gather(classes, previous) < classes)
            composites = self._composites_of(tf.gather(codes, starter), codes)
            composes = has_starter & (tf.gather(rows, starter) == rows) & is_open & (composites >= 0)
            composes &= ~tf.gather(composes, starter)
            second = tf.boolean_mask(indices, composes)
            first = tf.gather(starter, second)
            is_first = tf.concat([[True], first[1:] != first[:-1]], axis=0)[: tf.size(first)]
            first, second = tf.boolean_mask(first, is_first), tf.boolean_mask(second, is_first)
            codes = tf.tensor_scatter_nd_update(codes, first[:, None], tf.gather(composites, second))
            stays = tf.tensor_scatter_nd_update(tf.ones_like(composes), second[:, None], tf.zeros_like(second, tf.bool))
            codes, classes, rows = (tf.boolean_mask(each, stays) for each in (codes, classes, rows))
            return codes, classes, rows, tf.size(first) > 0

        flat = tf.TensorShape([None])
        codes, _, rows, _ = tf.while_loop(
            lambda codes, classes, rows, composed: composed,
            compose_once,
            (codes, classes, rows, tf.constant(True)),
            shape_invariants=(flat, flat, flat, tf.TensorShape([])),
        )
        return codes, rows

    def _composites_of(self, first, second):
        """What two code points compose to, int32 `[length]`; -1 where they do not."""
        keys = tf.cast(first, tf.int64) * _PAIR + tf.cast(second, tf.int64)
        places, found = _find(self._pairs, keys)
        composites = tf.where(found, tf.gather(self._composites, places), -1)
        is_pair = _is_within(first, _LEADING, _LEADINGS) & _is_within(second, _VOWEL, _VOWELS)
        syllable = _SYLLABLE + ((first - _LEADING) * _VOWELS + second - _VOWEL) * _TRAILINGS
        composites = tf.where(is_pair, syllable, composites)
        is_open = _is_within(first, _SYLLABLE, _SYLLABLES) & ((first - _SYLLABLE) % _TRAILINGS == 0)
        closes = _is_within(second, _TRAILING + 1, _TRAILINGS - 1)
        return tf.where(is_open & closes, first + second - _TRAILING, composites)


def _find(keys, values):
    """The place of each value in sorted keys, and whether it is there."""
    keys = tf.constant(keys)  # One constant in the graph; an array would become one at each use.
    places = tf.minimum(tf.searchsorted(keys, values), tf.size(keys) - 1)
    return places, tf.gather(keys, places) == values


def _is_within(codes, start, count):
    return (codes >= start) & (codes < start + count)


def _expansions(lower_case, decomposed):
    """The code points that each code point becomes, sorted; without those that stay and the syllables of Hangul."""
    expansions = {}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if _SYLLABLE <= code < _SYLLABLE + _SYLLABLES:
            continue
        if unicodedata.decomposition(character) or character.lower() != character:
            expansion = normalize_string(character, lower_case, decomposed)
            if expansion != character:
                expansions[code] = list(map(ord, expansion))
    return expansions


def _combining_classes():
    """The combining marks, sorted, and the class of each."""
    classes = {code: unicodedata.combining(chr(code)) for code in range(sys.maxunicode + 1)}
    classes = {code: number for code, number in classes.items() if number}
    return np.array(list(classes), "int32"), np.array(list(classes.values()), "uint8")


def _composites():
    """The pairs of code points that compose, each as one number, sorted; and what each composes to."""
    pairs = {}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        parts = unicodedata.decomposition(character).split()
        # Compatibility decompositions begin with a tag. Characters that must not be composed are not normal.
        if len(parts) == 2 and parts[0][0] != "<" and unicodedata.normalize("NFC", character) == character:
            pairs[int(parts[0], 16) * _PAIR + int(parts[1], 16)] = code
    keys = sorted(pairs)
    return np.array(keys, "int64"), np.array([pairs[key] for key in keys], "int32")
