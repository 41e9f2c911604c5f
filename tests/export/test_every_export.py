"""Every export of a trained attention model beside Python, a beam of five, on 5,000 dates held out."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import openvino
import pytest
import tensorflow as tf
from browser import CHROMIUM, MISSING, NODE_MODULES
from tensorflow.core.protobuf import saved_model_pb2

from seqzoo.export import litert, page, saved_model
from seqzoo.export.clients import loaded
from seqzoo.export.page import server
from seqzoo.pipelines import load_dates
from seqzoo.training import RECIPES, train

pytestmark = pytest.mark.slow(minutes=5)

BEAM = 5


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    """The model of the recipe `dates`."""
    return train(RECIPES["dates"], tmp_path_factory.mktemp("dates") / "run", verbose=2)[0]


@pytest.fixture(scope="module")
def rows():
    """`(sources, targets)` of the test split."""
    return tuple([text.decode() for text in side] for side in zip(*load_dates("test").as_numpy_iterator(), strict=True))


@pytest.fixture(scope="module")
def check(dates, rows):
    """Compares answers to all sources with the model's: at most 5 differ, each a near-tie."""
    score = dates.serving_functions()["score"][0]

    def compare(answers, beam_size=BEAM):
        own = dates.generate(rows[0], beam_size=beam_size)
        differing = [row for row in zip(rows[0], own, answers, strict=True) if row[1] != row[2]]
        print(f"{len(differing)} of {len(own)} answers differ", differing)
        assert len(differing) <= 5
        for source, one, other in differing:
            both = score(tf.constant([source] * 2), tf.constant([one, other]))["log_probability"].numpy()
            assert abs(both[0] - both[1]) < 1e-3

    return compare


@pytest.fixture(scope="module")
def beam_file(dates, tmp_path_factory):
    """The model as a LiteRT file of float32, with a beam."""
    return litert(dates, tmp_path_factory.mktemp("litert") / "dates.tflite", beam_size=BEAM)["path"]


def batches(sources, size=1000):
    return (sources[start : start + size] for start in range(0, len(sources), size))


def test_all_dates_held_out_are_answered(dates, rows):
    wrong = [row for row in zip(*rows, dates.generate(rows[0]), strict=True) if row[1] != row[2]]
    print(f"{len(wrong)} of {len(rows[0])} are wrong", wrong)
    assert not wrong


def test_a_beam_hardly_ever_finds_less_probable_answers_than_greedy_search(dates, rows):
    worse = 0
    for part in batches(rows[0]):
        source, _ = dates.preprocessor.encode_sources(list(part))
        greedy, beam = (dates.decode(source, beam_size)[1][:, 0].numpy() for beam_size in (1, BEAM))
        worse += int((beam < greedy - 1e-4).sum())
    print(f"{worse} of {len(rows[0])} answers of the beam are less probable than the greedy ones")
    assert worse <= len(rows[0]) * 5 / 10_000


def test_saved_model_by_tensorflows_loader_and_by_a_c_program(dates, rows, check, tmp_path):
    folder = pathlib.Path(saved_model(dates, tmp_path / "dates", beam_size=BEAM)["path"])
    with loaded(folder) as run:
        replies = [run("serving_default", source=list(part))["answer"] for part in batches(rows[0])]
    answers = [text.decode() for reply in replies for text in reply]
    check(answers)

    program, library = tmp_path / "ask", pathlib.Path(tf.sysconfig.get_lib())
    include = next(flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I"))
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{library}"]
    code = pathlib.Path(__file__).parent / "saved_model" / "ask.c"
    subprocess.run(["cc", code, "-o", program, include, f"-L{library}", *libraries], check=True)
    graph = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    signature = graph.signature_def["serving_default"]
    by_c = []
    for part in batches(rows[0]):
        command = [program, folder, len(part), 1, 1, signature.inputs["source"].name.split(":")[0], 0, *part]
        command += signature.outputs["answer"].name.split(":")
        by_c += subprocess.run(
            list(map(str, command)), check=True, capture_output=True, encoding="utf-8"
        ).stdout.splitlines()
    assert by_c == answers


WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = sys.modules["seqzoo"] = None
import numpy as np
from ai_edge_litert.interpreter import Interpreter

sources, length = json.load(sys.stdin)
answer = Interpreter(sys.argv[1]).get_signature_runner("serving_default")
answers = []
for start in range(0, len(sources), 500):
    part = sources[start : start + 500]
    points = np.array([[*map(ord, text), *[0] * (length - len(text))] for text in part], "int32")
    answers += ["".join(chr(c) for c in row if c > 0) for row in answer(source=points)["answer"].tolist()]
json.dump(answers, sys.stdout)
"""


def test_litert_without_tensorflow(dates, rows, check, beam_file):
    given = json.dumps([rows[0], dates.preprocessor.source_length])
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, beam_file]
    done = subprocess.run(command, input=given, check=True, capture_output=True, encoding="utf-8")
    check(json.loads(done.stdout))


@pytest.mark.parametrize(("quantize", "points"), [("float16", 0.2), ("dynamic_int8", 0.5)])
def test_quantised_weights_answer_about_as_well(dates, rows, tmp_path, quantize, points):
    report = litert(dates, tmp_path / "dates.tflite", quantize, list(zip(*rows, strict=True)), beam_size=BEAM)
    print(report["score"], report["bytes"])
    assert abs(report["score"]["export"] - report["score"]["model"]) <= points / 100


def test_openvino_answers_greedily(dates, rows, check, tmp_path):
    path = litert(dates, tmp_path / "greedy.tflite")["path"]
    core = openvino.Core()
    run = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    length, answers = dates.preprocessor.source_length, []
    for source in rows[0]:
        points = np.array([[*map(ord, source), *[0] * (length - len(source))]], "int32")
        answers.append("".join(chr(c) for c in run(points)[0][0].tolist() if c > 0))
    check(answers, beam_size=1)


def test_litert_js_in_chromium(dates, rows, check, beam_file, tmp_path):
    if MISSING:
        pytest.skip(f"needs {' and '.join(MISSING)}")
    from playwright.sync_api import sync_playwright

    dates.save(tmp_path / "dates.keras")
    page(tmp_path / "site", [tmp_path / "dates.keras"], NODE_MODULES)
    (file,) = (tmp_path / "site" / "models").glob("*.tflite")
    shutil.copy(beam_file, file)
    with contextlib.ExitStack() as stack:
        serving = stack.enter_context(server(tmp_path / "site"))
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        stack.callback(serving.shutdown)
        chromium = stack.enter_context(sync_playwright()).chromium
        window = chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
        window.goto(f"http://127.0.0.1:{serving.server_port}/")
        entry = window.evaluate("fetch('models.json').then(reply => reply.json())")["models"][0]
        answers = []
        for part in batches(rows[0]):
            answers += window.evaluate(
                """async ({sources, entry}) => {
                    const {load} = await import('./models.js');
                    const model = window.dates ??= await load(entry);
                    const answers = [];
                    for (const source of sources) answers.push(await model.answer(source));
                    return answers;
                }""",
                {"sources": list(part), "entry": entry},
            )
    check(answers)
