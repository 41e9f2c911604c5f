"""Model files made to do harm: refused with the reason, in little time and memory, and nothing of them is run."""

import copy
import io
import json
import os
import pathlib
import stat
import tempfile
import time
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
from fuzz.model_files import (
    CONFIG,
    FORBIDDEN,
    METADATA,
    WEIGHTS,
    change_dataset,
    check_model_file,
    packed,
    parts_of,
    put,
    with_config,
    with_weights,
)

from seqzoo import models
from seqzoo.pipelines import PairPreprocessor

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras warns of what a mutated file lacks.


def peak_memory(reset=False):
    """The most resident memory so far, or since the last reset, in KiB."""
    if reset:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture(scope="session")
def seconds_to_load(whole, tmp_path_factory):
    """The CPU time in which a whole model is loaded and answers."""
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    for _ in range(2):  # The first time more than that is loaded.
        started = time.process_time()
        assert check_model_file(path, packed(whole["pairs"])) is None
    return time.process_time() - started


@pytest.fixture
def refused(tmp_path, monkeypatch, seconds_to_load):
    """Loads what must be refused, quickly, in little memory and without writing a file; returns the reason."""
    folder, temporary = tmp_path / "here", tmp_path / "temporary"
    for path in (folder, temporary):
        path.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def refused(content):
        before, started = peak_memory(reset=True), time.process_time()
        reason = check_model_file(folder / "model.keras", content if isinstance(content, bytes) else packed(content))
        assert reason is not None
        assert time.process_time() - started < 25 * seconds_to_load
        assert peak_memory() - before < 300 * 1024  # KiB
        assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*")) if path.is_file()] == [
            "here/model.keras"
        ]
        return reason.removeprefix(f"{folder}/model.keras ")

    return refused


@pytest.fixture
def code_file(tmp_path, tmp_path_factory, monkeypatch):
    """A stock Keras model whose `Lambda` layer runs the code that its file holds: the bytes of the file."""
    monkeypatch.chdir(tmp_path_factory.mktemp("code"))  # Keras runs it once as it builds the model.
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: open("canary", "w").close() or x)]).save(
        tmp_path / "code.keras"
    )
    content = (tmp_path / "code.keras").read_bytes()
    (tmp_path / "code.keras").unlink()
    return content


def test_code_in_a_file_is_not_run(whole, code_file, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "here")
    with zipfile.ZipFile(io.BytesIO(code_file)) as archive:
        foreign = json.loads(archive.read(CONFIG))
    code = foreign["config"]["layers"][1]
    (tmp_path / "elsewhere").mkdir()
    with monkeypatch.context() as there:
        there.chdir(tmp_path / "elsewhere")
        layer = keras.saving.deserialize_keras_object(copy.deepcopy(code), safe_mode=False)
        layer(np.zeros((1, 2)))
        os.unlink("canary")  # It is code that works.

    assert refused(code_file) == "holds a Sequential, not a model of seqzoo"
    lambda_ = code["config"]["function"]
    places_ = [
        (), ("config", "preprocessor"), ("config", "preprocessor", "config", "vocabulary"), ("config", "dtype"),
        ("config", "initializer"), ("compile_config", "loss"), ("compile_config", "metrics", 0),
        ("compile_config", "optimizer"), ("compile_config", "optimizer", "config", "learning_rate"),
    ]  # fmt: skip
    for path in places_:
        for hostile in (code, lambda_, {**lambda_, "registered_name": "seqzoo>Seq2Seq"}):
            refused(with_config(whole["pairs"], lambda config, p=path, h=hostile: put(config, p, h)))


@pytest.mark.parametrize("hostile", FORBIDDEN, ids=lambda hostile: f"{hostile['module']}.{hostile['class_name']}")
@pytest.mark.parametrize("path", [("compile_config", "metrics", 0), ("config", "name")], ids=str)
def test_objects_that_no_model_of_seqzoo_has_are_refused(whole, refused, path, hostile):
    reason = refused(with_config(whole["pairs"], lambda config: put(config, path, {"nested": [hostile]})))
    assert "is no part of a model of seqzoo" in reason or "at most 10000. Received" in reason


def test_a_model_with_the_preprocessor_of_another_kind_is_refused(whole, refused):
    other = json.loads(whole["pairs"][CONFIG])["config"]["preprocessor"]
    other["config"]["vocabulary"]["config"]["tokens"] = ["\n", "a", "b", "c"]  # As many, so that the weights fit.
    content = with_config(whole["text"], lambda config: put(config, ("config", "preprocessor"), other))
    assert "its preprocessor must be a TextPreprocessor" in refused(content)


@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        keras.Model(inputs := keras.Input((2,)), keras.layers.Dense(1)(inputs)),
    ],
    ids=["Sequential", "Functional"],
)
def test_models_of_stock_keras_are_refused(refused, model):
    assert refused(parts_of(model)) == f"holds a {type(model).__name__}, not a model of seqzoo"


def elsewhere(how, other):
    def change(weights):
        if how == "a group":
            del weights["layers/embedding"]
            weights["layers/embedding"] = h5py.ExternalLink(str(other), "/layers/embedding")
        else:
            change_dataset(weights, "layers/embedding/vars/0", how, other)

    return change


@pytest.mark.parametrize("how", ["external link", "soft link", "a group", "virtual", "external storage"])
def test_weights_that_stand_in_another_file_are_not_read(whole, refused, tmp_path, how):
    other = tmp_path / "elsewhere.h5"
    other.write_bytes(whole["text"][WEIGHTS])
    content = with_weights(whole["text"], elsewhere(how, other))
    other.unlink()
    os.mkfifo(other)  # Whoever opens it for reading waits for ever.
    assert "are not stored as Keras stores them" in refused(content)


