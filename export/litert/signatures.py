"""The signatures of a LiteRT file: Unicode code points in and out, by operations that LiteRT has built in."""

import functools
import sys

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.vocabulary import PADDING_ID, REPLACEMENT_CODE_POINT, START_ID

NO_TEXT = -1
"""For ids that are no text: the start token, and in `vocabulary` the unknown token too."""


def signatures(model, beam_size=1, length_penalty=0.0):
    """The signatures of a model: a dictionary from the name to `(function, list of tf.TensorSpec)`.

    They are the model's `token_functions`, with code points in place of ids, and `vocabulary`. A text is int32 code
    points, 0 after its end, so that a file needs no vocabulary beside it; in an answer only those above 0 are text.
    `error` is 1 for a row that is no text that the model can read: its answer, probabilities and logits are then 0, and
    the states of a step are those that came in. It is int32: LiteRT in browsers has no booleans.

    A vocabulary in lower case also reads capitals, but those whose lower case is several code points; texts in a normal
    form are the client's part. `alignment`, of a model with attention, is float32 `[1, source_length]`, in the order of
    the source.

    A picture is float32 pixels from 0, black, to 1, `[batch, height, width]`; any other number is an error of its row.
    `alignment` is then `[1, columns]`.

    An answer of words is also code points, of which each word has the same number, so that there are zeros between
    them. Steps take and return ids then, 0 to start with, and `vocabulary` has the code points of each id,
    `[size, width]`.
    """
    read, written = model.preprocessor.source_vocabulary, model.preprocessor.target_vocabulary
    search = {"beam_size": beam_size, "length_penalty": length_penalty}
    functions = {
        name: (_of_code_points(read, written, function, specs), specs)
        for name, (function, specs) in model.token_functions(**search).items()
    }
    code_points = tf.constant(_code_points(written, unknown=NO_TEXT))
    return {**functions, "vocabulary": (lambda: {"code_points": tf.identity(code_points)}, [])}


def _of_code_points(read, written, function, specs):
    """A function of ids as one of code points that finds wrong rows.

    The first of its inputs is `source` or `token`, the others are states.
    """
    names = [spec.name for spec in specs]
    is_of_words = written.split == "whitespace"

    def of_code_points(*inputs):
        code_points, *states = inputs
        if names[0] == "source":
            ids, error = _read_pixels(code_points) if read is None else _read_sources(read, code_points)
        else:
            ids, error = _read_token_ids(written, code_points) if is_of_words else _read_tokens(written, code_points)
        named = dict(zip(names[1:], states, strict=True))
        is_wrong = tf.expand_dims(error, 1)
        outputs = {"error": tf.cast(error, tf.int32)}
        for name, output in function(ids, **named).items():
            if name == "answer":
                outputs[name] = _text(written, tf.where(is_wrong, PADDING_ID, output))
            elif name == "next":
                next_token = output if is_of_words else _text(written, output)
                outputs[name] = tf.where(error, 0, next_token)
            elif name in named:
                outputs[name] = tf.where(is_wrong, named[name], output)
            else:
                outputs[name] = output if name.startswith(_STATES) else tf.where(is_wrong, 0.0, output)
        return outputs

    return of_code_points


# What starts the names of states, which a wrong source has too: those of an empty one.
_STATES = ("state", "context", "projected", "keys", "values", "mask")


def _text(vocabulary, ids):
    """The code points of ids `[…, length]`: one each, or, of words, `width` each, `[…, length × width]`."""
    code_points = _code_points(vocabulary, unknown=REPLACEMENT_CODE_POINT)
    if code_points.ndim == 1:
        return tf.gather(tf.constant(code_points), ids)
    is_word = tf.cast(ids > START_ID, tf.int32)
    follows = is_word * tf.cast(tf.cumsum(is_word, axis=1, exclusive=True) > 0, tf.int32)
    words = tf.concat([follows[:, :, None] * ord(" "), tf.gather(tf.constant(code_points), ids)], axis=2)
    return tf.reshape(words, [-1, ids.shape[1] * words.shape[2]])


