"""The functions of a LiteRT model: Unicode code points in and out, by operations that LiteRT has built in."""

import numpy as np
import tensorflow as tf

from seqzoo.models import LanguageModel
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

NO_TEXT = -1
"""For ids that are no text: the start token, and in `vocabulary` the unknown token too."""

REPLACEMENT = 0xFFFD
"""Stands for what is outside a vocabulary, in answers; the code point that Unicode has for it."""


def signatures(model):
    """The signatures of a model: a dictionary from the name to `(function, input specs)`.

    A text is int32 code points, 0 after its end, so that a file needs no vocabulary beside it; in an answer only those
    above 0 are text. `error` is 1 for a row that was none that the model can read, and its answer, probabilities or
    logits are 0 then, the states of a step those that came in. It is int32: LiteRT in browsers has no booleans.
    """
    return _language_model(model) if isinstance(model, LanguageModel) else _seq2seq(model)


def _seq2seq(model):
    preprocessor, encoder, decoder = model.preprocessor, model.encoder, model.decoder
    vocabulary, length = preprocessor.vocabulary, preprocessor.source_length
    all_ids = np.arange(vocabulary.size)
    # What a token adds to the first layers' gates, a row each: no matrix product is left to do for it.
    tables = tf.nest.map_structure(lambda table: tf.constant(table.numpy()), encoder.tables())
    written = tf.constant(decoder.recurrent[0].project(decoder.embedding(all_ids)).numpy())
    written_code_points = tf.constant(_code_points(vocabulary, unknown=REPLACEMENT))

    def encoded(source):
        """`(states, error)`: what the decoder starts from, and which rows are wrong, bool `[batch, 1]`."""
        ids, is_token = _lookup(vocabulary, source)
        is_padding = source == 0
        # One reduction: no padding stands first, or before a character, and what is no padding is a token.
        follows_padding = tf.concat([is_padding[:, :1], is_padding[:, :-1]], axis=1)
        wrong = tf.where(is_padding, tf.range(length) == 0, ~is_token | follows_padding)
        error = tf.reduce_any(wrong, axis=1, keepdims=True)
        ids = tf.where(error, PADDING_ID, ids)
        ids = ids[:, ::-1] if preprocessor.reverse else ids
        return {**decoder.initial_state(encoder.read(ids, tables)), "tokens": written}, error

    def answer(source):
        states, error = encoded(source)
        token, tokens = tf.fill(tf.shape(source)[:1], START_ID), []
        for _ in range(preprocessor.target_length):
            logits, states = decoder.step(token, states)
            token = tf.argmax(logits, axis=-1, output_type=tf.int32)
            tokens.append(token)
        # Nothing stops at an answer's end; what is written after it goes here, in fewer operations.
        ids = tf.stack(tokens, axis=1)
        ended = tf.cumsum(tf.cast(ids == PADDING_ID, tf.int32), axis=1) + tf.cast(error, tf.int32)
        answer = tf.gather(written_code_points, tf.where(ended > 0, PADDING_ID, ids))
        return {"answer": answer, "error": tf.cast(tf.reshape(error, [-1]), tf.int32)}

    def encode(source):
        states, error = encoded(source)
        named = _kept_apart(_named(states))
        return {**named, "error": tf.cast(tf.reshape(error, [-1]), tf.int32)}

    def decode_step(token, **named):
        ids, is_token = _lookup(vocabulary, token)
        error = ~is_token & (token != 0)
        ids = tf.where(is_token, ids, START_ID)
        logits, new_states = decoder.step(ids, {**_nested(model, named), "tokens": written})
        best = tf.gather(written_code_points, tf.argmax(logits, axis=-1, output_type=tf.int32))
        is_wrong = tf.expand_dims(error, 1)
        probabilities = tf.where(is_wrong, 0.0, tf.nn.softmax(logits))
        new = {
            name: tf.where(is_wrong, named[name], state)
            for name, state in _named(new_states).items()
            if name.startswith("state")
        }
        return {
            "probabilities": probabilities,
            "next": tf.where(error, 0, best),
            "error": tf.cast(error, tf.int32),
            **new,
        }

    state_specs = [
        tf.TensorSpec(state.shape, tf.float32, name)
        for name, state in _named(encoded(tf.zeros([1, length], tf.int32))[0]).items()
    ]
    return {
        "serving_default": (answer, [tf.TensorSpec([None, length], tf.int32, "source")]),
        "batch_1": (answer, [tf.TensorSpec([1, length], tf.int32, "source")]),
        "encode": (encode, [tf.TensorSpec([1, length], tf.int32, "source")]),
        "decode_step": _keywords(decode_step, [tf.TensorSpec([1], tf.int32, "token"), *state_specs]),
        "vocabulary": _vocabulary(vocabulary),
    }


