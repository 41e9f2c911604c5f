"""Model files that were changed: how they are taken apart, put together, and what must hold for all of them."""

import copy
import io
import json
import tempfile
import warnings
import zipfile

import h5py
import numpy as np
import tensorflow as tf

from seqzoo import models

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def parts_of(model):
    """The parts of a model's file, `{name: bytes}`."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        with zipfile.ZipFile(f"{folder}/model.keras") as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    """The bytes of a `.keras` file with these parts, a dictionary or `(name, content)` pairs."""
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(name, content)
    return file.getvalue()


def with_config(parts, change):
    """The parts with a changed configuration: `change` gets it and returns `None`, or another one."""
    config = json.loads(parts[CONFIG])
    return {**parts, CONFIG: json.dumps(change(config) or config).encode()}


def with_weights(parts, change):
    """The parts with changed weights: `change` gets the open HDF5 file."""
    file = io.BytesIO(parts[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    return {**parts, WEIGHTS: file.getvalue()}


def check_model_file(path, content):
    """The property of all model files: one clear error, or a model that answers."""
    path.write_bytes(content)
    try:
        model = models.load(path)
    except ValueError as error:
        message = str(error)
    else:
        message = None
    if message is not None:
        assert message.startswith(f"{path} ")
        assert len(message.splitlines()) == 1
        assert len(message) < 600
        return message
    tf.config.run_functions_eagerly(True)  # Compiling is most of the time that one answer takes.
    try:
        assert isinstance(model.generate(model.preprocessor.vocabulary.tokens[0]), str)
    finally:
        tf.config.run_functions_eagerly(False)
    return None


def described(class_name, config=None, module=None, registered_name=None, **more):
    """An object as Keras describes it in a configuration."""
    return {
        "module": module, "class_name": class_name, "config": {} if config is None else config,
        "registered_name": registered_name, **more,
    }  # fmt: skip


# Objects that are refused wherever they stand.
FORBIDDEN = [
    described("Lambda", {"function": described("__lambda__", {"value": "4wA="})}, "keras.layers"),
    described("__lambda__", {"value": "4wA="}),
    described("__numpy__", {"value": ["a"], "dtype": "S1000000000"}, registered_name="seqzoo>Vocabulary"),
    described("__tensor__", {"value": 1, "dtype": "float32"}),
    described("__keras_tensor__", {"shape": [1], "dtype": "float32", "keras_history": ["a", 0, 0]}),
    described("function", "system", "os", "system"),
    described("function", "get_file", "keras.utils", "get_file"),
    described("function", "load_model", "keras.src.saving.saving_api"),
    described("function", "plot_model", "keras.utils", "seqzoo>Adam"),
    described("function", "losses.mean_squared_error", "keras"),
    described("system", {}, "os"),
    described("Popen", {"args": "touch canary"}, "subprocess"),
    described("layers.Dense", {"units": 10**9}, "keras"),
    described("Embedding", {"input_dim": 10**9, "output_dim": 10**9}, "keras.layers"),
    described("StringLookup", {"vocabulary": "/etc/passwd"}, "keras.layers"),
    described("TFSMLayer", {"filepath": "/tmp"}, "keras.layers"),
    described("Encoder", {"vocabulary_size": 10**9, "embedding_dim": 9, "hidden_dim": 9}, None, "seqzoo>Encoder"),
    described("AUC", {"num_thresholds": 10**9}, "keras.metrics"),
    described("MeanIoU", {"num_classes": 10**6}, "keras.losses"),
    described("Seq2Seq", {}, None, "seqzoo>Seq2Seq"),
]  # fmt: skip


def put(config, path, value):
    """The configuration with another value at a path; `KeyError` as value takes it out."""
    if not path:
        return {} if value is KeyError else value
    config = copy.deepcopy(config)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    if value is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return config


def change_dataset(weights, name, how, other):
    """Changes one of the arrays in an open file of weights; `other` is another file of weights."""
    old = weights[name][()]
    del weights[name]
    match how:
        case "missing":
            return
        case "reshaped":
            weights[name] = np.zeros((3, *old.shape), old.dtype)
        case "flattened":
            weights[name] = old.reshape(-1)
        case "nan":
            weights[name] = np.full_like(old, np.nan if old.dtype.kind == "f" else -1)
        case "inf":
            weights[name] = np.full_like(old, np.inf if old.dtype.kind == "f" else 2**62)
        case "float64":
            weights[name] = old.astype("float64")
        case "text":
            weights.create_dataset(name, data=["a"] * max(old.size, 1))
        case "bytes":
            weights[name] = np.full(old.shape, b"a")
        case "compound":
            weights[name] = np.zeros(old.shape, [("a", "f4"), ("b", "i4")])
        case "empty":
            weights[name] = h5py.Empty("f4")
        case "group":
            weights.create_group(name)
        case "named type":
            weights[name] = np.dtype("f4")
        case "compressed":
            weights.create_dataset(name, data=np.ones(100), compression="gzip")
        case "bomb":
            weights.create_dataset(name, (10**6, 10**6), "f4", chunks=(1, 10**5))
        case "unallocated":  # Contiguous, as Keras writes it, and never written to.
            weights.create_dataset(name, (10**6, 10**4), "f4")
        case "soft link":
            weights[name] = h5py.SoftLink("/vars")
        case "cycle":
            weights[name] = weights["/layers"]
        case "external link":
            weights[name] = h5py.ExternalLink(str(other), "/x")
        case "virtual":
            layout = h5py.VirtualLayout(old.shape, old.dtype)
            if old.shape:
                layout[...] = h5py.VirtualSource(str(other), "x", old.shape)
            weights.create_virtual_dataset(name, layout)
        case "external storage":
            weights.create_dataset(name, old.shape or (1,), "f4", external=[(str(other), 0, 10**6)])
