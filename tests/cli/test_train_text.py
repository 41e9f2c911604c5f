"""`seqzoo train` on a text, and what `evaluate` and `sample` make of the model."""

import csv
import hashlib
import json
import os

import pytest

RESULTS = ["history.csv", "history.png", "metrics.json", "model.keras", "run.json"]


def test_language_model_is_trained_evaluated_and_sampled(run, train_text_briefly, text_file, tmp_path):
    status, output, errors = train_text_briefly(text_file, tmp_path / "run", "--json")
    assert status == 0, errors
    metrics = json.loads(output)
    assert metrics["tokens"] == 288  # the last tenth
    assert metrics["nats_per_token"] < 2.5
    assert metrics["data"] == str(text_file)
    assert metrics["data_sha256"] == hashlib.sha256(text_file.read_bytes()).hexdigest()
    assert metrics["recipe"]["window"] == 16
    assert sorted(os.listdir(tmp_path / "run")) == RESULTS
    with open(tmp_path / "run/history.csv") as file:
        epochs = list(csv.DictReader(file))
    assert float(epochs[1]["val_loss"]) < float(epochs[0]["val_loss"])

    model = tmp_path / "run/model.keras"
    status, output, _ = run("evaluate", model, "--data", text_file, "--json")
    assert status == 0
    assert json.loads(output)["tokens"] == 2880
    status, output, _ = run("evaluate", model, "--data", text_file)
    assert "over 2,880 tokens" in output
    assert "perplexity" in output
    status, output, _ = run("sample", model, "--prompt", "the ", "--length", 30, "--greedy")
    assert status == 0
    assert output.startswith("the ")
    assert len(output) == 4 + 30 + 1


def test_validation_data_is_all_validated_on(train_text_briefly, text_file, tmp_path):
    status, output, _ = train_text_briefly(
        text_file, tmp_path / "run", "--validation-data", text_file, "--lines", "--epochs", 1, "--json"
    )
    assert status == 0
    assert json.loads(output)["tokens"] == 2880
    assert json.loads(output)["recipe"]["lines"] is True


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", [], "{data} is empty"),
        (b"a\nb\xff\n", [], "{data}:2: the line is not valid UTF-8"),
        (b"abc", [], "There are 2 tokens to train on, fewer than one window of 16: use more text or shorter windows"),
        (b"the cat " * 30, ["--reverse"], "The recipe char_lstm has no --reverse: leave it out"),
        (b"the cat " * 30, ["--validation-data", "{wrong}"], "{wrong}:1: the text has the character 'x'"),
    ],
)
def test_wrong_texts_are_one_error_line_and_leave_nothing(train_text_briefly, tmp_path, content, options, message):
    data, wrong = tmp_path / "data.txt", tmp_path / "wrong.txt"
    data.write_bytes(content)
    wrong.write_bytes(b"x")
    names = {"data": data, "wrong": wrong}
    options = [option.format(**names) for option in options]
    status, output, errors = train_text_briefly(data, tmp_path / "run", *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: " + message.format(**names))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--lower-case", "--bidirectional", "--unknown"])
def test_options_of_pairs_are_not_those_of_a_text(train_text_briefly, text_file, tmp_path, option):
    status, output, errors = train_text_briefly(text_file, tmp_path / "run", option)
    assert (status, output, errors) == (2, "", f"error: The recipe char_lstm has no {option}: leave it out\n")
