"""Clients of exports: load a SavedModel or a LiteRT file without the model, and send it strings."""

import contextlib
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
    session = v1.Session(graph=graph)
    with graph.as_default():
        functions = v1.saved_model.loader.load(session, [v1.saved_model.SERVING], str(folder)).signature_def

    def run(signature, **inputs):
        feed = {functions[signature].inputs[name].name: value for name, value in inputs.items()}
        return session.run({name: info.name for name, info in functions[signature].outputs.items()}, feed)

    with contextlib.closing(session):
        yield run


def answers_of_saved_model(run, sources):
    """The answers of a `Seq2Seq`'s SavedModel to a list of `str`; `run` is from `loaded`."""
    return [text.decode() for text in run("serving_default", source=sources)["answer"]]


def greedy_texts_of_saved_model(run, prompts, length):
    """The greedy continuations of prompts by a language model's SavedModel; `run` is from `loaded`."""
    options = {"length": length, "temperature": 1.0, "top_k": 1, "seed": 0}
    reply = run("sample", prompt=prompts, **{name: [value] * len(prompts) for name, value in options.items()})
    return [text.decode() for text in reply["text"]]


def answers_of_litert(interpreter, model):
    """A function from a list of `str` to the answers of a `Seq2Seq`'s file."""
    answer = interpreter.get_signature_runner("serving_default")
    length = model.preprocessor.source_length

    def answers(sources):
        batch = [[ord(character) for character in text.ljust(length, "\0")] for text in sources]
        return ["".join(map(chr, row[row > 0])) for row in answer(source=np.array(batch, "int32"))["answer"]]

    return answers


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
