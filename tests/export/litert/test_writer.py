"""What `litert` writes: files that stand alone, their sizes, and models that cannot become one."""

import dataclasses
import errno
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo.export import litert, saved_model
from seqzoo.models import LanguageModel, PeekySeq2Seq, Seq2Seq
from seqzoo.pipelines import AdditionData, PairPreprocessor, TextPreprocessor
from seqzoo.training import recipe, train


def test_mixed_precision_becomes_float32(sums_model, sums, three_digit_sums, tmp_path, texts, code_points):
    """The mixed model itself rounds to eight bits."""
    report = litert(sums_model(dtype="mixed_bfloat16"), tmp_path / "mixed.tflite")
    assert report["equal"] + report["near_ties"] == report["rows"] == 5000
    answer = Interpreter(report["path"]).get_signature_runner("serving_default")
    same = np.array(texts(answer(source=code_points(three_digit_sums))["answer"])) == sums.generate(three_digit_sums)
    assert same.mean() >= 0.999


def test_quantised_files_are_smaller_and_report_what_it_cost(trained, pairs, tmp_path):
    sizes = {}
    for quantize in (None, "float16", "dynamic_int8"):
        report = litert(trained, tmp_path / f"{quantize}.tflite", quantize, pairs)
        assert json.loads((tmp_path / f"{quantize}.tflite.json").read_text())["quantize"] == quantize
        assert report["rows"] == len(pairs)
        assert report["score"]["model"] == 1
        assert report["score"]["export"] >= 0.95
        sizes[quantize] = report["bytes"]
    assert sizes["dynamic_int8"] < sizes["float16"] < sizes[None]


RUN = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = sys.modules["seqzoo"] = None
import numpy as np
from ai_edge_litert.interpreter import Interpreter

source = np.array([[ord(c) for c in sys.argv[2].ljust(7, chr(0))]], "int32")
answer = Interpreter(sys.argv[1]).get_signature_runner("serving_default")(source=source)["answer"][0]
print("".join(chr(c) for c in answer if c > 0))
"""


def test_it_runs_where_there_is_no_tensorflow(sums, path):
    output = subprocess.run([sys.executable, "-c", RUN, path, "628+521"], check=True, capture_output=True, text=True)
    assert output.stdout == sums.generate("628+521") + "\n"


@pytest.mark.parametrize(
    ("name", "quantize", "message"),
    [
        ("model", None, "The file of a LiteRT model ends in .tflite. Received: "),
        ("m.tflite", "int4", "quantize must be one of ('float16', 'dynamic_int8'). Received: quantize='int4'"),
    ],
)
def test_wrong_arguments_are_named(sums, tmp_path, name, quantize, message):
    with pytest.raises(ValueError, match="Received") as error:
        litert(sums, tmp_path / name, quantize)
    assert str(error.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_words_are_refused(tmp_path):
    model = LanguageModel(TextPreprocessor.from_text("a b", split="whitespace"), 4, 4)
    with pytest.raises(ValueError, match="needs a vocabulary of characters, not of words"):
        litert(model, tmp_path / "model.tflite")


def test_character_that_ends_texts_is_refused(tmp_path):
    model = Seq2Seq(PairPreprocessor.from_pairs([("a\0b", "c")]), 4, 4)
    with pytest.raises(ValueError, match=r"so '.0' cannot be in its vocabulary"):
        litert(model, tmp_path / "model.tflite")


def test_file_that_differs_from_its_model_is_refused(sums, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(PeekySeq2Seq, "generate", lambda self, strings, **_: ["?" for _ in strings])
    with pytest.raises(ValueError, match="Nothing was written"):
        litert(sums, path)
    assert path.read_bytes() == before


def test_both_files_are_replaced_or_neither(sums, path, monkeypatch):
    files = path, path.with_suffix(".tflite.json")
    before = [file.read_bytes() for file in files]

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", fail)
    with pytest.raises(OSError, match="No space left"):
        litert(sums, path, "float16")
    assert [file.read_bytes() for file in files] == before
    assert sorted(path.parent.iterdir()) == sorted(files)


def test_folder_in_the_files_place_is_told_before_anything_is_computed(sums, tmp_path, monkeypatch):
    (tmp_path / "model.tflite").mkdir()
    monkeypatch.setattr(type(sums), "with_dtype", None)
    with pytest.raises(ValueError, match="is a folder: name a file"):
        litert(sums, tmp_path / "model.tflite")


@pytest.mark.slow(minutes=3)
def test_trained_model_keeps_its_score_within_the_sizes_promised(tmp_path):
    """As `seqzoo demo` trains it: every kind of export on 5,000 test sums."""
    sums = dataclasses.replace(recipe("pairs_peeky_reverse"), dataset=AdditionData(3), epochs=12)
    model, metrics = train(sums, tmp_path / "run", verbose=0)
    assert metrics["exact_match"] >= 0.99
    served = saved_model(model, tmp_path / "served")
    assert served["equal"] + served["near_ties"] == served["rows"] == 5000
    for quantize, kibibytes, points in ((None, 960, 0), ("float16", 540, 0), ("dynamic_int8", 400, 0.002)):
        report = litert(model, tmp_path / "model.tflite", quantize)
        assert report["bytes"] <= kibibytes * 1024
        assert abs(report["score"]["export"] - metrics["exact_match"]) <= points
