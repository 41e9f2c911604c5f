"""SavedModel, as TensorFlow Serving loads it: strings in, strings out."""

import base64
import contextlib
import json
import logging
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from seqzoo.export.clients import loaded
from seqzoo.export.comparison import raise_if_different, reported
from seqzoo.export.saved_model.signatures import write_functions
from seqzoo.export.verification import verification_of
from seqzoo.io.files import output_folder, rename_to_next_version


def saved_model(model, path, data=None, beam_size=1, length_penalty=0.0):
    """Writes a model as the next version of a SavedModel, the folder `path/1`, `path/2` and so on.

    The folder `path` is what TensorFlow Serving takes as `model_base_path`. What is written is read back through
    TensorFlow's loader and compared with the model before it is renamed into place; a version that is there is whole.

    Args:
        model: `StringModel`.
        path: folder; made if need be.
        data: pairs, or a text, to compare and score on; see `seqzoo.export.verification`.
        beam_size: int, how many unfinished answers are kept at each step; 1 is greedy search. With a beam there is
            also the signature `n_best`, of as many answers.
        length_penalty: float from 0, of beam search; see `seqzoo.models.decoding.beam_search`.

    Returns:
        A dictionary: `path`, the version's folder; `format`; `model`, its class; `signatures`; `bytes`; `warm_up`, the
        number of requests that TensorFlow Serving replays at start, 0 where `tensorflow-serving-api` is not installed;
        `beam_size` and `length_penalty`; and the results of the comparison: `rows`, `equal`, `near_ties`, `different`
        (0), `score` and `other_signatures`. `export.json` has the same, and `tokens`, the token of each id that is
        written, and `source_tokens`, of each that is read, where these are others.

    Raises:
        ValueError: where `path` is no folder, for a beam that is none, or where what was written does not answer as the
            model does.
    """
    functions = model.serving_functions(beam_size=beam_size, length_penalty=length_penalty)
    verification = verification_of(model, data, beam_size, length_penalty)
    with output_folder(path) as path, tempfile.TemporaryDirectory(dir=path, prefix=".export-") as temporary:
        folder = pathlib.Path(temporary, "version")
        with _quiet():
            write_functions(functions, folder)
            with loaded(folder) as run:
                result = verification.verify_saved_model(run)
                raise_if_different(result)
                requests = verification.example_requests()
                replies = {name: run(name, **request) for name, request in requests.items()}
        name = path.resolve().name
        warm_up = _write_warm_up(folder / "assets.extra", name, requests)
        (folder / "README.md").write_text(_readme(name, requests, replies), encoding="utf-8")
        report = {
            "format": "saved_model",
            "model": type(model).__name__,
            "signatures": list(functions),
            "warm_up": warm_up,
            "beam_size": beam_size,
            "length_penalty": length_penalty,
            "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            **reported(result),
        }
        stored = json.dumps({**report, **_tokens(model)}, ensure_ascii=False, indent=2) + "\n"
        (folder / "export.json").write_text(stored, encoding="utf-8")
        return {"path": str(rename_to_next_version(folder, path)), **report}


def _tokens(model):
    """The token of each id, by side; `None` for those that are no text: padding, start or end, unknown."""
    read, written = model.preprocessor.source_vocabulary, model.preprocessor.target_vocabulary
    sides = {"tokens": written} if read in (None, written) else {"tokens": written, "source_tokens": read}
    return {
        name: [None] * (vocabulary.size - len(vocabulary.tokens)) + list(vocabulary.tokens)
        for name, vocabulary in sides.items()
    }


def _write_warm_up(folder, name, requests):
    """Writes the requests as TensorFlow Serving replays them when it loads the model; returns their number."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return 0
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
    return len(requests)


def _readme(name, requests, replies):
    parts = [
        f"# {name}",
        "Serve the folder above this one, with every version in it:",
        f"```\ndocker run -p 8501:8501 -v /PATH/TO/{name}:/models/{name} -e MODEL_NAME={name} tensorflow/serving\n```",
        "A row that is wrong has its text in `error`, and never fails its neighbours. What seqzoo compared before it "
        "wrote this version is in `export.json`, and each id's token. Alignments are shown to three decimals, without "
        "the zeros after the last token.",
    ]
    for signature, inputs in requests.items():
        body = {"signature_name": signature, "inputs": {key: _plain(value) for key, value in inputs.items()}}
        reply = {"outputs": {key: _plain(value) for key, value in replies[signature].items()}}
        parts += [
            f"## `{signature}`",
            "```\n"
            f"curl http://localhost:8501/v1/models/{name}:predict -d '\n{_quoted(body)}'\n\n"
            f"{json.dumps(reply, ensure_ascii=False)}\n```",
        ]
    return "\n\n".join(parts) + "\n"


def _quoted(body):
    """As JSON between a shell's single quotes."""
    return json.dumps(body, ensure_ascii=False).replace("'", "'\\''")


def _plain(value):
    """As lists of what JSON holds; bytes that are no text as TensorFlow Serving takes them.

    Alignments, which are many numbers, are cut to their tokens and to three decimals.
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    if np.ndim(value) > 2:
        _, rows, columns = np.argwhere(value).max(axis=0, initial=0) + 1
        value = np.round(value[:, :rows, :columns].astype("float64"), 3)
    return [_plain(each) for each in value] if np.ndim(value) else getattr(value, "item", lambda: value)()


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow from announcing that the loader that TensorFlow Serving has is an old one."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
