"""`seqzoo generate`: an answer a line, the best answers by beam search, and the answers of several models."""

import io
import os
import sys
import threading
import time

import pytest

from seqzoo import cli, model_commands, models


def test_generate_reads_standard_input_line_by_line(run, warm_command, model_file, monkeypatch):
    result = warm_command("generate", model_file, input=b"abc\nd\r\nba\n")
    assert result.stdout == b"CBA\nD\nAB\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\nx\n")))
    status, output, errors = run("generate", model_file)
    assert (status, output) == (2, "CBA\n\n")
    assert errors.splitlines()[-1] == "error: row 2: source 'x' has the character 'x', which is not in the vocabulary"


def test_generate_answers_the_sources_of_the_command_line_in_their_order(run, model_file):
    assert run("generate", model_file, "abc", "d", "ba")[:2] == (0, "CBA\nD\nAB\n")


def test_wrong_rows_are_named_and_do_not_stop_the_others(run, model_file, monkeypatch):
    lines = b"abc\n\nabcd\nba\n\xff\nd"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    status, output, errors = run("generate", model_file)
    assert (status, output) == (2, "CBA\n\n\nAB\n\nD\n")
    assert errors.splitlines() == [
        "error: row 2: source is empty",
        "error: row 3: source 'abcd' has 4 characters, the model takes at most 3",
        "error: row 5: source is not valid UTF-8: \\xff",
    ]
    status, output, errors = run("generate", model_file, "abcd", "ba", "--n-best", 1)
    assert (status, output[:6]) == (2, "ba\tAB\t")
    assert errors == "error: row 1: source 'abcd' has 4 characters, the model takes at most 3\n"


