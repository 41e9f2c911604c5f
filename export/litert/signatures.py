"""The signatures of a LiteRT file: Unicode code points in and out, by operations that LiteRT has built in."""

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.vocabulary import PADDING_ID, REPLACEMENT_CODE_POINT, START_ID

NO_TEXT = -1
"""For ids that are no text: the start token, and in `vocabulary` the unknown token too."""


def signatures(model):
    """The signatures of a model: a dictionary from the name to `(function, list of tf.TensorSpec)`.

    They are the model's `token_functions`, with code points in place of ids, and `vocabulary`. A text is int32 code
    points, 0 after its end, so that a file needs no vocabulary beside it; in an answer only those above 0 are text.
    `error` is 1 for a row that is no text that the model can read: its answer, probabilities and logits are then 0, and
    the states of a step are those that came in. It is int32: LiteRT in browsers has no booleans.
    """
    vocabulary = model.preprocessor.vocabulary
    functions = {
        name: (_of_code_points(vocabulary, function, specs), specs)
        for name, (function, specs) in model.token_functions().items()
    }
    code_points = tf.constant(_code_points(vocabulary, unknown=NO_TEXT))
    return {**functions, "vocabulary": (lambda: {"code_points": tf.identity(code_points)}, [])}


def _of_code_points(vocabulary, function, specs):
    """A function of ids as one of code points that finds wrong rows.

    The first of its inputs is `source` or `token`, the others are states.
    """
    names = [spec.name for spec in specs]
    text_code_points = tf.constant(_code_points(vocabulary, unknown=REPLACEMENT_CODE_POINT))

    def of_code_points(*inputs):
        code_points, *states = inputs
        read = _read_sources if names[0] == "source" else _read_tokens
        ids, error = read(vocabulary, code_points)
        named = dict(zip(names[1:], states, strict=True))
        is_wrong = tf.expand_dims(error, 1)
        outputs = {"error": tf.cast(error, tf.int32)}
        for name, output in function(ids, **named).items():
            if name == "answer":
                outputs[name] = tf.gather(text_code_points, tf.where(is_wrong, PADDING_ID, output))
            elif name == "next":
                outputs[name] = tf.where(error, 0, tf.gather(text_code_points, output))
            elif name in named:
                outputs[name] = tf.where(is_wrong, named[name], output)
            else:
                outputs[name] = output if name.startswith(_STATES) else tf.where(is_wrong, 0.0, output)
        return outputs

    return of_code_points


# What starts the names of states, which a wrong source has too: those of an empty one.
_STATES = ("state", "context", "projected")


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


def _read_tokens(vocabulary, code_points):
    """`(ids, error)` of one character a row, int32 `[batch]`; 0 is the start token."""
    ids, is_token = _lookup(vocabulary, code_points)
    return tf.where(is_token, ids, START_ID), ~is_token & (code_points != 0)


def _lookup(vocabulary, code_points):
    """`(ids, is_token)` of int32 code points; the unknown token's id counts where the vocabulary has one.

    By comparison with each token: LiteRT has no search, and a model's tokens are few.
    """
    first = vocabulary.size - len(vocabulary.tokens)
    tokens = tf.constant([ord(token) for token in vocabulary.tokens], tf.int32)
    equal = tf.expand_dims(code_points, -1) == tokens
    ids = tf.reduce_sum(tf.where(equal, tf.range(first, vocabulary.size), 0), axis=-1)
    if not vocabulary.unknown:
        return ids, ids > 0
    is_character = (code_points > 0) & (code_points < 0x110000) & ((code_points < 0xD800) | (code_points > 0xDFFF))
    is_character &= code_points != 0xFFFF
    return tf.where(is_character & (ids == 0), vocabulary.unknown_id, ids), is_character


def _code_points(vocabulary, unknown):
    """The code point of each id, int32 `[size]`."""
    code_points = [0, NO_TEXT] + [unknown] * vocabulary.unknown + [ord(token) for token in vocabulary.tokens]
    return np.array(code_points, "int32")
