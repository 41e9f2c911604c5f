"""SavedModels: answers, errors, versions, read back as TensorFlow Serving reads them."""

import itertools
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from seqzoo.export import saved_model
from seqzoo.export.saved_model import loaded
from seqzoo.models import Chain, Greedy, LanguageModel, Seq2Seq, Temperature, TopK
from seqzoo.pipelines import START_ID, PairPreprocessor, TextPreprocessor

PROMPTS = ["the", "the cat s", "", "m"]


@pytest.fixture(scope="module")
def folder(sums, tmp_path_factory):
    """The version's folder of the model `sums`."""
    return pathlib.Path(saved_model(sums, tmp_path_factory.mktemp("export") / "sums")["path"])


@pytest.fixture(scope="module")
def run(folder):
    """Runs its signatures through TensorFlow's loader."""
    with loaded(folder) as run:
        yield run


@pytest.fixture(scope="module")
def text_folder(writer, tmp_path_factory):
    """The version's folder of the model `writer`."""
    return pathlib.Path(saved_model(writer, tmp_path_factory.mktemp("export") / "writer")["path"])


@pytest.fixture(scope="module")
def write(text_folder):
    """Runs its signatures."""
    with loaded(text_folder) as run:
        yield run


def texts(values):
    return [value.decode() for value in values]


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize(("peeky", "reverse"), [(False, False), (True, True)], ids=["baseline", "peeky-reversed"])
def test_every_signature_answers_as_the_model(sums_model, three_digit_sums, tmp_path, cell, peeky, reverse):
    model = sums_model(cell, peeky, reverse)
    report = saved_model(model, tmp_path)
    assert report["rows"] == 5000
    assert report["equal"] + report["near_ties"] == 5000
    assert report["near_ties"] <= 5
    own = model.generate(three_digit_sums)
    with loaded(tmp_path / "1") as run:
        reply = run("serving_default", source=three_digit_sums)
        assert set(reply["error"]) == {b""}
        assert np.mean([one == other for one, other in zip(texts(reply["answer"]), own, strict=True)]) >= 0.999

        tokens = model.preprocessor.vocabulary.lookup(three_digit_sums).to_tensor().numpy()
        of_ids = run("ids", source=tokens)
        assert texts(model.preprocessor.decode(of_ids["answer"]).numpy()) == texts(reply["answer"])
        np.testing.assert_allclose(of_ids["log_probability"], reply["log_probability"], atol=1e-4)

        # Teacher forcing has its own way through the graph. Weights like these also write the start token, no text.
        answered = (reply["answer"] != b"") & (of_ids["answer"] != START_ID).all(axis=1)
        assert answered.sum() > 1000
        score = run("score", source=np.array(three_digit_sums)[answered], target=reply["answer"][answered])
        np.testing.assert_allclose(score["log_probability"], reply["log_probability"][answered], atol=1e-4)
        assert score["log_probability"].max() < 0


def test_wrong_rows_have_their_error_and_leave_their_neighbours_alone(sums, run):
    sources = [b"57+5", b"5x", b"1+1", b"", b"12345678", b"\xff1", b"628+521"]
    reply = run("serving_default", source=sources)
    assert texts(reply["error"]) == [
        "",
        "source '5x' has the character 'x', which is not in the vocabulary",
        "",
        "source is empty",
        "source '12345678' has 8 characters, the model takes at most 7",
        r"source is not valid UTF-8: \xff1",
        "",
    ]
    fine = reply["error"] == b""
    assert texts(reply["answer"][fine]) == sums.generate(["57+5", "1+1", "628+521"])
    assert (reply["answer"][~fine] == b"").all()
    assert (reply["log_probability"][~fine] == 0).all()
    assert (reply["log_probability"][fine] < 0).all()


