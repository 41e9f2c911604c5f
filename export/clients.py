"""Clients of exports: load a SavedModel or a LiteRT file without the model, and send it strings."""

import contextlib
import functools
import subprocess
import sys

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.vocabulary import REPLACEMENT_CODE_POINT, START_ID

# TensorFlow itself imports Keras if it can; here neither can be imported.
_ASK = """
import sys
sys.modules["keras"] = sys.modules["seqzoo"] = None
import tensorflow as tf

answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](source=tf.constant(sys.argv[2:]))["answer"]
print(*(text.decode() for text in answer.numpy()), sep="\\n")
"""


def ask_in_fresh_process(folder, sources):
    """The answers of a seq2seq SavedModel in a process of its own that cannot import Keras or seqzoo."""
    command = [sys.executable, "-c", _ASK, str(folder), *sources]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ValueError(f"The exported model does not answer in a process of its own: {said[-1]}")
    return done.stdout.splitlines()


@contextlib.contextmanager
def loaded(folder):
    """Loads a SavedModel as TensorFlow Serving does, in a session of its own; yields `run(signature, **inputs)`."""
    v1, graph = tf.compat.v1, tf.Graph()
    with contextlib.closing(v1.Session(graph=graph)) as session:
        with graph.as_default():
            functions = v1.saved_model.loader.load(session, [v1.saved_model.SERVING], str(folder)).signature_def

        @functools.cache
        def call(signature):
            """The inputs of a signature, the names of its outputs, and a call that Python prepares once."""
            inputs, outputs = functions[signature].inputs, functions[signature].outputs
            places = [info.name for info in outputs.values()], [info.name for info in inputs.values()]
            return inputs, list(outputs), session.make_callable(*places)

        def run(signature, **values):
            inputs, outputs, of_arrays = call(signature)
            arrays = (
                np.asarray(values[name], tf.dtypes.as_dtype(info.dtype).as_numpy_dtype) for name, info in inputs.items()
            )
            return dict(zip(outputs, of_arrays(*arrays), strict=True))

        yield run


def answers_of_saved_model(run, sources, name="source"):
    """The answers of a SavedModel to a list of sources, which it calls `name`; `run` is from `loaded`."""
    return [text.decode() for text in run("serving_default", **{name: sources})["answer"]]


def greedy_texts_of_saved_model(run, prompts, length):
    """The greedy continuations of prompts by a language model's SavedModel; `run` is from `loaded`."""
    options = {"length": length, "temperature": 1.0, "top_k": 1, "seed": 0}
    reply = run("sample", prompt=prompts, **{name: [value] * len(prompts) for name, value in options.items()})
    return [text.decode() for text in reply["text"]]


def answers_of_litert(interpreter, model, signature="serving_default"):
    """A function from a list of `str` to the answers of a `Seq2Seq`'s file; `batch_1` takes lists of one."""
    answer, encoded = interpreter.get_signature_runner(signature), _encoder(model)
    return lambda sources: [_text(row) for row in answer(source=encoded(sources))["answer"]]


def steps_of_litert(interpreter, model):
    """A function from a `str` to its greedy answer, step by step, by a `Seq2Seq`'s file.

    It returns `(answer, alignment)`: `str`, and of a model with attention, else `None`, float32
    `[target_length, source_length]`, 0 after an answer's and a source's last token.
    """
    encode, step = map(interpreter.get_signature_runner, ("encode", "decode_step"))
    code_points = interpreter.get_signature_runner("vocabulary")()["code_points"].copy()
    encoded, of_words, attends = _encoder(model), code_points.ndim == 2, "mask" in step.get_input_details()
    unknown_id = model.preprocessor.target_vocabulary.unknown_id
    lengths = model.preprocessor.target_length, step.get_input_details()["mask"]["shape"][1] if attends else 0

    def answer(source):
        source = encoded([source])
        is_read = source[0] > 0 if source.ndim == 2 else True  # All columns of a picture are.
        states = {name: value for name, value in encode(source=source).items() if name != "error"}
        token, tokens = np.zeros([1], "int32"), []
        alignment = np.zeros(lengths, "float32") if attends else None
        for at in range(lengths[0]):
            reply = step(token=token, **states)
            states |= {name: value for name, value in reply.items() if name in states}
            token = np.maximum(reply["next"], 0)  # An untrained model may write the start token, which is no text.
            if reply["next"][0] == 0:
                break
            tokens.append(_word(code_points, token[0], unknown_id) if of_words else _text(token))
            if attends:
                alignment[at] = np.where(is_read, reply["alignment"][0], 0.0)
        if model.preprocessor.reverse_target:
            tokens.reverse()
            if attends:
                alignment[: len(tokens)] = alignment[: len(tokens)][::-1]
        return (" " if of_words else "").join(filter(None, tokens)), alignment

    return answer


def _encoder(model):
    """A function from a list of sources to what a file of the model takes.

    That is int32 code points `[batch, source_length]`, normalised as the model reads; or of pictures float32 pixels.
    """
    if not model.preprocessor.reads_text:
        return lambda pictures: model.preprocessor.encode_sources(pictures)[0].numpy().astype("float32") / 255
    vocabulary, length = model.preprocessor.source_vocabulary, model.preprocessor.source_length

    def encoded(sources):
        rows = [vocabulary.normalize_string(source).ljust(length, "\0") for source in sources]
        return np.array([[ord(character) for character in row] for row in rows], "int32")

    return encoded


def _word(code_points, token, unknown_id):
    """The text of a word's id; the unknown token has no code points."""
    return "<unk>" if token == unknown_id else _text(code_points[token])


def _text(code_points):
    return "".join(map(chr, code_points[code_points > 0]))


def logits_of_litert(interpreter, model):
    """A function that reads a text with the file of a `LanguageModel`, token by token.

    It takes ids `[length]` and returns logits, `[length, vocabulary_size]`.
    """
    vocabulary = model.preprocessor.vocabulary
    code_points = interpreter.get_signature_runner("vocabulary")()["code_points"].copy()
    code_points[START_ID] = 0
    if vocabulary.unknown:
        code_points[vocabulary.unknown_id] = REPLACEMENT_CODE_POINT
    step = interpreter.get_signature_runner("step")
    inputs = step.get_input_details().items()

    def logits(ids):
        states = {name: np.zeros(info["shape"], "float32") for name, info in inputs if name != "token"}
        rows = []
        for token in ids:
            reply = step(token=code_points[[token]], **states)
            states = {name: reply[name] for name in states}
            rows.append(reply["logits"][0])
        return np.array(rows)

    return logits
