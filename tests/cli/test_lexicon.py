"""`seqzoo generate --lexicon`: sources that stand in a file of pairs are answered from it, the others by the model."""

import io
import sys

import keras
import pytest

from seqzoo import model_commands, models
from seqzoo.pipelines import PairPreprocessor


@pytest.fixture
def lexicon(tmp_path):
    """Makes a lexicon of lines; returns its path."""

    def lexicon(*lines):
        path = tmp_path / "lexicon.tsv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return lexicon


def test_listed_sources_are_answered_from_the_file_and_the_others_by_the_model(run, model_file, lexicon):
    file = lexicon("abc\tfirst", "ba\tany répondu", "abc\tsecond")
    result = run("generate", model_file, "--lexicon", file, "d", "abc", "cc", "ba", "abc")
    assert result == (0, "D\nfirst\nCC\nany répondu\nfirst\n", "")
    assert run("generate", model_file, "--lexicon", file, "abc", "ba") == (0, "first\nany répondu\n", "")


def test_n_best_lists_alternatives_and_says_where_each_answer_is_from(run, attention_files, lexicon):
    file = attention_files[0]
    lines = ["abc\tz", "ba\ty", "abc\tx", "abc\tz", "abc\tw"]
    computed = [f"d\tmodel\t{text}\t{score:z.4f}" for text, score in models.load(file).n_best("d", 2)]
    assert len(computed) == 2
    status, output, errors = run("generate", file, "--lexicon", lexicon(*lines), "--n-best", 2, "ba", "d", "abc")
    assert (status, errors) == (0, "")
    assert output.splitlines() == ["ba\tlexicon\ty\t", *computed, "abc\tlexicon\tz\t", "abc\tlexicon\tx\t"]


def test_sources_are_looked_up_as_the_model_reads_them(run, lexicon, tmp_path):
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs([("é a", "B"), ("a", "c")], lower_case=True, normal_form="NFD")
    models.Seq2Seq(preprocessor, 2, 2, cell="simple_rnn").save(tmp_path / "lower.keras")
    file = lexicon("\u00c9 A\tFirst", "e\u0301 a\tsecond")
    result = run("generate", tmp_path / "lower.keras", "--lexicon", file, "\u00e9 a", "E\u0301 A", "--n-best", 3)
    sources = ["\u00e9 a"] * 2 + ["E\u0301 A"] * 2
    expected = [f"{s}\tlexicon\t{text}\t\n" for s, text in zip(sources, ["First", "second"] * 2, strict=True)]
    assert result == (0, "".join(expected), "")


def test_words_are_looked_up_whatever_space_is_between_them(run, lexicon, tmp_path):
    splits = {"source_split": "whitespace", "target_split": "whitespace"}
    preprocessor = PairPreprocessor.from_pairs([("two words", "K AE"), ("word", "K")], **splits)
    models.Seq2Seq(preprocessor, 2, 2, cell="simple_rnn").save(tmp_path / "words.keras")
    file = lexicon("two  words\tAE  K")
    assert run("generate", tmp_path / "words.keras", "--lexicon", file, " two words") == (0, "AE K\n", "")


def test_sources_that_the_model_cannot_read_are_answered_from_the_file(run, model_file, lexicon, monkeypatch):
    file = lexicon("abcdabcd\tlong", "x?\tunknown 🎈", "\ufffd\tno UTF-8")
    result = run("generate", model_file, "--lexicon", file, "abcdabcd", "x?", "ab")
    assert result == (0, "long\nunknown 🎈\nBA\n", "")
    lines = b"abcdabcd\nabcd\n\n\xff\nx?\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    status, output, errors = run("generate", model_file, "--lexicon", file, "--n-best", 1)
    assert (status, output) == (2, "abcdabcd\tlexicon\tlong\t\nx?\tlexicon\tunknown 🎈\t\n")
    assert errors.splitlines() == [
        "error: row 2: source 'abcd' has 4 characters, the model takes at most 3",
        "error: row 3: source is empty",
        "error: row 4: source is not valid UTF-8: \\xff",
    ]


@pytest.mark.parametrize("rows_at_once", [1, 2, 8192])
def test_standard_input_is_answered_in_blocks(run, model_file, lexicon, monkeypatch, rows_at_once):
    monkeypatch.setattr(model_commands, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ba\nabc\r\nabc\nx\nd")))
    status, output, errors = run("generate", model_file, "--lexicon", lexicon("abc\tlisted"))
    assert (status, output) == (2, "AB\nlisted\nlisted\n\nD\n")
    assert errors == "error: row 4: source 'x' has the character 'x', which is not in the vocabulary\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no file {file}"),
        (b"", "{file} is empty"),
        (b"abc\tlisted\nd\n", "{file}:2: the line must be source<TAB>target with one tab: 'd'"),
        (b"abc\tlisted\nd\t\n", "{file}:2: the line has an empty side: 'd\\t'"),
        (b"abc\t\xff\n", "{file}:1: the line is not valid UTF-8 at the byte \\xff"),
    ],
)
def test_wrong_lexicons_are_one_error_line_and_nothing_is_answered(run, model_file, tmp_path, content, message):
    file = tmp_path / "lexicon.tsv"
    if content is not None:
        file.write_bytes(content)
    result = run("generate", model_file, "--lexicon", file, "abc", "d")
    assert result == (2, "", f"error: {message.format(file=file)}\n")


def test_lexicons_have_separators(run, model_file, tmp_path):
    file = tmp_path / "lexicon.dict"
    file.write_text("abc F IH1 R S T\r\nba  S EH1 K\r\n")
    result = run("generate", model_file, "--lexicon", file, "--separator", " ", "d", "abc", "ba")
    assert result == (0, "D\nF IH1 R S T\nS EH1 K\n", "")
    status, output, errors = run("generate", model_file, "--lexicon", file, "d")
    assert (status, output) == (2, "")
    assert "the first space of a line ends its source, give --separator ' '" in errors
    result = run("generate", model_file, "--separator", " ", "d")
    assert result == (2, "", "error: --separator is that of a file of pairs: leave it out, or give --lexicon FILE\n")


def test_language_model_answers_no_sources_with_a_lexicon_either(run, writer_file, lexicon):
    status, output, errors = run("generate", writer_file, "--lexicon", lexicon("abc\tlisted"), "abc")
    assert (status, output) == (2, "")
    assert errors == "error: A LanguageModel continues prompts and answers no sources: use seqzoo sample\n"
