"""Files that may be anything: each is read rightly or refused in one clear line, and none is trusted."""

import copy
import io
import json
import os
import pathlib
import stat
import tempfile
import time
import warnings
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqzoo import cli, models
from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, Vocabulary, read_pairs, read_text

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras warns of what a mutated file lacks.

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# What Python takes for a line's end, or strips, and a file of lines does not; and what is no text at all.
SNIPPETS = [
    b"\t", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\0", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf",
    b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c", b"\xef\xbf\xbf", b"a" * 9000, b" ", b"",
]  # fmt: skip
LETTERS = "abé한👍 "


def cases(quick, slow):
    """So many cases with every run, the same ones each time; and as many more, ever new ones, with `-m slow`."""
    new = pytest.param({"max_examples": slow}, marks=pytest.mark.slow, id="new")
    return pytest.mark.parametrize(
        "count", [pytest.param({"max_examples": quick, "derandomize": True}, id="same"), new]
    )


def check_all(property_, count, **strategies):
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    options = settings(**count, database=None, deadline=None, suppress_health_check=quiet)
    options(given(**strategies)(property_))()


@st.composite
def spliced(draw, content):
    """`content` with pieces cut out and others put in."""
    content = draw(content)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 1000]))
        content = content[:at] + draw(st.sampled_from(SNIPPETS)) + content[at + cut :]
    return content


SIDES = st.text(st.sampled_from(LETTERS + "\u2028\x85\x0b\x1c\0x"), min_size=1, max_size=4)
LINES = st.tuples(SIDES, st.just("\t"), SIDES, st.sampled_from(["\n", "\n", "\r\n"])).map("".join)
FITTING_SIDES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=3)
PAIR_FILES = st.one_of(
    spliced(st.lists(LINES, max_size=6).map(lambda lines: "".join(lines).encode())),
    st.tuples(FITTING_SIDES, st.just("\t"), FITTING_SIDES).map(lambda parts: "".join(parts).encode()),
    st.binary(max_size=40),
)
TEXT_FILES = st.one_of(
    spliced(st.text(st.sampled_from(LETTERS + "\n\r\u2028\x85\x0b\x1c\0x"), max_size=30).map(str.encode)),
    st.binary(max_size=20),
)


def is_utf8(content):
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def expected_pairs(content):
    """What a file of pairs says, `(pairs, None)`; or `(None, number of its first wrong line)`."""
    lines = content.split(b"\n")
    pairs = []
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        sides = (line[:-1] if line.endswith(b"\r") else line).split(b"\t")
        marked = number == 1 and line.startswith(b"\xef\xbb\xbf")
        if len(sides) != 2 or b"" in sides or b"\r" in b"".join(sides) or not is_utf8(line) or marked:
            return None, number
        pairs.append(tuple(side.decode() for side in sides))
    return pairs, None


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


