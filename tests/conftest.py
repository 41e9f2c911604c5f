"""What several test files share: a small task, and a model that has learnt it."""

import fcntl
import gc
import importlib
import importlib.util
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

from seqzoo import models, pipelines  # Before Keras, so that TensorFlow starts quietly.

import keras  # isort: skip
import tensorflow as tf  # isort: skip

# Collections come less often, and pass over the hundred thousands of objects of the libraries.
gc.freeze()
gc.set_threshold(20_000, 20, 20)

_BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
_LONG = [
    "export/saved_model",
    "export/test_build.py",
    "tuning/test_search.py",
    "tuning/test_workers.py",
    "training/test_faults.py",
    "test_documentation.py",
    "export/litert",
    "training/test_run.py",
    "export/test_page.py",
    "models/test_language_model.py",
    "training/test_distribution.py",
    "test_examples.py",
    "models/test_fit_on_strings.py",
    "models/test_attention.py",
    "models/test_seq2seq.py",
    "models/test_fit_as_keras.py",
    "cli",
    "test_zoo.py",
    "export/test_reverse_target.py",
    "test_startup.py",
    "models",
    "training",
    "tuning",
    "pipelines/datasets",
]
"""The folders and files of tests that take longest, which begin first; all others take little."""

_SHARING = {"export/saved_model": "", "export/litert": "", "export/test_build.py": "built", "export/cards": "built"}
"""Folders and files whose tests share exports or what was built, by a name for those that share with each other."""

# Strings of one to three letters, to be written in capitals and backwards.
PAIRS = [
    (source, source[::-1].upper())
    for length in (1, 2, 3)
    for source in map("".join, itertools.product("abcd", repeat=length))
]


def pytest_configure(config):
    """Graphs that run a few times are neither optimized nor compiled well, and one thread is enough for each process.

    The slow tests have all of that as users do, and so have processes that tests start, but for XLA's level.
    """
    if config.getoption("markexpr") == "not slow":
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if not hasattr(config, "workerinput"):  # Those have the environment of the process that starts them.
        programs = tempfile.mkdtemp(prefix="seqzoo-programs-")
        config.add_cleanup(lambda: shutil.rmtree(programs, ignore_errors=True))
        os.environ["SEQZOO_COMPILATION_CACHE"] = programs  # Not the user's own.


