"""`seqzoo export` and `seqzoo demo`, which ends in an export."""

import json
import os

import pytest


def test_export_writes_both_formats_and_says_how_they_compare(run, model_file, pair_file, tmp_path):
    options = ["--data", pair_file]
    status, output, _ = run("export", model_file, "--format", "saved_model", "--output", tmp_path / "out", *options)
    assert status == 0
    assert f"exported to   {tmp_path}/out/1 (" in output
    assert (
        "signatures    serving_default, ids, score\nas the model  84 of 84\nexact match   100.00% before, 100.00%"
        in output
    )
    file = tmp_path / "a/m.tflite"
    for quantize in ([], ["--quantize", "float16"]):
        status, output, _ = run(
            "export", model_file, "--format", "litert", "--output", file, *quantize, *options, "--json"
        )
        assert status == 0
        assert json.loads(output)["bytes"] == file.stat().st_size
        assert json.loads(output)["rows"] == 84


@pytest.mark.slow(minutes=1)
def test_export_takes_a_beam_and_several_models(run, attention_files, pair_file, tmp_path):
    first, second, _ = attention_files
    data = tmp_path / "few.tsv"
    data.write_text("".join(pair_file.read_text().splitlines(keepends=True)[-20:]))
    status, output, errors = run(
        "export", first, "--with", second, "--format", "saved_model", "--output", tmp_path / "out", "--data", data,
        "--beam-size", 3, "--length-penalty", 1, "--json",
    )  # fmt: skip
    assert status == 0, errors
    report = json.loads(output)
    assert (report["model"], report["rows"]) == ("Ensemble", 20)
    assert (report["beam_size"], report["length_penalty"]) == (3, 1.0)
    assert "n_best" in report["signatures"]


@pytest.mark.slow(minutes=1)
def test_export_compares_on_files_with_a_separator(run, model_file, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("abc,CBA\nd , D\n")
    options = ["--output", tmp_path / "out", "--data", data, "--separator", ",", "--json"]
    status, output, errors = run("export", model_file, "--format", "saved_model", *options)
    assert (status, json.loads(output)["equal"]) == (0, 2), errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "litert", "--output", "m.bin"], "The file of a LiteRT model ends in .tflite. Received: m.bin"),
        (["--format", "saved_model", "--output", "m", "--quantize", "float16"], "Only a LiteRT file is quantised"),
        (["--format", "saved_model", "--output", "m", "--beam-size", "0"], "argument --beam-size: must be a whole"),
        (["--format", "onnx", "--output", "m"], "argument --format: invalid choice: 'onnx'"),
        (["--format", "saved_model", "--output", "m", "--data", "none.tsv"], "There is no file none.tsv"),
        (["--format", "saved_model", "--output", "m", "--separator", "_"], "--separator is that of a file of pairs"),
    ],
)
def test_wrong_export_options_are_one_error_line(run, model_file, options, message):
    status, output, errors = run("export", model_file, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"error: {message}")


@pytest.mark.slow(minutes=1)
def test_demo_trains_plots_and_answers_in_a_folder_of_its_own(warm_command, tmp_path):
    (tmp_path / "seqzoo-demo").mkdir()
    limits = {"KERAS_MAX_STEPS_PER_EPOCH": "10"}
    result = warm_command("demo", "--epochs", 1, "--no-xla", cwd=tmp_path, env={**os.environ, **limits})
    assert result.returncode == 0, result.stderr.decode()
    assert b"curve         seqzoo-demo-2/history.png" in result.stdout
    assert b"exported to   seqzoo-demo-2/saved_model/1 (" in result.stdout
    answers = result.stdout.decode().split("process of its own")[1]
    assert "628+521 = " in answers
    assert (tmp_path / "seqzoo-demo-2/model.keras").exists()
