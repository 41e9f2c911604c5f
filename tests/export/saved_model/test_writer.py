"""What `saved_model` writes: whole versions, compared with their model before they get their name."""

import json
import re
import signal
import subprocess

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from seqzoo.export import saved_model
from seqzoo.export.clients import loaded


def test_versions_count_up_and_none_is_written_over(sums, tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "2/mine").touch()
    (tmp_path / "notes").mkdir()
    assert saved_model(sums, tmp_path, [("57+5", "62")])["path"] == str(tmp_path / "3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "notes"]
    assert [path.name for path in (tmp_path / "2").iterdir()] == ["mine"]


EXPORT = "import sys, seqzoo; seqzoo.export.saved_model(seqzoo.models.load(sys.argv[1]), sys.argv[2])"


def test_two_exports_at_once_are_two_whole_versions(sums, warm_python, tmp_path, texts):
    sums.save(tmp_path / "model.keras")
    command = [warm_python / "python", "-c", EXPORT, tmp_path / "model.keras", tmp_path / "out"]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "2"]
    for version in ("1", "2"):
        with loaded(tmp_path / "out" / version) as run:
            assert texts(run("serving_default", source=["57+5"])["answer"]) == sums.generate(["57+5"])


# Dies by SIGKILL in place of the call of that name that an export makes.
DIE = """
import os, signal, sys
import seqzoo
from seqzoo.export.saved_model import writer

setattr(writer, sys.argv[3], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
seqzoo.export.saved_model(seqzoo.models.load(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow(minutes=1)
def test_killed_exports_leave_no_version(sums, warm_python, tmp_path):
    sums.save(tmp_path / "model.keras")
    output = tmp_path / "out"
    for count, call in enumerate(["raise_if_different", "rename_to_next_version"], 1):
        command = [warm_python / "python", "-c", DIE, tmp_path / "model.keras", output, call]
        killed = subprocess.run(command, capture_output=True)
        assert killed.returncode == 128 + signal.SIGKILL, killed.stderr
        left = list(output.iterdir())
        assert len(left) == count
        assert all(folder.name.startswith(".export-") for folder in left)
        assert all((folder / "version/saved_model.pb").is_file() for folder in left)
    assert saved_model(sums, output)["path"] == str(output / "1")


def test_export_that_differs_from_its_model_is_refused(sums, tmp_path, monkeypatch):
    monkeypatch.setattr(type(sums), "generate", lambda self, strings, **_: ["?" if "7" in s else "" for s in strings])
    with pytest.raises(
        ValueError, match=r"The export answers \d+ of 5000 rows differently than the model.*Nothing was"
    ):
        saved_model(sums, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_output_that_is_a_file_is_an_error(sums, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; the output must be a folder"):
        saved_model(sums, tmp_path / "file")


def test_warm_up_requests_replay(folder, run, texts):
    records = tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))
    requests = [prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "ids", "score"]
    for request in requests:
        assert request.model_spec.name == "sums"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        assert texts(run(request.model_spec.signature_name, **inputs)["error"])[0] == ""


def test_readme_of_a_version_has_true_requests_and_replies(folder, run, texts):
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
