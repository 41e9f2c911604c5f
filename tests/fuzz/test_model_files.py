"""Model files that may be anything: each is a model that answers, or refused in one clear line."""

import copy
import json

import h5py
import numpy as np
import pytest
from fuzz.cases import cases, check_all
from fuzz.model_files import (
    CONFIG,
    FORBIDDEN,
    METADATA,
    WEIGHTS,
    change_dataset,
    check_model_file,
    described,
    packed,
    put,
    with_weights,
)
from hypothesis import strategies as st

from seqzoo import cli

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras warns of what a mutated file lacks.


@st.composite
def torn(draw, content):
    """Bytes that were flipped, cut or put in."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        # Most of an HDF5 file is numbers; its structure, and a ZIP file's, stands at the ends.
        at = draw(st.one_of(st.integers(0, len(content)), st.integers(0, 800), st.integers(-400, -1)))
        match draw(st.sampled_from(["flip", "flip", "set", "cut", "insert"])):
            case "flip":
                content[at % len(content)] ^= 1 << draw(st.integers(0, 7))
            case "set":
                content[at % len(content)] = draw(st.sampled_from([0, 1, 127, 255]))
            case "cut":
                del content[at : at + draw(st.sampled_from([1, 8, 100]))]
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=9))
    return bytes(content)


@cases(40, 4_000, minutes=2)
def test_torn_model_files(count, whole, tmp_path):
    def check(content):
        check_model_file(tmp_path / "model.keras", content)

    files = [torn(packed(parts)) for parts in whole.values()]
    check_all(check, count, content=st.one_of(*files, st.binary(max_size=300)))


@cases(10, 1_500, minutes=2)
def test_torn_parts_in_whole_model_files(count, whole, tmp_path):
    def check(kind_name, data):
        kind, name = kind_name
        parts = {**whole[kind], name: data.draw(torn(whole[kind][name]))}
        check_model_file(tmp_path / "model.keras", packed(parts))

    names = [("text", WEIGHTS), ("pairs", WEIGHTS), ("pairs", CONFIG), ("text", CONFIG), ("text", METADATA)]
    check_all(check, count, kind_name=st.sampled_from(names), data=st.data())


HOSTILE = [
    None, True, -1, 0, 1, 3, 2.5, float("nan"), float("inf"), 10**9, 10**400, -(10**400), "", "a", "\0", "ab\n", "4",
    [], [1], ["a"], {}, {"a": 1}, [[[]]], "lstm", "gru", "mixed_float16", "int8", "float64", "string",
    "int8_from_float32", "whitespace", "seqzoo>Seq2Seq",
    *FORBIDDEN,
    described("function", "eval", "builtins", "eval"),
    described("MeanSquaredError", {}, "keras.losses"),
    described("SGD", {"learning_rate": 0.1}, "keras.optimizers"),
    described("Vocabulary", {"tokens": "ab"}, None, "seqzoo>Vocabulary"),
    described("TextPreprocessor", {"vocabulary": None}, None, "seqzoo>TextPreprocessor"),
]  # fmt: skip


def places(value, path=()):
    """The path to each value of a configuration, at any depth."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


@st.composite
def mutated_config(draw, content):
    config = json.loads(content)
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        path = draw(st.sampled_from(sorted(places(config), key=repr)))
        value = draw(st.one_of(st.sampled_from([KeyError, *HOSTILE]), st.integers(-2, 5)))
        config = put(config, path, copy.deepcopy(value))
    return json.dumps(config).encode()


@cases(15, 2_000, minutes=2)
def test_model_files_of_any_configuration(count, whole, tmp_path):
    def check(kind, data):
        content = data.draw(mutated_config(whole[kind][CONFIG]))
        check_model_file(tmp_path / "model.keras", packed({**whole[kind], CONFIG: content}))

    check_all(check, count, kind=st.sampled_from(["pairs", "text"]), data=st.data())


def datasets_of(weights):
    names = []
    weights.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return sorted(names)


WEIGHT_CHANGES = [
    "missing", "reshaped", "flattened", "nan", "inf", "float64", "text", "bytes", "compound", "empty", "group",
    "named type", "compressed", "bomb", "unallocated", "soft link", "cycle", "external link", "virtual",
    "external storage",
]  # fmt: skip


@pytest.fixture
def other_weights(tmp_path):
    """A file of somebody else's numbers."""
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros((9, 4), "f4")
    return path


@cases(10, 600, minutes=1)
def test_model_files_of_any_weights(count, whole, tmp_path, other_weights):
    def check(kind, how, data):
        def change(weights):
            name = data.draw(st.sampled_from(datasets_of(weights)))
            change_dataset(weights, name, how, other_weights)

        check_model_file(tmp_path / "model.keras", packed(with_weights(whole[kind], change)))

    kinds = st.sampled_from(["pairs", "text"])
    check_all(check, count, kind=kinds, how=st.sampled_from(WEIGHT_CHANGES), data=st.data())


NAMES = [
    CONFIG, METADATA, WEIGHTS, "Config.json", "config.json\0", "./config.json", "../evil", "/tmp/evil", "assets/a",
    "assets/../../evil", "..\\evil", "model.weights.npz", "a" * 60_000, "\u2028\n",
]  # fmt: skip


@cases(40, 1_000, minutes=1)
def test_model_files_with_other_parts(count, whole, tmp_path):
    def check(names, order):
        parts = [*whole["text"].items()]
        for at, name in names:
            parts[at % len(parts) : at % len(parts) + order[0]] = [(name, parts[at % len(parts)][1])] * order[1]
            if not parts:
                break
        if parts != [*whole["text"].items()]:
            check_model_file(tmp_path / "model.keras", packed(parts))

    names = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(NAMES)), min_size=1, max_size=3)
    check_all(check, count, names=names, order=st.tuples(st.integers(0, 1), st.integers(0, 2)))


@cases(4, 250, minutes=1)
def test_the_command_line_answers_or_prints_one_error_line(count, whole, tmp_path, capfd):
    path = tmp_path / "model.keras"

    def check(kind, data):
        parts = whole[kind]
        how = data.draw(st.sampled_from(["config", "weights", "file"]))
        if how == "config":
            parts = {**parts, CONFIG: data.draw(mutated_config(parts[CONFIG]))}
        elif how == "weights":
            parts = {**parts, WEIGHTS: data.draw(torn(parts[WEIGHTS]))}
        content = packed(parts)
        path.write_bytes(data.draw(torn(content)) if how == "file" else content)
        for command in (["generate", str(path), "ab"], ["sample", str(path), "--length", "2"]):
            capfd.readouterr()
            status = cli.main(command)
            output, errors = capfd.readouterr()
            assert "Traceback" not in errors
            printed = [line for line in errors.splitlines() if line.startswith("error: ")]
            assert (status, len(printed)) in [(0, 0), (2, 1)]
            assert status == 0 or output == ""

    check_all(check, count, kind=st.sampled_from(["pairs", "text"]), data=st.data())
