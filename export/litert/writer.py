"""LiteRT: a model as one `.tflite` file of built-in operations, from Unicode code points to code points."""

import json
import os
import pathlib
import tempfile

import tensorflow as tf

from seqzoo.export.comparison import raise_if_different, reported
from seqzoo.export.litert.signatures import signatures
from seqzoo.export.saved_model.signatures import write_functions
from seqzoo.export.verification import verification_of
from seqzoo.io.files import replacing
from seqzoo.runtime import check_threads_survive

QUANTIZATIONS = ("float16", "dynamic_int8")


def litert(model, path, quantize=None, data=None, beam_size=1, length_penalty=0.0):
    """Writes a model as a LiteRT (TensorFlow Lite) file.

    What is written is read back with the LiteRT runtime and compared with the model before it is renamed into place.

    Args:
        model: `StringModel` that reads characters or pictures; it may answer with words.
        path: file name that ends in `.tflite`. A file of that name is replaced.
        quantize: `"float16"` or `"dynamic_int8"`, how weights are kept; `None` for float32.
        data: pairs, or a text, to compare and score on; see `seqzoo.export.verification`.
        beam_size: int, how many unfinished answers `serving_default` and `batch_1` keep at each step; 1 is greedy
            search, which `decode_step` always is.
        length_penalty: float from 0, of beam search; see `seqzoo.models.decoding.beam_search`.

    Returns:
        A dictionary: `path`, and the content of `NAME.tflite.json` beside the file: `format`, `model` (its class),
        `signatures`; `inputs`, from each of them to the shapes of its inputs, with -1 for any number of rows; `bytes`,
        `quantize`; `beam_size` and `length_penalty`; `normal_form`, in which a client has to bring texts before it
        sends them, or `None`; `lower_case`, whether capitals are read as their lower case; and the results of the
        comparison: `rows`, `equal`, `near_ties`, `different` (0 without a quantisation), `score` and
        `other_signatures`. A model in mixed precision is compared in float32.

    Raises:
        ValueError: for another file name or quantisation, a vocabulary of words to read or with NUL in it, a beam that
            is none, or float32 weights that do not answer as the model does.
    """
    check_threads_survive()
    path = pathlib.Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file of a LiteRT model ends in .tflite. Received: {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file that ends in .tflite")
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise ValueError(f"quantize must be one of {QUANTIZATIONS}. Received: quantize={quantize!r}")
    if reason := why_not_litert(model):
        raise ValueError(reason)
    verification = verification_of(model.with_dtype("float32"), data, beam_size, length_penalty)
    functions = signatures(verification.model, beam_size, length_penalty)
    vocabulary = model.preprocessor.source_vocabulary
    path.parent.mkdir(parents=True, exist_ok=True)
    # Both files are whole before either takes its place.
    with replacing(path.with_suffix(".tflite.json")) as beside, replacing(path) as temporary:
        pathlib.Path(temporary).write_bytes(_converted(functions, quantize))
        result = verification.verify_litert(_interpreter(temporary), quantize is not None)
        if quantize is None:
            raise_if_different(result)
        report = {
            "format": "litert",
            "model": type(model).__name__,
            "quantize": quantize,
            "signatures": list(functions),
            "inputs": _inputs(temporary),
            "bytes": os.path.getsize(temporary),
            "beam_size": beam_size,
            "length_penalty": length_penalty,
            "lower_case": vocabulary.lower_case if vocabulary else False,
            "normal_form": vocabulary.normal_form if vocabulary else None,
            **reported(result),
        }
        pathlib.Path(beside).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return {"path": str(path), **report}


def why_not_litert(model):
    """Why a model cannot become a LiteRT file, as a sentence; `None` if it can."""
    read, written = model.preprocessor.source_vocabulary, model.preprocessor.target_vocabulary
    if read and read.unit != "character":
        return "A LiteRT model reads code points, so it needs a vocabulary of characters, not of words"
    if written.split == "words":
        return "A LiteRT model joins answers with spaces or with nothing, so it cannot write split='words'"
    if any("\0" in token for token in (*(read.tokens if read else ()), *written.tokens)):
        return "In a LiteRT model code point 0 ends a text, so '\\0' cannot be in its vocabulary"
    return None


def _converted(functions, quantize):
    with tempfile.TemporaryDirectory() as folder:
        write_functions(functions, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _inputs(path):
    interpreter = _interpreter(path)
    details = {
        name: interpreter.get_signature_runner(name).get_input_details() for name in interpreter.get_signature_list()
    }
    return {
        name: {key: each["shape_signature"].tolist() for key, each in inputs.items()}
        for name, inputs in details.items()
    }


def _interpreter(path):
    # Takes a second to import, and only verification needs it.
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path), num_threads=1)
