"""LiteRT: a model as one `.tflite` file of built-in operations, from Unicode code points to code points."""

import json
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from seqzoo.export.check import check_answers, check_steps, raise_if_different, sample_pairs
from seqzoo.export.code_points import REPLACEMENT, signatures
from seqzoo.export.signatures import write_functions
from seqzoo.files import replacing
from seqzoo.models import LanguageModel
from seqzoo.pipelines.vocabulary import START_ID

QUANTIZATIONS = ("float16", "dynamic_int8")


def litert(model, path, quantize=None, data=None):
    """Writes a model as a LiteRT (TensorFlow Lite) file.

    What is written is read back with the LiteRT runtime and compared with the model before it gets its name.

    Args:
        model: `Seq2Seq` or `LanguageModel` of characters.
        path: file name that ends in `.tflite`. A file of that name is replaced.
        quantize: `"float16"` or `"dynamic_int8"`, how weights are kept; `None` for float32.
        data: pairs, or a text, to compare and score on; see `seqzoo.export.check`.

    Returns:
        A dictionary: `path`, and the content of the file `NAME.tflite.json` beside it: `format`, `model` (its class),
        `signatures`, `bytes`, `quantize`, and the results of the comparison: `rows`, `equal`, `near_ties`, `different`
        (0 without a quantisation), and `score`, the task's score before and after. A model in mixed precision is
        compared in float32.

    Raises:
        ValueError: for another file name or quantisation, a vocabulary of words or with NUL in it, or where float32
            weights do not answer as the model does; a quantised file's difference is reported.
        OSError: where it cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file of a LiteRT model ends in .tflite. Received: {path}")
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise ValueError(f"quantize must be one of {QUANTIZATIONS}. Received: quantize={quantize!r}")
    if model.preprocessor.vocabulary.split != "characters":
        raise ValueError("A LiteRT model reads code points, so it needs a vocabulary of characters, not of words")
    if "\0" in model.preprocessor.vocabulary.tokens:
        raise ValueError("In a LiteRT model code point 0 ends a text, so '\\0' cannot be in its vocabulary")
    model = _in_float32(model)
    functions = signatures(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_bytes(_converted(functions, quantize))
        result = _checked(model, temporary, data)
        if quantize is None:
            raise_if_different(result)
        report = {
            "format": "litert",
            "model": type(model).__name__,
            "quantize": quantize,
            "signatures": list(functions),
            "bytes": os.path.getsize(temporary),
            **{key: value for key, value in result.items() if key != "first_different"},
        }
    with replacing(path.with_suffix(".tflite.json")) as beside:
        pathlib.Path(beside).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return {"path": str(path), **report}


def _converted(functions, quantize):
    with tempfile.TemporaryDirectory() as folder:
        write_functions(functions, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _checked(model, path, data):
    # Takes a second to import, and only this reads it.
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    if isinstance(model, LanguageModel):
        return check_steps(model, logits_of(interpreter, model), data)
    return check_answers(model, answers_of(interpreter, model), *sample_pairs(model, data))


def answers_of(interpreter, model):
    """What asks the file of a `Seq2Seq`: a function from a list of `str` to as many answers."""
    ask = interpreter.get_signature_runner("serving_default")
    length = model.preprocessor.source_length

    def answers(sources):
        batch = [[ord(character) for character in text.ljust(length, "\0")] for text in sources]
        return ["".join(map(chr, row[row > 0])) for row in ask(source=np.array(batch, "int32"))["answer"]]

    return answers


def logits_of(interpreter, model):
    """What reads a text with the file of a `LanguageModel`, token by token.

    It gives a function from ids `[length]` to logits, `[length, vocabulary_size]`.
    """
    vocabulary = model.preprocessor.vocabulary
    code_points = interpreter.get_signature_runner("vocabulary")()["code_points"].copy()
    code_points[START_ID] = 0
    if vocabulary.unknown:
        code_points[vocabulary.unknown_id] = REPLACEMENT
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


def _in_float32(model):
    """The model itself, or, of one in mixed precision, a copy whose layers compute in float32."""
    config = model.get_config()
    if config["dtype"] == "float32":
        return model
    copy = type(model).from_config({**config, "dtype": "float32"})
    copy.set_weights(model.get_weights())
    return copy
