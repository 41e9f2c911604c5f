"""Standard streams that are closed, of a notebook, or without a reader; and figures without a display."""

import contextlib
import io
import os
import shlex
import subprocess
import sys

import pytest

from seqzoo import cli


def shell(line, **options):
    """Runs a line of the shell, in which `seqzoo` is the command."""
    line = line.replace("seqzoo", f"{shlex.quote(sys.executable)} -m seqzoo")
    return subprocess.run(["sh", "-c", line], capture_output=True, check=False, text=True, **options)


def test_what_is_written_to_a_closed_stream_is_lost_and_no_error(model_file, tmp_path):
    done = shell("seqzoo presets >&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = shell(f"seqzoo generate {model_file} abc x <&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "CBA\n\n", "")


def test_a_closed_standard_input_is_an_error_where_it_is_to_be_read(model_file):
    done = shell(f"seqzoo generate {model_file} <&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: standard input is closed: name the sources as arguments, or write them to it, one a line\n"
    )


@pytest.mark.slow(minutes=1)
def test_trainings_with_closed_streams_write_what_they_do_else(pair_file, tmp_path):
    line = f"seqzoo train pairs_baseline --data {pair_file} --epochs 1 --batch-size 16 --hidden-dim 8 --no-xla --output"
    for number, closed in enumerate(["", "<&- >&- 2>&-"]):
        assert shell(f"{line} {tmp_path}/{number} {closed}").returncode == 0
    names = [sorted(os.listdir(tmp_path / str(number))) for number in (0, 1)]
    assert names[0] == names[1]
    assert (tmp_path / "0/history.csv").read_bytes() == (tmp_path / "1/history.csv").read_bytes()


def test_a_reader_of_errors_that_has_gone_ends_the_command_with_their_status(model_file):
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "seqzoo", "generate", model_file]
    done = subprocess.run(line, input=b"x\n" * 10_000, check=False, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    assert done.returncode == 2
    assert done.stdout == b""


class NotebookStream(io.StringIO):
    """What a kernel has in place of a standard stream."""

    def isatty(self):
        return True

    def fileno(self):
        raise io.UnsupportedOperation("fileno")


@pytest.mark.parametrize("stream", [io.StringIO, NotebookStream])
def test_commands_run_in_a_notebook(model_file, stream, monkeypatch):
    monkeypatch.setattr(sys, "stdin", stream("abc\r\rx\r\n\n"))
    output, errors = stream(), stream()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        assert cli.main(["generate", str(model_file)]) == 2
        assert cli.main(["generate", str(model_file), "d"]) == 0
        assert cli.main(["fly"]) == 2
        assert cli.main(["--help"]) == 0
    assert output.getvalue().startswith("CBA\n\n\nD\nusage: seqzoo ")
    first, second, third = errors.getvalue().splitlines()
    assert (first, second) == (
        "error: row 2: source is empty",
        "error: row 3: source 'x' has the character 'x', which is not in the vocabulary",
    )
    assert third.startswith("error: argument COMMAND: invalid choice: 'fly'")


@pytest.mark.parametrize("closed", [None, "closed"])
def test_commands_run_where_there_are_no_streams(model_file, closed, monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        stream = io.StringIO() if closed else None
        if stream:
            stream.close()
        monkeypatch.setattr(sys, name, stream)
    assert cli.main(["generate", str(model_file), "d", "x"]) == 2
    assert cli.main(["presets"]) == 0
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    assert cli.main(["generate", str(model_file)]) == 2
    assert errors.getvalue().startswith("error: standard input is closed: ")


def with_backend(name, command, *arguments):
    done = command(*arguments, env={**os.environ, "MPLBACKEND": name, "KERAS_MAX_STEPS_PER_EPOCH": "2"})
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert b"backend" not in done.stderr


def test_a_picture_of_an_alignment_needs_no_display(command, attention_files, tmp_path):
    with_backend("module://nope", command, "align", attention_files[0], "abc", "--output", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow(minutes=2)
@pytest.mark.parametrize(
    ("arguments", "picture"),
    [
        (["train", "pairs_baseline", "--batch-size", 16, "--hidden-dim", 8], "history.png"),
        (["tune", "pairs_baseline", "--max-trials", 1, "--fix", "batch_size=16"], "trials.png"),
        (["build", "pairs_baseline"], "curve.png"),
        (["figure"], "curves.png"),
        (["demo"], "history.png"),
    ],
)
def test_trainings_need_no_display(command, sums_file, tmp_path, arguments, picture):
    name = arguments[0]
    options = [] if name == "demo" else ["--data", sums_file]
    options += [] if name == "build" else ["--epochs", 1]
    with_backend("nope", command, *arguments, *options, "--no-xla", "--output", tmp_path / "run")
    assert (tmp_path / "run" / picture).read_bytes().startswith(b"\x89PNG")
