"""The functions that models offer to exports: strings to strings, and ids to ids."""

import numpy as np
import tensorflow as tf

from seqzoo.models.decoding.continuation import allowed_tokens, continue_text
from seqzoo.models.decoding.samplers import Sampler
from seqzoo.models.losses import counted
from seqzoo.pipelines.pair_batches import with_teacher_forcing
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

MAX_TEXT_TOKENS = 10_000
"""The most tokens that a row of a request may have read, or written: others wait for it."""

# `LanguageModel.generate`'s own default.
_DEFAULT_LENGTH = 100


def seq2seq_functions(model):
    """String functions of a `Seq2Seq`: `serving_default`, `ids` and `score`; see `StringModel.serving_functions`."""
    preprocessor = model.preprocessor

    def serving_default(source):
        answer, log_probability, error = model.answer(source)
        return {"answer": answer, "error": error, "log_probability": log_probability}

    def ids(source):
        source, error = preprocessor.encode_ids(source)
        answer, log_probability = model.decode_greedily(source)
        fine = error == ""
        return {
            "answer": tf.where(fine[:, None], answer, PADDING_ID),
            "error": error,
            "log_probability": tf.where(fine, log_probability, 0.0),
        }

    def score(source, target):
        source, source_error = preprocessor.encode_sources(source)
        answer, target_error = preprocessor.encode_targets(target)
        error = tf.where(source_error != "", source_error, target_error)
        inputs, answer = with_teacher_forcing(source, answer)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answer, model(inputs, training=False))
        log_probability = -tf.reduce_sum(tf.where(counted(answer), losses, 0.0), axis=1)
        return {"error": error, "log_probability": tf.where(error == "", log_probability, 0.0)}

    strings = {name: tf.TensorSpec([None], tf.string, name) for name in ("source", "target")}
    return {
        "serving_default": (serving_default, [strings["source"]]),
        "ids": (ids, [tf.TensorSpec([None, None], tf.int32, "source")]),
        "score": (score, [strings["source"], strings["target"]]),
    }


def language_model_functions(model):
    """String functions of a `LanguageModel`: `serving_default` and `sample`; see `StringModel.serving_functions`."""
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


def seq2seq_token_functions(model):
    """Id functions of a `Seq2Seq`: see `StringModel.token_functions`.

    `serving_default` (any batch) and `batch_1` answer; `encode` returns the states that `decode_step` starts from.
    """
    preprocessor, encoder, decoder = model.preprocessor, model.encoder, model.decoder
    length = preprocessor.source_length
    # What a token adds to the first layers' gates, a row each: no matrix product is left to do for it.
    encoder_tables = tf.nest.map_structure(lambda table: tf.constant(table.numpy()), encoder.tables())
    all_ids = np.arange(preprocessor.vocabulary.size)
    decoder_table = tf.constant(decoder.recurrent[0].project(decoder.embedding(all_ids)).numpy())

    def initial_state(source):
        source = source[:, ::-1] if preprocessor.reverse else source
        return {**decoder.initial_state(encoder.read(source, encoder_tables)), "tokens": decoder_table}

    def answer(source):
        states, token, tokens = initial_state(source), tf.fill(tf.shape(source)[:1], START_ID), []
        for _ in range(preprocessor.target_length):
            logits, states = decoder.step(token, states)
            token = tf.argmax(logits, axis=-1, output_type=tf.int32)
            tokens.append(token)
        # Nothing stops at an answer's end; what was written after it is removed here, in fewer operations.
        ids = tf.stack(tokens, axis=1)
        ended = tf.cumsum(tf.cast(ids == PADDING_ID, tf.int32), axis=1)
        return {"answer": tf.where(ended > 0, PADDING_ID, ids)}

    def encode(source):
        return _distinct(_flat(initial_state(source)))

    def decode_step(token, **named):
        logits, states = decoder.step(token, {**_nested(model, named), "tokens": decoder_table})
        states = {name: state for name, state in _flat(states).items() if name.startswith("state")}
        next_token = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {"probabilities": tf.nn.softmax(logits), "next": next_token, **states}

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


def language_model_token_functions(model):
    """Id functions of a `LanguageModel`: `serving_default` (any batch) and `step`."""
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
