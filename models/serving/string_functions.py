"""The functions that models offer to SavedModels: strings to strings."""

import functools

import tensorflow as tf

from seqzoo.models.decoding.beam_search import check_beam, check_no_beam
from seqzoo.models.decoding.continuation import allowed_tokens, continue_text
from seqzoo.models.decoding.samplers import Sampler
from seqzoo.pipelines.vocabulary import PADDING_ID

MAX_TEXT_TOKENS = 10_000
"""The most tokens that a row of a request may have read, or written: others wait for it."""

# `LanguageModel.generate`'s own default.
_DEFAULT_LENGTH = 100


def seq2seq_functions(model, beam_size=1, length_penalty=0.0):
    """String functions of an `AnsweringModel` of strings; see `StringModel.serving_functions`.

    They are `serving_default`, `ids` and `score`; `n_best` with a beam, which all of them search by then, and `align`
    of a model with attention.
    """
    functions = _AnsweringFunctions(model, beam_size, length_penalty)
    preprocessor, best = model.preprocessor, functions.best

    def ids(source):
        source, error = preprocessor.encode_ids(source)
        answer, log_probability = best(source)
        fine = error == ""
        return {
            "answer": tf.where(fine[:, None], preprocessor.in_reading_order(answer), PADDING_ID),
            "error": error,
            "log_probability": tf.where(fine, log_probability, 0.0),
        }

    return functions.with_others({"ids": (ids, [tf.TensorSpec([None, None], tf.int32, "source")])})


def image_functions(model, beam_size=1, length_penalty=0.0):
    """String functions of an `ImageToText`; see `StringModel.serving_functions`.

    They are those of other models that answer, with `image`, the bytes of a PNG or JPEG file, in the place of `source`;
    and in the place of `ids`, `pixels`: grey pictures, float32 `[batch, height, width]` from 0, black, to 1, all of one
    size.
    """
    functions = _AnsweringFunctions(model, beam_size, length_penalty)

    def pixels(image):
        source, error = model.preprocessor.encode_pixels(image)
        return functions.answered(source, error, None)

    return functions.with_others({"pixels": (pixels, [tf.TensorSpec([None, None, None], tf.float32, "image")])})


class _AnsweringFunctions:
    """What SavedModels of models that answer sources have in common."""

    def __init__(self, model, beam_size, length_penalty):
        check_beam(beam_size, 1, length_penalty)
        self.model, self.beam_size, self.length_penalty = model, beam_size, length_penalty

        @functools.partial(tf.function, autograph=False)  # Traced once for all signatures that search.
        def best(source):
            ids, log_probabilities = model.decode(source, beam_size, 1, length_penalty)
            return ids[:, 0], log_probabilities[:, 0]

        self.best = best
        self.encode_sources = tf.function(model.preprocessor.encode_sources, autograph=False)

    def answered(self, source, error, strings):
        """What `serving_default` returns for encoded sources, given also what is wrong with each, and the strings."""
        ids, log_probability = self.best(source)
        fine = error == ""
        answer = tf.where(fine, self.model.texts(ids[:, None], source, strings)[:, 0], "")
        return {"answer": answer, "error": error, "log_probability": tf.where(fine, log_probability, 0.0)}

    def with_others(self, encoded):
        """All functions, given those that take sources that are encoded already."""
        model, preprocessor = self.model, self.model.preprocessor

        def serving_default(source):
            return self.answered(*self.encode_sources(source), source)

        def n_best(source):
            answers, log_probabilities, error = model.answer(
                source, self.beam_size, self.beam_size, self.length_penalty
            )
            return {"answers": answers, "error": error, "log_probabilities": log_probabilities}

        def align(source):
            answer, alignment, error = model.align_strings(source)
            fine = error == ""
            return {
                "answer": tf.where(fine, answer, ""),
                "alignment": tf.where(fine[:, None, None], alignment, 0.0),
                "error": error,
            }

        def score(source, target):
            source, source_error = self.encode_sources(source)
            answer, target_error = preprocessor.encode_targets(target)
            error = tf.where(source_error != "", source_error, target_error)
            log_probability = model.log_probabilities(source, answer)
            return {"error": error, "log_probability": tf.where(error == "", log_probability, 0.0)}

        source, target = (tf.TensorSpec([None], tf.string, each) for each in (preprocessor.source_name, "target"))
        functions = {"serving_default": (serving_default, [source]), **encoded, "score": (score, [source, target])}
        if self.beam_size > 1:
            functions["n_best"] = (n_best, [source])
        if model.attends:
            functions["align"] = (align, [source])
        return functions


def language_model_functions(model, beam_size=1, length_penalty=0.0):
    """String functions of a `LanguageModel`: `serving_default` and `sample`; see `StringModel.serving_functions`."""
    check_no_beam(model, beam_size, length_penalty)
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