def write_files(folder, contents):
    """Writes the files, whose names are in their order, as all that is in the folder; gives a glob of them."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for number, content in enumerate(contents):
        (folder / f"{number:03}.tsv").write_bytes(content)
    return folder / "*.tsv"


@cases(10, 400)  # of 25 files each
def test_a_file_of_pairs_is_read_exactly_or_its_wrong_line_is_named(count, tmp_path):
    path = tmp_path / "pairs.tsv"

    def check(contents):
        for content in contents:
            pairs, wrong = expected_pairs(content)
            if not pairs:
                path.write_bytes(content)
                with pytest.raises(ValueError, match=r"pairs\.tsv") as error:
                    read_pairs(path)
                assert str(error.value).startswith(f"{path}:{wrong}: the line " if wrong else f"{path} is empty")
        right = [content for content in contents if expected_pairs(content)[0]]
        if right:  # Together, which takes a twentieth of the time.
            expected = [pair for content in right for pair in expected_pairs(content)[0]]
            assert rows_of(read_pairs(write_files(tmp_path / "right", right))) == expected

    check_all(check, count, contents=st.lists(PAIR_FILES, min_size=25, max_size=25))


@cases(6, 300)  # of up to 11 files each
def test_pairs_that_do_not_fit_the_model_are_named_by_their_line(count, tmp_path):
    preprocessor = PairPreprocessor(Vocabulary(LETTERS), source_length=3, target_length=2)

    def misfit(content):
        for number, (source, target) in enumerate(expected_pairs(content)[0], 1):
            if len(source) > 3 or len(target) > 2 or not set(source + target) <= set(LETTERS):
                return number
        return None

    def check(contents):
        contents = [content for content in contents if expected_pairs(content)[0]]
        right = [content for content in contents if misfit(content) is None]
        wrong = [content for content in contents if misfit(content)][:1]
        if not right + wrong:
            return
        files = write_files(tmp_path / "files", right + wrong)
        if not wrong:
            assert rows_of(read_pairs(files, preprocessor)) == [pair for c in right for pair in expected_pairs(c)[0]]
            return
        with pytest.raises(ValueError, match=r"\.tsv") as error:
            read_pairs(files, preprocessor)
        assert str(error.value).startswith(f"{files.parent}/{len(right):03}.tsv:{misfit(wrong[0])}: ")

    check_all(check, count, contents=st.lists(PAIR_FILES, min_size=10, max_size=20))


def first_invalid(content):
    """The number of the first line that is not UTF-8, or `None`."""
    for number, line in enumerate(content.split(b"\n"), 1):
        if not is_utf8(line):
            return number
    return None


@cases(12, 1_000)
def test_a_text_is_read_and_encoded_exactly_or_its_wrong_line_is_named(count, tmp_path):
    path = tmp_path / "text.txt"
    known = TextPreprocessor(Vocabulary(LETTERS + "\n"))

    def decoded(preprocessor, data):
        return preprocessor.decode(preprocessor.encode(data, path)[None].astype("int32")).numpy()[0]

    def check(content):
        path.write_bytes(content)
        problem = "" if content else " is empty"
        if content.startswith(b"\xef\xbb\xbf"):
            problem = " begins with a byte order mark"
        elif wrong := first_invalid(content):
            problem = f":{wrong}: the line is not valid UTF-8"
        if problem:
            with pytest.raises(ValueError, match=r"text\.txt") as error:
                read_text(path)
            assert str(error.value).startswith(f"{path}{problem}")
            return
        text, data = content.decode(), read_text(path)
        if "\uffff" in text:  # No character, as Unicode guarantees.
            with pytest.raises(ValueError, match="must be one Unicode character"):
                TextPreprocessor.from_text(data)
        else:
            assert decoded(TextPreprocessor.from_text(data), data) == content
        lines = text.split("\n")
        wrong = next((number for number, line in enumerate(lines, 1) if not set(line) <= set(LETTERS)), None)
        if wrong is None:
            assert decoded(known, data) == content
            return
        with pytest.raises(ValueError, match=r"text\.txt") as error:
            known.encode(data, path)
        assert str(error.value).startswith(f"{path}:{wrong}: the text ")

    check_all(check, count, content=TEXT_FILES)


@cases(4, 400)
def test_a_text_of_lines_keeps_each_line(count, tmp_path):
    path = tmp_path / "text.txt"

    def check(text):
        path.write_bytes(text.encode())
        lines = [line.removesuffix("\r") for line in text.split("\n") if line.removesuffix("\r")]
        if not lines:
            with pytest.raises(ValueError, match=r"is empty|has no tokens"):
                TextPreprocessor.from_text(read_text(path), lines=True)
            return
        preprocessor = TextPreprocessor.from_text(read_text(path), lines=True)
        ids = preprocessor.encode(read_text(path))
        parts = np.split(ids, np.flatnonzero(ids == 0) + 1)[:-1]
        assert [preprocessor.decode(part[None].astype("int32")).numpy()[0].decode() for part in parts] == lines

    check_all(check, count, text=st.text(st.sampled_from(LETTERS + "\n\n\r\u2028\x85\x0b"), max_size=20))


@pytest.fixture(scope="module")
def whole():
    """The parts of two small models: `{"pairs" or "text": {name: bytes}}`."""
    pairs = PairPreprocessor.from_pairs([("ab", "BA"), ("c", "C")])
    text = TextPreprocessor.from_text("abc\nab")
    answering = models.Seq2Seq(pairs, 4, 4)
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    answering.compile(models.optimizers.Adam(schedule), models.SequenceCrossentropy(), metrics=[models.ExactMatch()])
    writing = models.LanguageModel(text, 4, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    writing.compile("adam", loss, metrics=[models.Perplexity(), keras.metrics.SparseTopKCategoricalAccuracy(3)])
    return {"pairs": parts_of(answering), "text": parts_of(writing)}


def parts_of(model):
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


@cases(40, 4_000)
def test_torn_model_files(count, whole, tmp_path):
    def check(content):
        check_model_file(tmp_path / "model.keras", content)

    files = [torn(packed(parts)) for parts in whole.values()]
    check_all(check, count, content=st.one_of(*files, st.binary(max_size=300)))


@cases(10, 1_500)
def test_torn_parts_in_whole_model_files(count, whole, tmp_path):
    def check(kind_name, data):
        kind, name = kind_name
        parts = {**whole[kind], name: data.draw(torn(whole[kind][name]))}
        check_model_file(tmp_path / "model.keras", packed(parts))

    names = [("text", WEIGHTS), ("pairs", WEIGHTS), ("pairs", CONFIG), ("text", CONFIG), ("text", METADATA)]
    check_all(check, count, kind_name=st.sampled_from(names), data=st.data())


def described(class_name, config=None, module=None, registered_name=None, **more):
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


@st.composite
def mutated_config(draw, content):
    config = json.loads(content)
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        path = draw(st.sampled_from(sorted(places(config), key=repr)))
        value = draw(st.one_of(st.sampled_from([KeyError, *HOSTILE]), st.integers(-2, 5)))
        config = put(config, path, copy.deepcopy(value))
    return json.dumps(config).encode()


@cases(15, 2_000)
def test_model_files_of_any_configuration(count, whole, tmp_path):
    def check(kind, data):
        content = data.draw(mutated_config(whole[kind][CONFIG]))
        check_model_file(tmp_path / "model.keras", packed({**whole[kind], CONFIG: content}))

    check_all(check, count, kind=st.sampled_from(["pairs", "text"]), data=st.data())


def datasets_of(weights):
    names = []
    weights.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return sorted(names)


def change_dataset(weights, name, how, other):
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


@cases(10, 600)
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


@cases(40, 1_000)
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


@cases(4, 250)
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


def peak_memory(reset=False):
    """The most resident memory so far, or since the last reset, in KiB."""
    if reset:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Loads what must be refused, quickly, in little memory and without writing a file; gives the reason."""
    folder, temporary = tmp_path / "here", tmp_path / "temporary"
    for path in (folder, temporary):
        path.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def refused(content):
        before, started = peak_memory(reset=True), time.process_time()
        reason = check_model_file(folder / "model.keras", content if isinstance(content, bytes) else packed(content))
        assert reason is not None
        assert time.process_time() - started < 5
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
