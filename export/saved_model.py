"""SavedModel, as TensorFlow Serving loads it: strings in, strings out."""

import contextlib
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from seqzoo.export.check import check_answers, check_texts, raise_if_different, sample_pairs, sample_prompts
from seqzoo.export.signatures import signatures, write_functions
from seqzoo.files import output_folder, rename_to_next_version
from seqzoo.models import LanguageModel

# TensorFlow itself imports Keras if it can; here neither can be imported.
_ASK = """
import sys
sys.modules["keras"] = sys.modules["seqzoo"] = None
import tensorflow as tf

answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](source=tf.constant(sys.argv[2:]))["answer"]
print(*(text.decode() for text in answer.numpy()), sep="\\n")
"""


def saved_model(model, path, data=None):
    """Writes a model as the next version of a SavedModel, the folder `path/1`, `path/2` and so on.

    The folder `path` is what TensorFlow Serving takes as `model_base_path`. What is written is read back through
    TensorFlow's loader and compared with the model before it gets its name; a version that is there is whole.

    Args:
        model: `Seq2Seq` or `LanguageModel`.
        path: folder; made if need be.
        data: pairs, or a text, to compare and score on; see `seqzoo.export.check`.

    Returns:
        A dictionary: `path`, the version's folder, and the content of its `export.json` but `tokens`, the vocabulary,
        each token at its id: `format`, `model` (its class), `signatures`, `bytes`; `warm_up`, the number of requests
        that TensorFlow Serving replays at start, 0 where `tensorflow-serving-api` is not installed; and the results of
        the comparison: `rows`, `equal`, `near_ties`, `different` (0) and `score`.

    Raises:
        ValueError: where `path` is no folder, or what was written does not answer as the model does.
        OSError: where it cannot be written.
    """
    functions = signatures(model)
    with output_folder(path) as path, tempfile.TemporaryDirectory(dir=path, prefix=".export-") as temporary:
        folder = pathlib.Path(temporary, "version")
        with _quiet():
            write_functions(functions, folder)
            with loaded(folder) as run:
                result, requests = _checked(model, run, data)
                replies = {name: run(name, **request) for name, request in requests.items()}
        name = path.resolve().name
        warm_up = _write_warm_up(folder / "assets.extra", name, requests)
        (folder / "README.md").write_text(_readme(name, requests, replies), encoding="utf-8")
        report = {
            "format": "saved_model",
            "model": type(model).__name__,
            "signatures": list(functions),
            "warm_up": warm_up,
            "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            **result,
        }
        stored = json.dumps({**report, "tokens": _tokens(model)}, ensure_ascii=False, indent=2) + "\n"
        (folder / "export.json").write_text(stored, encoding="utf-8")
        return {"path": str(rename_to_next_version(folder, path)), **report}


def ask_in_fresh_process(folder, sources):
    """The answers of a seq2seq SavedModel, given by a process of its own that cannot import Keras or seqzoo.

    Args:
        folder: a version's folder.
        sources: list of `str`.

    Returns:
        A list of `str`.

    Raises:
        ValueError: where that process fails, with the last line of what it said.
    """
    command = [sys.executable, "-c", _ASK, str(folder), *sources]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ValueError(f"The exported model does not answer in a process of its own: {said[-1]}")
    return done.stdout.splitlines()


@contextlib.contextmanager
def loaded(folder):
    """A SavedModel in a session of its own, loaded as TensorFlow Serving does; gives `run(signature, **inputs)`."""
    v1, graph = tf.compat.v1, tf.Graph()
    session = v1.Session(graph=graph)
    with graph.as_default():
        functions = v1.saved_model.loader.load(session, [v1.saved_model.SERVING], str(folder)).signature_def

    def run(signature, **inputs):
        feed = {functions[signature].inputs[name].name: value for name, value in inputs.items()}
        return session.run({name: info.name for name, info in functions[signature].outputs.items()}, feed)

    with contextlib.closing(session):
        yield run


def _checked(model, run, data):
    """The comparison with the model, and a request for each signature, of which the second row is wrong."""
    if isinstance(model, LanguageModel):
        prompts = sample_prompts(model, data)
        result = check_texts(model, lambda *request: most_probable_texts(run, *request), prompts)
        prompt = np.array([prompts[-1]] * 2, object)
        options = {"temperature": np.array([0.8, 0.0], "float32"), "top_k": np.array([5, 5], "int32")}
        options |= {"length": np.array([40, 40], "int32"), "seed": np.array([1, 1], "int64")}
        requests = {"serving_default": {"prompt": prompt[:1]}, "sample": {"prompt": prompt, **options}}
    else:
        sources, targets = sample_pairs(model, data)
        result = check_answers(model, lambda batch: answers(run, batch), sources, targets)
        source = np.array([sources[0], ""], object)
        ids = model.preprocessor.vocabulary.lookup(sources[:1]).to_tensor().numpy()
        requests = {
            "serving_default": {"source": source},
            "ids": {"source": np.concatenate([ids, -ids])},
            "score": {"source": source, "target": np.array([model.generate(sources[0]) or sources[0]] * 2, object)},
        }
    raise_if_different(result)
    return {key: value for key, value in result.items() if key != "first_different"}, requests


def answers(run, sources):
    """What the SavedModel of a `Seq2Seq`, loaded with `loaded`, answers to a list of `str`."""
    return [text.decode() for text in run("serving_default", source=sources)["answer"]]


def most_probable_texts(run, prompts, length):
    """What the SavedModel of a language model, loaded with `loaded`, writes on from prompts, greedily."""
    options = {"length": length, "temperature": 1.0, "top_k": 1, "seed": 0}
    reply = run("sample", prompt=prompts, **{name: [value] * len(prompts) for name, value in options.items()})
    return [text.decode() for text in reply["text"]]


def _tokens(model):
    """The token of each id; `None` for those that are no text: padding, start or end, unknown."""
    vocabulary = model.preprocessor.vocabulary
    return [None] * (vocabulary.size - len(vocabulary.tokens)) + list(vocabulary.tokens)


def _write_warm_up(folder, name, requests):
    """Writes the requests as TensorFlow Serving replays them when it loads the model; gives their number."""
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
        "wrote this version is in `export.json`, and each id's token.",
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
    return [text.decode() if isinstance(text, bytes) else text for text in np.asarray(value).tolist()]


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