@pytest.mark.parametrize("how", ["bomb", "unallocated", "compressed"])
def test_weights_larger_than_what_is_stored_of_them_are_refused(whole, refused, how):
    content = with_weights(whole["text"], lambda weights: change_dataset(weights, "layers/dense/vars/0", how, None))
    assert "are not stored as Keras stores them" in refused(content)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("pairs", {"hidden_dim": 10**9}, "it has too few weights for"),
        ("text", {"hidden_dim": 10**9}, "it has too few weights for"),
        ("text", {"embedding_dim": 10**8}, "it has too few weights for"),
        ("pairs", {"num_layers": 10**6}, "it has too few weights for"),
        ("pairs", {"num_layers": 10**6, "hidden_dim": 1}, "it has too few weights for"),
        ("text", {"num_layers": 1_000, "hidden_dim": 1}, "the layers must be at most 32. Received: 1000"),
        ("text", {"tokens": [chr(0x10000 + number) for number in range(10**6)]}, "it has too few weights for tokens="),
        ("pairs", {"source_length": 10**8}, "the length must be at most 32768. Received: 100000000"),
        ("pairs", {"target_length": 10**8}, "the length must be at most 32768. Received: 100000000"),
        ("pairs", {"target_length": 10**4, "unroll": True}, "the unrolled steps must be at most 4096. Received: 10002"),
        ("pairs", {"hidden_dim": "4" * 10**6}, "its dimensions and lengths must be whole numbers from 1"),
        ("pairs", {"embedding_dim": -1}, "its dimensions and lengths must be whole numbers from 1"),
        ("pairs", {"source_length": 2.5}, "its dimensions and lengths must be whole numbers from 1"),
    ],
)  # fmt: skip
def test_a_model_larger_than_its_file_is_refused_at_once(whole, refused, kind, changes, reason):
    def change(config):
        model = config["config"]
        preprocessor = model["preprocessor"]["config"]
        for name, value in changes.items():
            for settings_ in (model, preprocessor, preprocessor["vocabulary"]["config"]):
                if name in settings_:
                    settings_[name] = value

    assert reason in refused(with_config(whole[kind], change))


def declared(name, content, **fields):
    """A file whose directory says other things of a part than are true."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for other in (METADATA, CONFIG, WEIGHTS):
            archive.writestr(other, content if other == name else b"{}")
        for field, value in fields.items():
            setattr(archive.getinfo(name), field, value)
    return file.getvalue()


def test_parts_that_would_be_inflated_are_refused(whole, refused):
    block = zlib_block(2**20)
    bomb = declared(WEIGHTS, block * 2**10, compress_type=zipfile.ZIP_DEFLATED, file_size=2**30)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive, archive.open(WEIGHTS) as part:
        assert part.read(100) == bytes(100)  # It is a bomb that works.
    assert "its parts are compressed" in refused(bomb)
    for name in (METADATA, CONFIG, WEIGHTS):
        size = {"file_size": 2**40, "compress_size": 2**40}
        assert "its parts are said to be larger than the file" in refused(declared(name, b"{}", **size))


def zlib_block(size):
    """Deflated zeros that can be repeated."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(bytes(size)) + compressor.flush(zlib.Z_FULL_FLUSH)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "assets/../../evil", "assets/a", CONFIG])
def test_parts_of_other_names_are_refused(whole, refused, name):
    assert "its parts must be config.json, " in refused([*whole["text"].items(), (name, b"{}")])


def test_a_link_in_place_of_a_part_is_not_followed(whole, refused, tmp_path):
    (tmp_path / "elsewhere.json").write_bytes(whole["text"][CONFIG])
    target = str(tmp_path / "elsewhere.json").encode()
    link = declared(CONFIG, target, external_attr=(stat.S_IFLNK | 0o777) << 16)
    (tmp_path / "elsewhere.json").unlink()
    assert refused(link).startswith("cannot be loaded as a model: Expecting value")


def test_a_file_with_another_name_goes_to_no_other_reader(whole, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(whole["text"][WEIGHTS] + packed(whole["text"]))  # Both at once, HDF5 and ZIP.
    with pytest.raises(ValueError, match=r"model\.h5 is not a file named \.keras"):
        models.load(path)


@keras.saving.register_keras_serializable("tests")
class Renamed(models.Seq2Seq):
    pass


@keras.saving.register_keras_serializable("tests")
def own_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


@pytest.mark.parametrize(
    ("optimizer", "loss", "metric", "dtype"),
    [
        (keras.optimizers.SGD(0.1, momentum=0.9), own_loss, "accuracy", "mixed_bfloat16"),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.Lion()), "mse", keras.metrics.AUC(), "mixed_float16"),
        (
            keras.optimizers.AdamW(keras.optimizers.schedules.PolynomialDecay(1e-3, 10**9)),
            keras.losses.sparse_categorical_crossentropy,
            keras.metrics.MeanMetricWrapper(own_loss, dtype=keras.DTypePolicy("float32")),
            "float16",
        ),
    ],
    ids=["function", "names", "schedule"],
)
def test_what_users_chose_and_registered_still_loads(tmp_path, optimizer, loss, metric, dtype):
    model = Renamed(PairPreprocessor.from_pairs([("ab", "BA")]), 4, 4, num_layers=2, dtype=dtype)
    model.compile(optimizer, loss, metrics=[metric])
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = models.load(tmp_path / "model.keras")
    assert type(loaded) is Renamed
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for weight, old in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old.numpy())