def test_ids_out_of_range_are_errors(run):
    rows = [
        [8, 10, 2, 8],
        [-1, 10, 0, 0],
        [13, 0, 0, 0],
        [1, 5, 0, 0],
        [5, 0, 5, 0],
        [0, 0, 0, 0],
        [2**31 - 1, -5, 0, 0],
    ]
    reply = run("ids", source=rows)
    assert texts(reply["error"]) == [
        "",
        "source has the id -1; a token's is 2 to 12",
        "source has the id 13; a token's is 2 to 12",
        "source has the id 1; a token's is 2 to 12",
        "source has an id after its padding",
        "source is empty",
        "source has the id 2147483647; a token's is 2 to 12",
    ]
    assert (reply["answer"][1:] == 0).all()
    assert reply["answer"][0].any()
    assert texts(run("ids", source=[[3] * 8, [3] * 7 + [0]])["error"]) == [
        "source has 8 ids, the model takes at most 7",
        "",
    ]


def test_score_names_what_is_wrong_with_either_side(run):
    reply = run("score", source=["1+1", "x", "1+1"], target=["2", "2", "12345"])
    assert texts(reply["error"]) == [
        "",
        "source 'x' has the character 'x', which is not in the vocabulary",
        "target '12345' has 5 characters, the model takes at most 4",
    ]
    assert reply["log_probability"][1:].tolist() == [0, 0]


def test_empty_batches_give_empty_batches(run, write):
    empty = np.zeros([0], object)
    assert run("serving_default", source=empty)["answer"].shape == (0,)
    assert run("ids", source=np.zeros([0, 0], "int32"))["answer"].shape == (0, 4)
    assert run("score", source=empty, target=empty)["log_probability"].shape == (0,)
    assert write("serving_default", prompt=empty)["text"].shape == (0,)
    numbers = {"length": [], "temperature": [], "top_k": [], "seed": []}
    assert write("sample", prompt=empty, **numbers)["text"].shape == (0,)


def test_ten_thousand_fuzzed_strings_give_an_answer_or_an_error_each(sums, run):
    numbers = np.random.default_rng(0)
    any_bytes = [bytes([byte]) for byte in range(256)]
    alphabets = [[c.encode() for c in text] for text in ("0123456789+", "0+é😀한\0\uffff", "57+5\u0301😀")] + [
        any_bytes
    ]

    def fuzzed():
        length = int(numbers.integers(0, 1001) if numbers.random() < 0.3 else numbers.integers(0, 9))
        alphabet = alphabets[numbers.integers(len(alphabets))]
        return b"".join(alphabet[i] for i in numbers.integers(0, len(alphabet), length))[:1000]

    rows = [fuzzed() for _ in range(10_000)]
    valid = [row for row in rows if re.fullmatch(rb"[0-9+]{1,7}", row)]
    assert 500 < len(valid) < 5_000
    expected = dict(zip(valid, sums.generate(valid), strict=True))
    at, different = 0, 0
    while at < len(rows):
        batch = rows[at : at + int(numbers.integers(1, 300))]
        reply = run("serving_default", source=np.array([*batch, None], object)[:-1])
        for row, answer, error in zip(batch, reply["answer"], reply["error"], strict=True):
            if row in expected:
                assert error == b""
                different += answer.decode() != expected[row]
            else:
                assert answer == b""
                assert error.decode().startswith("source ")
        at += len(batch)
    assert different <= 5  # Near-ties.


def test_fuzzed_prompts_give_a_text_or_an_error_each(writer, write):
    numbers = np.random.default_rng(0)
    alphabets = [[c.encode() for c in text] for text in ("the cat", "the é😀\0", "\u0301a")]
    alphabets.append([bytes([byte]) for byte in range(256)])
    rows = [b"".join(numbers.choice(alphabets[i % 4], numbers.integers(0, 40)).tolist()) for i in range(400)]
    known = set(writer.preprocessor.vocabulary.tokens)
    reply = write("serving_default", prompt=np.array([*rows, None], object)[:-1])
    fine = [set(row.decode(errors="replace")) <= known for row in rows]
    assert 100 < sum(fine) < 300
    assert (reply["error"] == b"").tolist() == fine
    expected = writer.generate([row for row, is_fine in zip(rows, fine, strict=True) if is_fine])
    assert texts(reply["text"][fine]) == expected
    assert (reply["text"][~np.array(fine)] == b"").all()


