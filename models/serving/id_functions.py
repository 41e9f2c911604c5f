"""The functions that models offer to LiteRT: ids to ids."""

import numpy as np
import tensorflow as tf

from seqzoo.models.decoding.beam_search import beam_search, check_beam, check_no_beam
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

# In a LiteRT file a loop over an answer's steps is smaller than so many of them unrolled, and ends with the answer.
_MAX_UNROLLED_STEPS = 8


def seq2seq_token_functions(model, beam_size=1, length_penalty=0.0):
    """Id functions of a `Seq2Seq`: see `StringModel.token_functions`.

    `serving_default` (any batch) and `batch_1` answer, by beam search with a beam; `encode` returns the states that
    `decode_step` starts from.
    """
    preprocessor, encoder = model.preprocessor, model.encoder
    # What a token adds to the first layer's gates, a row each: no matrix product is left to do for it.
    tables = tf.nest.map_structure(lambda table: tf.constant(table.numpy()), encoder.tables())

    def encoded(source):
        return encoder.read(source[:, ::-1] if preprocessor.reverse else source, tables, arrays=False)

    spec = tf.TensorSpec([None, preprocessor.source_length], tf.int32, "source")
    return _token_functions(model, encoded, spec, beam_size, length_penalty)


def image_token_functions(model, beam_size=1, length_penalty=0.0):
    """Id functions of an `ImageToText`: those of a `Seq2Seq`, of grey pictures.

    `source` is float32 `[batch, height, width]` from 0, black, to 1, of the model's own height and width. Recurrent
    layers are unrolled: LiteRT has no loop as that in which they read many columns.
    """
    model = model if model.unroll else model.copy_with(unroll=True)

    def encoded(source):
        levels = tf.clip_by_value(tf.round(255.0 * source), 0.0, 255.0)
        return model.encoder(tf.cast(levels, tf.uint8), training=False)

    spec = tf.TensorSpec([None, *model.preprocessor.source_shape], tf.float32, "source")
    return _token_functions(model, encoded, spec, beam_size, length_penalty)


def _token_functions(model, encoded, spec, beam_size, length_penalty):
    """Id functions, given what encodes sources, and the `tf.TensorSpec` of any number of them."""
    check_beam(beam_size, 1, length_penalty)
    preprocessor, decoder = model.preprocessor, model.decoder
    all_ids = np.arange(preprocessor.target_vocabulary.size)
    decoder_table = tf.constant(decoder.recurrent[0].project(decoder.embedding(all_ids)).numpy())

    def initial_state(source):
        return {**decoder.initial_state(encoded(source)), "tokens": decoder_table}

    def answer(source):
        states, batch, answer_length = initial_state(source), tf.shape(source)[0], preprocessor.target_length
        if beam_size == 1:
            ids = _greedy_ids(decoder.step, states, batch, answer_length)
        else:
            ids = beam_search(decoder.step, states, batch, answer_length, beam_size, 1, length_penalty)[0][:, 0]
        return {"answer": preprocessor.in_reading_order(ids)}

    def encode(source):
        return _distinct(_flat(initial_state(source)))

    def decode_step(token, **named):
        states, more = {**_nested(model, named), "tokens": decoder_table}, {}
        if model.attends:
            logits, alignment, states = decoder.aligned_step(token, states)
            more = {"alignment": alignment[:, ::-1] if preprocessor.reverse else alignment}
        else:
            logits, states = decoder.step(token, states)
        states = {name: state for name, state in _flat(states).items() if name.startswith("state")}
        next_token = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {"probabilities": tf.nn.softmax(logits), "next": next_token, **more, **states}

    one = tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name)
    state_specs = [
        tf.TensorSpec(state.shape, tf.float32, name)
        for name, state in _flat(initial_state(tf.zeros(one.shape, one.dtype))).items()
    ]
    return {
        "serving_default": (answer, [spec]),
        "batch_1": (answer, [one]),
        "encode": (encode, [one]),
        "decode_step": (decode_step, [tf.TensorSpec([1], tf.int32, "token"), *state_specs]),
    }


def _greedy_ids(step, states, batch, length):
    """The ids of `decode_greedily`, without its `TensorArray`, which LiteRT has not for any batch."""
    if length <= _MAX_UNROLLED_STEPS:
        token, tokens = tf.fill([batch], START_ID), []
        for _ in range(length):
            logits, states = step(token, states)
            token = tf.argmax(logits, axis=-1, output_type=tf.int32)
            tokens.append(token)
        # Nothing stops at an answer's end; what was written after it is removed here, in fewer operations.
        ids = tf.stack(tokens, axis=1)
        ended = tf.cumsum(tf.cast(ids == PADDING_ID, tf.int32), axis=1)
        return tf.where(ended > 0, PADDING_ID, ids)

    def unfinished(position, token, *_):
        return (position < length) & tf.reduce_any(token != PADDING_ID)

    def write(position, token, ids, layers):
        logits, new = step(token, {**states, "layers": layers})
        token = tf.where(token == PADDING_ID, PADDING_ID, tf.argmax(logits, axis=-1, output_type=tf.int32))
        ids = tf.where(tf.range(length) == position, token[:, None], ids)
        return position + 1, token, ids, new["layers"]

    state = (0, tf.fill([batch], START_ID), tf.fill([batch, length], PADDING_ID), states["layers"])
    return tf.while_loop(unfinished, write, state, maximum_iterations=length)[2]


def language_model_token_functions(model, beam_size=1, length_penalty=0.0):
    """Id functions of a `LanguageModel`: `serving_default` (any batch) and `step`."""
    check_no_beam(model, beam_size, length_penalty)
    like = model.initial_state(1)
    names = [f"state_{layer}_{i}" for layer, states in enumerate(like) for i in range(len(states))]

    def step(token, **named):
        logits, states = model.step(token, tf.nest.pack_sequence_as(like, [named[name] for name in names]))
        return {"logits": logits, **dict(zip(names, tf.nest.flatten(states), strict=True))}

    def specs(batch):
        states = [tf.TensorSpec([batch, model.hidden_dim], tf.float32, name) for name in names]
        return [tf.TensorSpec([batch], tf.int32, "token"), *states]

    return {"serving_default": (step, specs(None)), "step": (step, specs(1))}


def _distinct(named):
    """The same values, each in a tensor of its own: LiteRT in browsers returns a tensor under one name only.

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


def _flat(states):
    """A decoder's states as a flat dictionary, as `encode` returns them."""
    named = {f"state_{i}_{j}": state for i, layer in enumerate(states["layers"]) for j, state in enumerate(layer)}
    if "context" in states:
        named |= {"context": states["context"]}
        named |= {f"projected_{i}": projected for i, projected in enumerate(states["projected"])}
    if "mask" in states:  # Of attention; LiteRT in browsers has no booleans.
        named |= {"keys": states["keys"], "values": states["values"], "mask": tf.cast(states["mask"], tf.float32)}
    return named


def _nested(model, named):
    """The inverse of `_flat`."""
    layers = [[] for _ in model.decoder.recurrent]
    for name in sorted(name for name in named if name.startswith("state")):
        layers[int(name.split("_")[1])].append(named[name])
    states = {"layers": layers}
    if "context" in named:
        states |= {"context": named["context"]}
        states |= {"projected": [named[f"projected_{i}"] for i in range(len(layers))]}
    if "mask" in named:
        states |= {"keys": named["keys"], "values": named["values"], "mask": named["mask"] > 0.5}
    return states