def _language_model(model):
    vocabulary = model.preprocessor.vocabulary
    like = model.initial_state(1)
    names = [f"state_{layer}_{i}" for layer, states in enumerate(like) for i in range(len(states))]

    def step(token, **named):
        ids, is_token = _lookup(vocabulary, token)
        error = ~is_token & (token != 0)
        ids = tf.where(is_token, ids, START_ID)
        logits, states = model.step(ids, tf.nest.pack_sequence_as(like, [named[name] for name in names]))
        is_wrong = tf.expand_dims(error, 1)
        new = {
            name: tf.where(is_wrong, named[name], state)
            for name, state in zip(names, tf.nest.flatten(states), strict=True)
        }
        return {"logits": tf.where(is_wrong, 0.0, logits), "error": tf.cast(error, tf.int32), **new}

    def specs(batch):
        states = [tf.TensorSpec([batch, model.hidden_dim], tf.float32, name) for name in names]
        return [tf.TensorSpec([batch], tf.int32, "token"), *states]

    return {
        "serving_default": _keywords(step, specs(None)),
        "step": _keywords(step, specs(1)),
        "vocabulary": _vocabulary(vocabulary),
    }


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


def _vocabulary(vocabulary):
    code_points = tf.constant(_code_points(vocabulary, unknown=NO_TEXT))
    return (lambda: {"code_points": tf.identity(code_points)}), []


def _kept_apart(named):
    """The same values, each in a tensor of its own: LiteRT in browsers gives a tensor under one name only.

    A context is the last layer's state too, and the cell states that are not handed over are all the same zeros.
    """
    own = {}
    for name, state in named.items():
        layer_state = f"{name.rpartition('_')[0]}_0"
        if name == "context":
            own[name] = tf.maximum(state, tf.float32.min)
        elif name != layer_state and layer_state in named and name.startswith("state"):
            own[name] = state + 0.0 * named[layer_state]
        else:
            own[name] = state
    return own


def _named(states):
    """A decoder's states as a flat dictionary, as `encode` gives them."""
    named = {f"state_{i}_{j}": state for i, layer in enumerate(states["layers"]) for j, state in enumerate(layer)}
    if "context" in states:
        named |= {"context": states["context"]}
        named |= {f"projected_{i}": projected for i, projected in enumerate(states["projected"])}
    return named


def _nested(model, named):
    """The contrary of `_named`."""
    layers = [[] for _ in model.decoder.recurrent]
    for name in sorted(name for name in named if name.startswith("state")):
        layers[int(name.split("_")[1])].append(named[name])
    states = {"layers": layers}
    if "context" in named:
        states |= {"context": named["context"]}
        states |= {"projected": [named[f"projected_{i}"] for i in range(len(layers))]}
    return states


def _keywords(function, specs):
    """A function of named tensors as one of positional ones, which is what a signature needs."""
    names = [spec.name for spec in specs]
    return (lambda *tensors: function(**dict(zip(names, tensors, strict=True)))), specs