def pytest_collection_modifyitems(items):
    """The longest files first, so that none of them is left over when the others end."""
    tests = pathlib.Path(__file__).parent
    ranks = {}

    def rank(item):
        if item.path not in ranks:
            place = item.path.relative_to(tests).as_posix()
            ranks[item.path] = next((rank for rank, start in enumerate(_LONG) if place.startswith(start)), len(_LONG))
        return ranks[item.path]

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One process runs all tests of a file, and makes once what they share; of the slow ones each has its own."""
    if config.getoption("markexpr") != "not slow" or config.getoption("dist") != "worksteal":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByWhatTestsShare(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            place = file.removeprefix("tests/")
            return next((name or start for start, name in _SHARING.items() if place.startswith(start)), file)

    config.option.loadscopereorder = False
    return ByWhatTestsShare(config, log)


@pytest.hookimpl(tryfirst=True)  # Before it says that it has collected.
def pytest_collection_finish(session):
    """A process of pytest-xdist, which alone knows the tests, writes the slow ones down for the one that reports."""
    worker = getattr(session.config, "workerinput", None)
    if worker and worker["workerid"] == "gw0":
        _slow_tests_file(worker["testrunuid"]).write_text(json.dumps(_slow_tests(session.items)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node):
    """Says beforehand what the slow tests take."""
    if node.workerinput["workerid"] == "gw0":
        file = _slow_tests_file(node.workerinput["testrunuid"])
        for line in json.loads(file.read_text()):
            node.config.pluginmanager.get_plugin("terminalreporter").write_line(line)
        file.unlink()


def pytest_report_collectionfinish(items):
    """Says beforehand what the slow tests take, where one process runs them."""
    return _slow_tests(items)


def _slow_tests(items):
    """Lines that list the slow tests among `items`, with the minutes that each takes by its marker."""
    minutes = {
        item.nodeid: marker.kwargs.get("minutes") for item in items if (marker := item.get_closest_marker("slow"))
    }
    if None in minutes.values():
        unknown = ", ".join(name for name, each in minutes.items() if each is None)
        raise pytest.UsageError(f"A slow test says what it takes, @pytest.mark.slow(minutes=…): {unknown}")
    if not minutes:
        return []
    return [
        f"slow tests: {len(minutes)}, about {sum(minutes.values()):.0f} minutes of processor time; "
        "each can be run alone, by pytest -m slow and its name",
        *(f"{each:6.1f} min  {name}" for name, each in minutes.items()),
    ]


def _slow_tests_file(run):
    return pathlib.Path(tempfile.gettempdir(), f"slow-tests-{run}.json")


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory):
    """A folder with a `python` and a `seqzoo` that start at once; see `warm_python.py`."""
    folder = tmp_path_factory.mktemp("warm")
    address = folder / "socket"
    script = pathlib.Path(__file__).with_name("warm_python.py")
    _module(script).programs(folder, address)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, script, address], **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        yield folder
        process.stdin.close()


@pytest.fixture(scope="session")
def pairs():
    """The small task: (source, target) strings."""
    return PAIRS


@pytest.fixture
def pair_file(tmp_path):
    """A file of the small task's pairs."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small():
    """The module `small_training.py`, which processes that tests start also use."""
    return _module(pathlib.Path(__file__).with_name("small_training.py"))


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Makes what all processes of pytest-xdist share: `made_once(name, make)` has the first one make a file or folder.

    Returns:
        Its path, which `make` was given, or another process's `make`.
    """

    def made_once(name, make):
        folder = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            folder = folder.parent
        with open(folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / name).exists():
                make(folder / f"new-{name}")
                (folder / f"new-{name}").rename(folder / name)
        return folder / name

    return made_once


@pytest.fixture(scope="session")
def trained(made_once):
    """A peeky, reversing model that answers the small task without an error."""

    def train(path):
        keras.utils.set_random_seed(0)
        preprocessor = pipelines.PairPreprocessor.from_pairs(PAIRS, reverse=True)
        model = models.PeekySeq2Seq(preprocessor, embedding_dim=8, hidden_dim=32)
        model.compile(keras.optimizers.Adam(0.02), models.SequenceCrossentropy(), jit_compile=False)
        model.fit(preprocessor.batches(PAIRS, 28, shuffle_seed=0), epochs=60, shuffle=False, verbose=0)
        model.save(path)

    return models.load(made_once("trained.keras", train))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory, made_once):
    """A wheel built from a copy of the project in which users' files lie around, each called `mine` something."""
    (wheel,) = made_once("wheels", lambda path: _build_wheel(tmp_path_factory, path)).glob("*.whl")
    return wheel


def _build_wheel(tmp_path_factory, path):
    copy = tmp_path_factory.mktemp("build") / "project"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "docs", "node_modules")
    shutil.copytree(pathlib.Path(__file__).parents[1], copy, ignore=ignored)
    for stray in ("saved_models/mine/model.keras", "saved_models/addition_reverse/training/mine.keras"):
        (copy / stray).parent.mkdir(exist_ok=True)
        (copy / stray).write_text("a user's")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", path, copy]
    subprocess.run(command, check=True)


@pytest.fixture
def benchmark(monkeypatch):
    """Imports a module of `benchmarks/` by its name."""
    monkeypatch.syspath_prepend(_BENCHMARKS / "peers")
    monkeypatch.syspath_prepend(_BENCHMARKS)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # Which seqzoo's sides leave as they find it.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # Which the benchmark takes away.
        monkeypatch.delenv(name, raising=False)
    return importlib.import_module
