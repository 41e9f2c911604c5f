"""`seqzoo generate`: an answer a line."""

import io
import sys


def test_generate_reads_standard_input_line_by_line(run, warm_command, model_file, monkeypatch):
    result = warm_command("generate", model_file, input=b"abc\nd\r\nba\n")
    assert result.stdout == b"CBA\nD\nAB\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\nx\n")))
    status, _, errors = run("generate", model_file)
    assert status == 2
    assert errors.splitlines()[-1] == "error: row 2: source 'x' has the character 'x', which is not in the vocabulary"


def test_generate_answers_the_sources_of_the_command_line_in_their_order(run, model_file):
    assert run("generate", model_file, "abc", "d", "ba")[:2] == (0, "CBA\nD\nAB\n")