def test_words_go_the_same_way(tmp_path):
    pairs = [("good morning", "bonjour"), ("good night", "bonne nuit"), ("thank you", "merci")]
    model = Seq2Seq(PairPreprocessor.from_pairs(pairs, split="whitespace", unknown=True), hidden_dim=8)
    report = saved_model(model, tmp_path, pairs)
    assert (report["rows"], report["equal"] + report["near_ties"]) == (3, 3)
    with loaded(tmp_path / "1") as run:
        assert texts(run("serving_default", source=["good day", " ", "a b c"])["error"]) == [
            "",
            "source is empty",
            "source 'a b c' has 3 words, the model takes at most 2",
        ]


def test_texts_are_the_models_and_draws_repeat(writer, write):
    def sample(length, temperature, top_k, seed):
        options = {"length": length, "temperature": temperature, "top_k": top_k, "seed": seed}
        return texts(write("sample", prompt=PROMPTS, **{key: [value] * 4 for key, value in options.items()})["text"])

    assert texts(write("serving_default", prompt=PROMPTS)["text"]) == writer.generate(PROMPTS)
    assert sample(60, 1.0, 1, 0) == writer.generate(PROMPTS, 60, Greedy())
    assert sample(60, 0.7, 5, 9) == writer.generate(PROMPTS, 60, Chain([Temperature(0.7), TopK(5)]), seed=9)
    assert sample(60, 1.0, 99, -3) == writer.generate(PROMPTS, 60, seed=-3)
    assert sample(60, 1.0, 99, 4) != sample(60, 1.0, 99, 5)


def test_each_row_has_its_own_options(writer, write):
    options = {"length": [5, 0, 30, 30], "temperature": [1, 1, 0.5, 2], "top_k": [9, 9, 9, 2], "seed": [1, 1, 2, 3]}
    reply = write("sample", prompt=["the"] * 4, **options)
    expected = [
        writer.generate("the", length, Chain([Temperature(temperature), TopK(k)]), seed)
        for length, temperature, k, seed in [(5, 1, 9, 1), (0, 1, 9, 1), (30, 0.5, 9, 2), (30, 2, 2, 3)]
    ]
    assert texts(reply["text"]) == expected
    assert [len(text) for text in expected][:2] == [5, 0]


def test_wrong_requests_for_a_text_have_their_error(writer, write):
    reply = write(
        "sample",
        prompt=["the", "thé", b"\xff", "the", "the", "the", "the", "the", "t" * 10_001],
        length=[5, 5, 5, -1, 10_001, 5, 5, 5, 5],
        temperature=[1, 1, 1, 1, 1, 0, np.nan, 1, 1],
        top_k=[3, 3, 3, 3, 3, 3, 3, 0, 3],
        seed=[0] * 9,
    )
    assert texts(reply["error"]) == [
        "",
        "the prompt has the character 'é', which is not in the vocabulary",
        "the prompt is not valid UTF-8",
        "length must not be negative. Received: -1",
        "length must be at most 10000. Received: 10001",
        "temperature must be a number above 0. Received: 0.000000",
        "temperature must be a number above 0. Received: nan",
        "top_k must be at least 1. Received: 0",
        "the prompt must have at most 10000 tokens. Received: 10001",
    ]
    assert texts(reply["text"]) == [writer.generate("the", 5, TopK(3)), *[""] * 8]


def test_language_model_of_words_in_lines(tmp_path):
    text = "good morning to you\ngood night to all\n" * 4
    preprocessor = TextPreprocessor.from_text(text, split="whitespace", unknown=True, lines=True)
    model = LanguageModel(preprocessor, 8, 8, cell="gru", tie_embeddings=True)
    report = saved_model(model, tmp_path, text)
    assert report["equal"] + report["near_ties"] == report["rows"] == 64
    with loaded(tmp_path / "1") as run:
        assert texts(run("serving_default", prompt=["good"])["text"]) == [model.generate("good")]


