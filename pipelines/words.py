r"""Sentences as words and punctuation, and back, by operations that TensorFlow and Python's `re` have alike.

Punctuation, symbols and white space beside ASCII are tokens of their own. Where one of them touches its neighbour, it
carries the mark `JOINER` on that side, so that tokens can be joined again as they stood: `don't (go)!` has the tokens
`don`, `￭'￭`, `t`, `(￭`, `go`, `￭)`, `￭!`. Marked tokens are what OpenNMT's tokenizer calls joiner annotation.

What is punctuation is a constant of the graph, made from Python's `unicodedata`: `\p{P}` of the regular expressions of
TensorFlow is that of another version of Unicode.
"""

import functools
import re
import sys
import unicodedata

import tensorflow as tf

JOINER = "\uffed"
"""Marks the side on which a token touches its neighbour. In a text it is read as the square of the usual width."""

_SQUARE = "\u25a0"
_SPACE = r"[\t-\r ]"
# Stands for unknown words, and so is none of the symbols.
_REPLACEMENT_CODE_POINT = 0xFFFD
# Where two of them touch, the second has the mark. None is needed beside white space.
_TOUCHING = (f"{JOINER}  {JOINER}", f" {JOINER}")
_APART = (f"(?:{JOINER} )?{_SPACE}+ {JOINER}|{JOINER} {_SPACE}", " ")


def marked(strings):
    """Strings `[batch]` whose tokens have white space between them."""
    strings = tf.strings.join([" ", strings, " "])
    for pattern, replacement in _substitutions():
        strings = tf.strings.regex_replace(strings, pattern, replacement)
    return strings


def marked_string(string):
    """`marked` for one `str`."""
    string = f" {string} "
    for pattern, replacement in _substitutions():
        string = re.sub(pattern, replacement, string)
    return string


def unmarked(strings):
    """The inverse of `marked`, of strings `[batch]` with one space between tokens."""
    return tf.strings.regex_replace(strings, f" ?{JOINER} ?", "")


def unmarked_string(string):
    """`unmarked` for one `str`."""
    return re.sub(f" ?{JOINER} ?", "", string)


def is_marked_word(token):
    """Whether a `str` is a token: a word without punctuation, or one character of punctuation, marked or not."""
    bare = token.removeprefix(JOINER).removesuffix(JOINER)
    return marked_string(bare).encode().split() == [bare.encode()] and (
        bare == token or re.fullmatch(_punctuation(), bare) is not None
    )


@functools.cache
def _substitutions():
    return (JOINER, _SQUARE), (f"({_punctuation()})", f" {JOINER}\\1{JOINER} "), _TOUCHING, _APART


@functools.cache
def _punctuation():
    """The class of all characters that are tokens of their own, as a regular expression."""
    ranges = []
    for code in range(ord("!"), sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] in "PSZ" and code != _REPLACEMENT_CODE_POINT:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return f"[{''.join(f'{_escaped(first)}-{_escaped(last)}' for first, last in ranges)}]"


def _escaped(code):
    """A code point in a class: those of ASCII are escaped, since some of them are operators there."""
    return f"\\{chr(code)}" if code < 128 else chr(code)
