"""The functions that models offer to exports: strings to strings, and ids to ids."""

import functools

import numpy as np
import tensorflow as tf

from seqzoo.models.decoding.beam_search import beam_search, check_beam
from seqzoo.models.decoding.continuation import allowed_tokens, continue_text
from seqzoo.models.decoding.samplers import Sampler
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

MAX_TEXT_TOKENS = 10_000
"""The most tokens that a row of a request may have read, or written: others wait for it."""

# `LanguageModel.generate`'s own default.
_DEFAULT_LENGTH = 100

# In a LiteRT file a loop over an answer's steps is smaller than so many of them unrolled, and ends with the answer.
_MAX_UNROLLED_STEPS = 8


def seq2seq_functions(model, beam_size=1, length_penalty=0.0):
    """String functions of an `AnsweringModel`; see `StringModel.serving_functions`.

    They are `serving_default`, `ids` and `score`; `n_best` with a beam, which all of them search by then, and `align`
    of a model with attention.
    """
    check_beam(beam_size, 1, length_penalty)
    preprocessor = model.preprocessor

    @functools.partial(tf.function, autograph=False)  # Traced once for all signatures that search.
    def best(source):
        ids, log_probabilities = model.decode(source, beam_size, 1, length_penalty)
        return ids[:, 0], log_probabilities[:, 0]

    encode_sources = tf.function(preprocessor.encode_sources, autograph=False)

    def serving_default(source):
        strings = source
        source, error = encode_sources(strings)
        ids, log_probability = best(source)
        fine = error == ""
        answer = tf.where(fine, model.texts(ids[:, None], source, strings)[:, 0], "")
        return {"answer": answer, "error": error, "log_probability": tf.where(fine, log_probability, 0.0)}

    def n_best(source):
        answers, log_probabilities, error = model.answer(source, beam_size, beam_size, length_penalty)
        return {"answers": answers, "error": error, "log_probabilities": log_probabilities}

    def ids(source):
        source, error = preprocessor.encode_ids(source)
        answer, log_probability = best(source)
        fine = error == ""
        return {
            "answer": tf.where(fine[:, None], preprocessor.in_reading_order(answer), PADDING_ID),
            "error": error,
            "log_probability": tf.where(fine, log_probability, 0.0),
        }

    def align(source):
        answer, alignment, error = model.align_strings(source)
        fine = error == ""
        return {
            "answer": tf.where(fine, answer, ""),
            "alignment": tf.where(fine[:, None, None], alignment, 0.0),
            "error": error,
        }

    def score(source, target):
        source, source_error = encode_sources(source)
        answer, target_error = preprocessor.encode_targets(target)
        error = tf.where(source_error != "", source_error, target_error)
        log_probability = model.log_probabilities(source, answer)
        return {"error": error, "log_probability": tf.where(error == "", log_probability, 0.0)}

    strings = {name: tf.TensorSpec([None], tf.string, name) for name in ("source", "target")}
    functions = {
        "serving_default": (serving_default, [strings["source"]]),
        "ids": (ids, [tf.TensorSpec([None, None], tf.int32, "source")]),
        "score": (score, [strings["source"], strings["target"]]),
    }
    if beam_size > 1:
        functions["n_best"] = (n_best, [strings["source"]])
    if model.attends:
        functions["align"] = (align, [strings["source"]])
    return functions


def language_model_functions(model, beam_size=1, length_penalty=0.0):
    """String functions of a `LanguageModel`: `serving_default` and `sample`; see `StringModel.serving_functions`."""
    _refuse_beam(model, beam_size, length_penalty)
    preprocessor, allowed = model.preprocessor, allowed_tokens(model.preprocessor.vocabulary)

    def write(prompt, length, seed, sampler, error):
        ids, prompt_lengths, prompt_error = preprocessor.encode_prompts(prompt)
        error = tf.where(prompt_error != "", prompt_error, error)
        message = f"the prompt must have at most {MAX_TEXT_TOKENS} tokens. Received: "
        received = tf.strings.join([message, tf.strings.as_string(prompt_lengths)])
        error = tf.where((error == "") & (prompt_lengths > MAX_TEXT_TOKENS), received, error)
        prompt_lengths = tf.where(error == "", prompt_lengths, 1)
        length = tf.where(error == "", length, 0)
        state = model.read_prompts(ids, prompt_lengths)
        state["ended"] = length == 0
        rules = {"seeds": seed, "allowed": allowed, "stop": tf.zeros([0], tf.int32)}
        longest = tf.reduce_max(tf.concat([length, [1]], axis=0))
        ids, _ = continue_text(model.step, state, rules, longest, sampler)
        ids = tf.where(tf.range(longest) < length[:, None], ids, PADDING_ID)
        return {"text": preprocessor.decode(ids), "error": error}

    def serving_default(prompt):
        size = tf.shape(prompt)
        seed = tf.zeros(size, tf.int64)
        return write(prompt, tf.fill(size, _DEFAULT_LENGTH), seed, Sampler(), tf.fill(size, ""))

    def sample(prompt, length, temperature, top_k, seed):
        is_temperature = (temperature > 0) & tf.math.is_finite(temperature)
        checks = (
            (length < 0, "length must not be negative. Received: ", length),
            (length > MAX_TEXT_TOKENS, f"length must be at most {MAX_TEXT_TOKENS}. Received: ", length),
            (~is_temperature, "temperature must be a number above 0. Received: ", temperature),
            (top_k < 1, "top_k must be at least 1. Received: ", top_k),
        )
        error = tf.fill(tf.shape(prompt), "")
        for wrong, message, value in checks:
            error = tf.where(wrong, tf.strings.join([message, tf.strings.as_string(value)]), error)
        fine = error == ""
        sampler = _EachRow(tf.where(fine, temperature, 1.0), tf.where(fine, top_k, 1))
        return write(prompt, tf.where(fine, length, 0), seed, sampler, error)

    prompt = tf.TensorSpec([None], tf.string, "prompt")
    options = [
        tf.TensorSpec([None], dtype, name)
        for name, dtype in (
            ("length", tf.int32), ("temperature", tf.float32), ("top_k", tf.int32), ("seed", tf.int64),
        )
    ]  # fmt: skip
    return {"serving_default": (serving_default, [prompt]), "sample": (sample, [prompt, *options])}