def test_versions_count_up_and_none_is_written_over(sums, tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "2/mine").touch()
    (tmp_path / "notes").mkdir()
    assert saved_model(sums, tmp_path)["path"] == str(tmp_path / "3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "notes"]
    assert [path.name for path in (tmp_path / "2").iterdir()] == ["mine"]


EXPORT = "import sys, seqzoo; seqzoo.export.saved_model(seqzoo.models.load(sys.argv[1]), sys.argv[2])"


def test_two_exports_at_once_are_two_whole_versions(sums, tmp_path):
    sums.save(tmp_path / "model.keras")
    command = [sys.executable, "-c", EXPORT, tmp_path / "model.keras", tmp_path / "out"]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "2"]
    for version in ("1", "2"):
        with loaded(tmp_path / "out" / version) as run:
            assert texts(run("serving_default", source=["57+5"])["answer"]) == sums.generate(["57+5"])


def test_killed_export_leaves_no_version(sums, tmp_path):
    sums.save(tmp_path / "model.keras")
    output = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", EXPORT, tmp_path / "model.keras", output])
    while not list(output.glob(".export-*/version/saved_model.pb")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(path.name.startswith(".export-") for path in output.iterdir())
    assert saved_model(sums, output)["path"] == str(output / "1")


def test_export_that_differs_from_its_model_is_refused(sums, tmp_path, monkeypatch):
    monkeypatch.setattr(type(sums), "generate", lambda self, strings: ["?" if "7" in s else "" for s in strings])
    with pytest.raises(
        ValueError, match=r"The export answers \d+ of 5000 rows differently than the model.*Nothing was"
    ):
        saved_model(sums, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_output_that_is_a_file_is_an_error(sums, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; the output must be a folder"):
        saved_model(sums, tmp_path / "file")


def test_warm_up_requests_replay(folder, run):
    records = tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))
    requests = [prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "ids", "score"]
    for request in requests:
        assert request.model_spec.name == "sums"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        assert texts(run(request.model_spec.signature_name, **inputs)["error"])[0] == ""


def test_request_and_reply_messages_carry_answers(sums, run):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sums"
    request.inputs["source"].CopyFrom(tf.make_tensor_proto(["57+5", "?"]))
    request = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    reply = predict_pb2.PredictResponse()
    for name, value in run("serving_default", source=tf.make_ndarray(request.inputs["source"])).items():
        reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    reply = predict_pb2.PredictResponse.FromString(reply.SerializeToString())
    assert texts(tf.make_ndarray(reply.outputs["answer"])) == [sums.generate("57+5"), ""]
    assert "the character '?'" in texts(tf.make_ndarray(reply.outputs["error"]))[1]
    assert reply.outputs["log_probability"].dtype == tf.float32.as_datatype_enum


def test_readme_of_a_version_has_true_requests_and_replies(folder, run):
    text = (folder / "README.md").read_text(encoding="utf-8")
    pairs = re.findall(r"-d '\n(.*)'\n\n(.*)\n```", text)
    assert len(pairs) == 3
    for request, reply in (map(json.loads, pair) for pair in pairs):
        outputs = run(request["signature_name"], **request["inputs"])
        for name, value in reply["outputs"].items():
            shown = texts(outputs[name]) if outputs[name].dtype == object else outputs[name].tolist()
            assert shown == (value if name != "log_probability" else pytest.approx(value))
    report = json.loads((folder / "export.json").read_text())
    assert report["score"]["export"] == report["score"]["model"]
    assert report["tokens"] == [None, None, *"+0123456789"]


@pytest.fixture(scope="module")
def requests(sums, writer, folder, text_folder, run, write):
    """For each signature `(folder, inputs, replies)`; an input is a list, a reply what TensorFlow's loader gave.

    What texts there are among the replies are compared with the models' own.
    """
    sources, prompts = ["57+5", "628+521", "x", "1+1"], ["the", "m"]
    options = {"length": [9, 20], "temperature": [0.5, 2.0], "top_k": [3, 5], "seed": [7, 8]}
    samplers = Chain([Temperature(0.5), TopK(3)]), Chain([Temperature(2.0), TopK(5)])
    inputs = {
        "sums/serving_default": {"source": sources},
        "sums/ids": {"source": [[8, 10, 2, 8], [4, 2, 4, 0], [-1, 0, 0, 0]]},
        "sums/score": {"source": ["57+5", "1+1"], "target": ["62", "3"]},
        "text/serving_default": {"prompt": prompts},
        "text/sample": {"prompt": prompts, **options},
    }
    replies = {name: (run if name.startswith("sums") else write)(name.split("/")[1], **inputs[name]) for name in inputs}
    answers = sums.generate(["57+5", "628+521", "1+1"])
    assert texts(replies["sums/serving_default"]["answer"]) == [*answers[:2], "", answers[2]]
    of_ids = texts(sums.preprocessor.decode(replies["sums/ids"]["answer"]).numpy())
    assert of_ids == [answers[0], answers[2], ""]
    assert texts(replies["text/serving_default"]["text"]) == writer.generate(prompts)
    drawn = [writer.generate(prompts[i], options["length"][i], samplers[i], options["seed"][i]) for i in (0, 1)]
    assert texts(replies["text/sample"]["text"]) == drawn
    folders = {"sums": folder, "text": text_folder}
    return {name: (folders[name.split("/")[0]], inputs[name], replies[name]) for name in inputs}


# `saved_model_cli`, several commands in one process.
CLI = """
import contextlib, json, sys
from tensorflow.python.tools.saved_model_cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["saved_model_cli", *arguments]
    with contextlib.suppress(SystemExit):
        main()
"""


def test_saved_model_cli_runs_every_signature(requests, tmp_path):
    commands = []
    for signature, (folder, inputs, _) in requests.items():
        command = ["run", "--dir", str(folder), "--tag_set", "serve", "--signature_def", signature.split("/")[1]]
        expressions = ";".join(f"{name}={value!r}" for name, value in inputs.items())
        commands.append([*command, "--input_exprs", expressions, "--outdir", str(tmp_path / signature)])
    subprocess.run([sys.executable, "-c", CLI, json.dumps(commands)], check=True, capture_output=True)
    for signature, (_, _, replies) in requests.items():
        for name, expected in replies.items():
            value = np.load(tmp_path / signature / f"{name}.npy", allow_pickle=True)  # Our own, of a moment ago.
            if expected.dtype == "float32":
                np.testing.assert_allclose(value, expected, atol=1e-5)
            else:
                assert value.tolist() == expected.tolist()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc")
def test_c_program_runs_every_signature(requests, tmp_path):
    program, library = tmp_path / "ask", pathlib.Path(tf.sysconfig.get_lib())
    include = next(flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I"))
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{library}"]
    source = pathlib.Path(__file__).with_name("ask.c")
    subprocess.run(["cc", source, "-o", program, include, f"-L{library}", *libraries], check=True)
    for signature, (folder, inputs, replies) in requests.items():
        _check_c_program(program, folder, signature.split("/")[1], inputs, replies)


def _check_c_program(program, folder, signature, inputs, replies):
    graphs = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs
    tensors = graphs[0].signature_def[signature]
    rows = len(next(iter(inputs.values())))
    command = [program, folder, rows, len(inputs), len(replies)]
    for name, value in inputs.items():
        width = np.shape(value)[1] if np.ndim(value) == 2 else 0
        command += [tensors.inputs[name].name.split(":")[0], width, *np.ravel(value).tolist()]
    for name in replies:
        command += tensors.outputs[name].name.split(":")
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, encoding="utf-8").stdout
    for row in itertools.chain(*replies.values()):
        if isinstance(row, bytes):  # A text may have several lines.
            assert output.startswith(row.decode() + "\n")
            output = output.removeprefix(row.decode() + "\n")
        else:
            line, _, output = output.partition("\n")
            np.testing.assert_allclose(np.array(line.split(), "float64"), row, atol=1e-5)
    assert output == ""
