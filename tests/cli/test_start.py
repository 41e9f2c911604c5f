"""What holds for every command: help, exit statuses, the form of errors, UTF-8."""

import os
import re
import subprocess
import sys

import pytest

from seqzoo import startup

COMMANDS = [
    "demo", "presets", "recipes", "inspect", "train", "build", "tune", "evaluate", "generate", "align", "sample",
    "export", "page", "figure",
]  # fmt: skip


def test_help_lists_every_command_and_loads_no_tensorflow(command):
    result = command("--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert result.returncode == 0
    assert re.findall(r"^    (\w+)", result.stdout.decode(), re.MULTILINE) == COMMANDS
    loaded = result.stderr.decode()
    assert "argparse" in loaded
    assert not any(name in loaded for name in ("tensorflow", "keras", "numpy", "matplotlib"))


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        *((name, f"seqzoo {name} [-h] ... RECIPE") for name in ("train", "build", "tune")),
        *((name, f"seqzoo {name} [-h] ... PRESET|FILE") for name in ("evaluate", "sample", "export")),
        ("generate", "seqzoo generate [-h] ... PRESET|FILE [SOURCE ...]"),
        ("align", "seqzoo align [-h] ... PRESET|FILE SOURCE"),
        ("page", "seqzoo page [-h] ... [PRESET|FILE ...]"),
    ],
)
def test_help_of_a_command_says_whether_it_takes_a_recipe_or_a_preset(run, name, usage):
    status, output, _ = run(name, "--help")
    assert status == 0
    words = " ".join(output.split("\n\n")[0].split())
    start, end = usage.split(" ... ")
    assert words.startswith(f"usage: {start}")
    assert words.endswith(f" {end}")


@pytest.mark.parametrize("name", ["demo", "train", "build", "tune", "figure"])
def test_every_command_that_trains_can_do_without_xla(run, name):
    assert "[--xla | --no-xla]" in run(name, "--help")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nothing", "--output", "x"], "There is no recipe 'nothing'. Choose one of: addition_baseline, "),
        (["build", "nothing", "--output", "x"], "There is no recipe 'nothing'. Choose one of: addition_baseline, "),
        (["tune", "nothing", "--output", "x"], "There is no recipe 'nothing'. Choose one of: addition_baseline, "),
        (
            ["train", "pairs_baseline", "--output", "x"],
            "The recipe pairs_baseline has no data set of its own: name a file, --data FILE",
        ),
        (
            ["train", "char_lstm", "--output", "x"],
            "The recipe char_lstm has no data set of its own: name a file, --data",
        ),
        (["train", "pairs_baseline", "--data", "missing.tsv", "--output", "x"], "There is no file missing.tsv"),
        (["train", "addition_baseline", "--epochs", "0", "--output", "x"], "argument --epochs: must be a whole number"),
        (["train", "addition_baseline", "--seed", "-1", "--output", "x"], "argument --seed"),
        (["train", "addition_baseline", "--cell", "rnn", "--output", "x"], "argument --cell: invalid choice: 'rnn'"),
        (["generate", "missing.keras", "57+5"], "There is no model file missing.keras, and no preset of that name"),
        (["generate", "pairs_baseline", "57+5"], "There is no model file pairs_baseline, and no preset of that name"),
        (["evaluate", "missing.keras"], "There is no model file missing.keras"),
        (["sample", "missing.keras"], "There is no model file missing.keras"),
        (["export", "missing.keras", "--format", "litert", "--output", "x.tflite"], "There is no model file missing"),
        (["page", "--output", "x", "--runtime", "none"], "none holds no LiteRT runtime for browsers: run npm install"),
        (["fly"], "argument COMMAND: invalid choice: 'fly'"),
        ([], "the following arguments are required: COMMAND (see seqzoo --help)"),
        (
            ["generate", "addition_reverse", "1+1", "-5+3"],
            "unrecognized arguments: -5+3; put -- before a source that begins with -: "
            "seqzoo generate PRESET|FILE -- -5+3 (see seqzoo generate --help)",
        ),
        (
            ["generate", "addition_reverse", "--n-best", "2", "-x=1"],
            "unrecognized arguments: -x=1; put -- before a source that begins with -: seqzoo generate",
        ),
        (
            ["align", "addition_reverse", "-5+3"],
            "the following arguments are required: SOURCE; put -- before a source that begins with -: seqzoo align",
        ),
        (["generate", "--beam-size", "2"], "the following arguments are required: PRESET|FILE (see seqzoo"),
        (
            ["sample", "char_lstm_pydoc", "--prompt", "-x"],
            "argument --prompt: expected one argument; write a value that begins with - as --prompt=-x (see",
        ),
        (["sample", "char_lstm_pydoc", "--prompt"], "argument --prompt: expected one argument (see seqzoo sample"),
        (["train", "addition_reverse", "--output", "x", "-5+3"], "unrecognized arguments: -5+3 (see seqzoo --help)"),
    ],
)
def test_mistakes_are_one_error_line_with_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, output, errors = run(*arguments)
    assert status == 2
    assert output == ""
    assert errors.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == []


def test_control_characters_of_a_value_are_escaped(run, model_file):
    status, _, errors = run("generate", model_file, "a\n\x1b[31m")
    assert status == 2
    assert errors.splitlines()[-1] == r"error: row 1: source 'a\n\x1b[31m' has 7 characters, the model takes at most 3"


def test_output_is_utf8_whatever_the_locale(command):
    result = command("presets", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "–".encode() in result.stdout


def test_reader_that_has_gone_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "seqzoo", "presets", "--json"]
    result = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert result.returncode == 0
    assert b"Traceback" not in result.stderr
    assert b"BrokenPipe" not in result.stderr


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (["recipes"], "2"),
        (["train", "none", "--output", "none"], "3"),
        (["train", "none", "--output", "none", "--no-compilation-cache"], "2"),
        (["train", "none", "--output", "none", "--no-xla"], "2"),
    ],
)
def test_only_what_ends_the_process_is_shown_where_compiled_programs_are_read(options, level, run, monkeypatch):
    chosen = []
    monkeypatch.setattr(startup, "set_log_level", chosen.append)
    run(*options)
    assert chosen == [level]