def seq2seq_token_functions(model, beam_size=1, length_penalty=0.0):
    """Id functions of a `Seq2Seq`: see `StringModel.token_functions`.

    `serving_default` (any batch) and `batch_1` answer, by beam search with a beam; `encode` returns the states that
    `decode_step` starts from.
    """
    check_beam(beam_size, 1, length_penalty)
    preprocessor, encoder, decoder = model.preprocessor, model.encoder, model.decoder
    length = preprocessor.source_length
    # What a token adds to the first layers' gates, a row each: no matrix product is left to do for it.
    encoder_tables = tf.nest.map_structure(lambda table: tf.constant(table.numpy()), encoder.tables())
    all_ids = np.arange(preprocessor.target_vocabulary.size)
    decoder_table = tf.constant(decoder.recurrent[0].project(decoder.embedding(all_ids)).numpy())

    def initial_state(source):
        source = source[:, ::-1] if preprocessor.reverse else source
        return {**decoder.initial_state(encoder.read(source, encoder_tables, arrays=False)), "tokens": decoder_table}

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

    state_specs = [
        tf.TensorSpec(state.shape, tf.float32, name)
        for name, state in _flat(initial_state(tf.zeros([1, length], tf.int32))).items()
    ]
    return {
        "serving_default": (answer, [tf.TensorSpec([None, length], tf.int32, "source")]),
        "batch_1": (answer, [tf.TensorSpec([1, length], tf.int32, "source")]),
        "encode": (encode, [tf.TensorSpec([1, length], tf.int32, "source")]),
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
    _refuse_beam(model, beam_size, length_penalty)
    like = model.initial_state(1)
    names = [f"state_{layer}_{i}" for layer, states in enumerate(like) for i in range(len(states))]

    def step(token, **named):
        logits, states = model.step(token, tf.nest.pack_sequence_as(like, [named[name] for name in names]))
        return {"logits": logits, **dict(zip(names, tf.nest.flatten(states), strict=True))}

    def specs(batch):
        states = [tf.TensorSpec([batch, model.hidden_dim], tf.float32, name) for name in names]
        return [tf.TensorSpec([batch], tf.int32, "token"), *states]

    return {"serving_default": (step, specs(None)), "step": (step, specs(1))}


def _refuse_beam(model, beam_size, length_penalty):
    check_beam(beam_size, 1, length_penalty)
    if beam_size > 1 or length_penalty:
        raise ValueError(
            f"A {type(model).__name__} continues prompts and searches for no answers: leave out beam_size and "
            f"length_penalty. Received: beam_size={beam_size}, length_penalty={length_penalty}"
        )


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


class _EachRow(Sampler):
    """`Chain([Temperature(temperature), TopK(k)])` with values of its own for each row, float32 and int32 `[batch]`."""

    def __init__(self, temperature, k):
        self.temperature = tf.clip_by_value(temperature, 1e-30, 1e30)
        self.k = k

    def adjust(self, logits):
        """The logits divided by the temperature, all but the k highest `-inf`."""
        logits = (logits - tf.reduce_max(logits, axis=-1, keepdims=True)) / self.temperature[:, None]
        last = tf.minimum(self.k, tf.shape(logits)[-1]) - 1
        lowest = tf.gather(tf.sort(logits, axis=-1, direction="DESCENDING"), last, batch_dims=1)
        return tf.where(logits >= lowest[:, None], logits, -float("inf"))