def _read_sources(vocabulary, code_points):
    """`(ids, error)` of padded texts, both int32 `[batch, length]` (0 for a wrong row), and bool `[batch]`."""
    ids, is_token = _lookup(vocabulary, code_points)
    is_padding = code_points == 0
    # One reduction: no padding stands first, or before a character, and what is no padding is a token.
    follows_padding = tf.concat([is_padding[:, :1], is_padding[:, :-1]], axis=1)
    first = tf.range(code_points.shape[1]) == 0
    wrong = tf.where(is_padding, first, ~is_token | follows_padding)
    error = tf.reduce_any(wrong, axis=1, keepdims=True)
    return tf.where(error, PADDING_ID, ids), tf.reshape(error, [-1])


def _read_pixels(pixels):
    """`(pixels, error)`: as they are, white for a wrong row, and bool `[batch]`."""
    error = ~tf.reduce_all((pixels >= 0.0) & (pixels <= 1.0), axis=[1, 2])
    return tf.where(error[:, None, None], 1.0, pixels), error


def _read_tokens(vocabulary, code_points):
    """`(ids, error)` of one character a row, int32 `[batch]`; 0 is the start token."""
    ids, is_token = _lookup(vocabulary, code_points)
    return tf.where(is_token, ids, START_ID), ~is_token & (code_points != 0)


def _read_token_ids(vocabulary, ids):
    """`(ids, error)` of one id a row, int32 `[batch]`; 0 is the start token."""
    is_token = (ids > START_ID) & (ids < vocabulary.size)
    return tf.where(is_token, ids, START_ID), ~is_token & (ids != START_ID) & (ids != 0)


def _lookup(vocabulary, code_points):
    """`(ids, is_token)` of int32 code points; the unknown token's id counts where the vocabulary has one.

    By comparison with each token: LiteRT has no search, and a model's tokens are few.
    """
    keys, key_ids = zip(*_readable(vocabulary).items(), strict=True)
    equal = tf.expand_dims(code_points, -1) == tf.constant(keys, tf.int32)
    ids = tf.reduce_sum(tf.where(equal, tf.constant(key_ids, tf.int32), 0), axis=-1)
    if not vocabulary.unknown:
        return ids, ids > 0
    is_character = (code_points > 0) & (code_points < 0x110000) & ((code_points < 0xD800) | (code_points > 0xDFFF))
    is_character &= code_points != 0xFFFF
    return tf.where(is_character & (ids == 0), vocabulary.unknown_id, ids), is_character


def _readable(vocabulary):
    """The id of each code point that is a token, or a capital of one if the vocabulary is in lower case."""
    first = vocabulary.size - len(vocabulary.tokens)
    ids = {ord(token): first + at for at, token in enumerate(vocabulary.tokens)}
    if vocabulary.lower_case:
        ids |= {capital: ids[small] for capital, small in _capitals().items() if small in ids}
    return ids


@functools.cache
def _capitals():
    """The code point of the lower case of each capital, of those whose lower case is one code point."""
    lower = {code: chr(code).lower() for code in range(sys.maxunicode + 1)}
    return {code: ord(text) for code, text in lower.items() if len(text) == 1 and text != chr(code)}


def _code_points(vocabulary, unknown):
    """The code points of each id: int32 `[size]` of characters, `[size, width]` of words, 0 after a word's end.

    `unknown` stands for the unknown token; `NO_TEXT` for it and the start token.
    """
    is_of_words = vocabulary.split == "whitespace"
    of_unknown = list(map(ord, "<unk>")) if is_of_words and unknown != NO_TEXT else [unknown]
    rows = [[0], [NO_TEXT]] + [of_unknown] * vocabulary.unknown + [list(map(ord, token)) for token in vocabulary.tokens]
    width = max(map(len, rows))
    code_points = np.array([row + [0] * (width - len(row)) for row in rows], "int32")
    return code_points if is_of_words else code_points[:, 0]
