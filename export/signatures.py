"""The functions of an exported SavedModel: strings in, strings out, one error text a row."""

import keras
import tensorflow as tf

from seqzoo.models import LanguageModel, Sampler
from seqzoo.models.losses import counted
from seqzoo.pipelines.pair_preprocessor import with_teacher_forcing
from seqzoo.pipelines.vocabulary import PADDING_ID

LONGEST_TEXT = 10_000
"""The most tokens that a row of a request may have read, or written: others wait for it."""

# `LanguageModel.generate`'s own default.
_DEFAULT_LENGTH = 100


def signatures(model):
    """The signatures of a model: a dictionary from the name to `(function, input specs)`.

    Each function takes tensors whose first dimension is the batch and gives a dictionary of such tensors. A wrong row
    gets its text in `error` (`""` for the others) and never affects its neighbours.
    """
    return _language_model(model) if isinstance(model, LanguageModel) else _seq2seq(model)


def write_functions(functions, folder):
    """Writes functions, `signatures` here or in `code_points`, as a SavedModel."""
    # Without `track`: a tracked Keras model loads in Python but not in TensorFlow Serving.
    archive = keras.export.ExportArchive()
    for name, (function, specs) in functions.items():
        archive.add_endpoint(name, function, specs)
    archive.write_out(folder, verbose=False)


def _seq2seq(model):
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


def _language_model(model):
    preprocessor, allowed = model.preprocessor, model.allowed()

    def write(prompt, length, seed, sampler, error):
        ids, prompt_lengths, prompt_error = preprocessor.encode_prompts(prompt)
        error = tf.where(prompt_error != "", prompt_error, error)
        message = f"the prompt must have at most {LONGEST_TEXT} tokens. Received: "
        received = tf.strings.join([message, tf.strings.as_string(prompt_lengths)])
        error = tf.where((error == "") & (prompt_lengths > LONGEST_TEXT), received, error)
        prompt_lengths = tf.where(error == "", prompt_lengths, 1)
        length = tf.where(error == "", length, 0)
        state = model.read_prompts(ids, prompt_lengths)
        state["ended"] = length == 0
        rules = {"seeds": seed, "allowed": allowed, "stop": tf.zeros([0], tf.int32)}
        longest = tf.reduce_max(tf.concat([length, [1]], axis=0))
        ids, _ = model.write(state, rules, longest, sampler)
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
            (length > LONGEST_TEXT, f"length must be at most {LONGEST_TEXT}. Received: ", length),
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
