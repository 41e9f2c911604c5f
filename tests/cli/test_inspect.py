"""`seqzoo inspect`: what a file of pairs, or a text, holds."""

import json

import pytest

from seqzoo.pipelines import inspect_pairs, inspect_text


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.txt"
    lines = ["cafe\u0301 _K AE", "ab_A B", "ab_X", "ab_X", "test\u202f1\x07_Z", *(f"{row}_y" for row in range(100))]
    path.write_text("\r\n".join(lines), encoding="utf-8")
    return path


def test_a_file_of_pairs_is_summed_up(run, file):
    status, output, errors = run("inspect", file, "--separator", "_")
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert lines[:3] == [
        "pairs         105, of which 1 repeat an earlier one",
        "sources       103 different ones, 1 of them with several targets",
        "  ab → A B, X",
    ]
    assert "source: 208 characters, 20 different ones" in lines
    assert "  characters in a row  1 to 7, median 2, 99% at most 5" in lines
    assert f"  7 at {file}:5: test\\u202f1\\x07" in lines
    assert "'\u0301' (U+0301 COMBINING ACUTE ACCENT) 1" in output
    assert "'\\x07' (U+0007 control character) 1" in output
    assert lines[-5].split() == ["--lower-case", "0", "103", "20", "7", "4"]
    assert lines[-4].split() == ["--normal-form", "NFC", "1", "103", "20", "7", "0"]


def test_json_has_all_of_it_by_the_options_of_reading(run, file):
    options = ["--separator", "_", "--source-split", "whitespace", "--target-split", "whitespace", "--lower-case"]
    status, output, _ = run("inspect", file, *options, "--normal-form", "NFC", "--json")
    splits = {"source_split": "whitespace", "target_split": "whitespace"}
    expected = inspect_pairs(file, **splits, lower_case=True, normal_form="NFC", separator="_")
    assert (status, json.loads(output)) == (0, expected)


def test_a_text_is_summed_up(run, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab c\n\nd\n")
    status, output, errors = run("inspect", "--text", path)
    assert (status, errors) == (0, "")
    assert output.startswith("lines         3, of which 1 are empty\n\ntext: 5 characters, 5 different ones\n")
    status, output, _ = run("inspect", path, "--text", "--source-split", "whitespace", "--json")
    assert (status, json.loads(output)) == (0, inspect_text(str(path), split="whitespace"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["missing.tsv"], "There is no file missing.tsv"),
        (["{file}"], "{file}:1: the line must be source<TAB>target with one tab: 'cafe\u0301 _K AE'. The file seems"),
        (["{file}", "--text", "--separator", "_"], "--separator is for pairs: leave it out, or --text"),
        (["{file}", "--text", "--target-split", "whitespace"], "--target-split is for pairs: leave it out, or --text"),
        (["{file}", "--separator", ""], "separator must be a string of one or more characters"),
    ],
)
def test_mistakes_are_one_error_line(run, file, options, message):
    status, output, errors = run("inspect", *(option.format(file=file) for option in options))
    assert (status, output) == (2, "")
    assert errors.startswith(f"error: {message.format(file=file)}")
    assert errors.count("\n") == 1