def test_strict_stops_at_the_first_wrong_row(run, model_file, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\nba\nx\nd\n\nab\n")))
    status, output, errors = run("generate", model_file, "--strict")
    assert (status, output) == (2, "CBA\nAB\n")
    assert errors == "error: row 3: source 'x' has the character 'x', which is not in the vocabulary\n"
    assert run("generate", model_file, "abc", "d", "--strict") == (0, "CBA\nD\n", "")
    status, output, errors = run("generate", model_file, "abc", "", "d", "x", "--strict", "--n-best", 1)
    assert (status, output[:7], errors) == (2, "abc\tCBA", "error: row 2: source is empty\n")
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("rows_at_once", [1, 2, 8192])
@pytest.mark.parametrize(
    ("lines", "answers", "wrong"),
    [
        (b"abc\nd\n\n", "CBA\nD\n", []),
        (b"abc\nd\n\n\r\n\r\r", "CBA\nD\n", []),
        (b"abc\n\n\nd\n\n", "CBA\n\n\nD\n", [2, 3]),
        (b"\nd", "\nD\n", [1]),
        (b"abc\rd\r\nba", "CBA\nD\nAB\n", []),
        (b"\n\n", "", []),
        (b"", "", []),
    ],
)
def test_empty_lines_at_the_end_are_no_rows_and_others_are_wrong_ones(
    run, model_file, monkeypatch, lines, answers, wrong, rows_at_once
):
    monkeypatch.setattr(model_commands, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    status, output, errors = run("generate", model_file)
    assert (status, output) == (2 if wrong else 0, answers)
    assert errors.splitlines() == [f"error: row {row}: source is empty" for row in wrong]


def test_a_byte_order_mark_is_refused_as_it_is_in_files(run, model_file, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfabc\n")))
    message = "standard input begins with a byte order mark, which would count as a character; save it without"
    assert run("generate", model_file) == (2, "", f"error: {message}\n")


def test_standard_input_is_answered_while_it_is_written(model_file, monkeypatch):
    monkeypatch.setattr(model_commands, "_ROWS_AT_ONCE", 1)
    reader, writer = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reader))
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    thread = threading.Thread(target=cli.main, args=[["generate", str(model_file)]])
    thread.start()
    with os.fdopen(writer, "wb", buffering=0) as file:
        for source in ("abc", "d"):
            before = len(output.getvalue())
            file.write(f"{source}\n".encode())
            while len(output.getvalue()) == before and thread.is_alive():
                time.sleep(0.01)
            assert output.getvalue().endswith(f"{source[::-1].upper()}\n")
    thread.join()
    assert output.getvalue() == "CBA\nD\n"


def test_sources_after_two_hyphens_may_begin_with_one(run, model_file):
    status, output, errors = run("generate", model_file, "--", "abc", "-5+", "d")
    assert (status, output) == (2, "CBA\n\nD\n")
    assert errors == "error: row 2: source '-5+' has the character '-', which is not in the vocabulary\n"
    status, output, errors = run("align", model_file, "--", "-5+")
    assert (status, errors.partition(".")[0]) == (
        2,
        "error: Only a model with attention aligns, such as an AttentionSeq2Seq",
    )


def test_invisible_characters_are_named(run, model_file):
    status, _, errors = run("generate", model_file, "a\u0300", "a\u202f")
    assert status == 2
    end = ", which is not in the vocabulary"
    assert errors.splitlines() == [
        f"error: row 1: source 'a\u0300' has the character U+0300 COMBINING GRAVE ACCENT{end}",
        f"error: row 2: source 'a\\u202f' has the character U+202F NARROW NO-BREAK SPACE{end}",
    ]


def test_n_best_answers_stand_beside_their_source_and_log_probability(run, attention_files):
    file, sources = attention_files[0], ["abc", "d"]
    model = models.load(file)
    for options, search in (
        (["--n-best", 3], {"n": 3}),
        (["--n-best", 2, "--beam-size", 4], {"n": 2, "beam_size": 4}),
        (["--n-best", 6, "--length-penalty", "2"], {"n": 6, "length_penalty": 2.0}),
    ):
        expected = [
            f"{source}\t{answer}\t{log_probability:z.4f}"
            for source, answers in zip(sources, model.n_best(sources, **search), strict=True)
            for answer, log_probability in answers
        ]
        status, output, errors = run("generate", file, *options, *sources)
        assert (status, errors) == (0, "")
        assert output.splitlines() == expected
        assert len(expected) == 2 * search["n"]


def test_beam_search_answers_as_the_model_does(run, attention_files, pairs):
    file, sources = attention_files[0], [source for source, _ in pairs]
    model = models.load(file)
    found = model.generate(sources, beam_size=4, length_penalty=1.0)
    assert found != model.generate(sources)
    status, output, _ = run("generate", file, "--beam-size", 4, "--length-penalty", 1, *sources)
    assert (status, output.splitlines()) == (0, found)


@pytest.mark.slow(minutes=1)
def test_several_models_answer_as_an_ensemble(run, attention_files, pairs):
    first, second, third = attention_files
    sources = [source for source, _ in pairs]
    expected = models.Ensemble([models.load(file) for file in attention_files]).generate(sources)
    assert expected != models.load(first).generate(sources)
    assert run("generate", first, "--with", second, "--with", third, *sources)[:2] == (0, "\n".join(expected) + "\n")


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_options_stand_anywhere_among_the_arguments(run, model_file, place):
    arguments = [model_file, "abc", "d"]
    arguments[place:place] = ["--beam-size", "1"]
    assert run("generate", *arguments)[:2] == (0, "CBA\nD\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beam-size", "0"], "argument --beam-size: must be a whole number from 1 to"),
        (["--n-best", "0"], "argument --n-best: must be a whole number from 1 to"),
        (["--n-best", "3", "--beam-size", "2"], "A beam finds as many answers as it is wide. Received: n=3, beam"),
        (["--length-penalty", "x"], "argument --length-penalty: must be a number from 0, not 'x'"),
        (["--length-penalty", "nan"], "argument --length-penalty: must be a number from 0, not 'nan'"),
        (["--length-penalty", "1"], "--length-penalty ranks the answers of a beam: leave it out, or give --beam-size"),
        (["--with", "missing.keras"], "There is no model file missing.keras"),
        (["--with", "addition_reverse"], "The models of an ensemble must have equal vocabularies and lengths. Model 2"),
        (["--with", "char_lstm_pydoc"], "An ensemble is made of single models that answer strings. Received: Lang"),
    ],
)
def test_wrong_searches_and_ensembles_are_one_error_line(run, model_file, options, message):
    status, output, errors = run("generate", model_file, "abc", *options)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"error: {message}")


def test_source_may_begin_with_a_dash(run, model_file):
    status, _, errors = run("generate", model_file, "--", "-a")
    assert (status, errors) == (2, "error: row 1: source '-a' has the character '-', which is not in the vocabulary\n")
