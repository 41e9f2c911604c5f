"""`seqzoo align`: which tokens of a source an answer was read from, as digits or as a picture."""

import json
import os

import numpy as np
import pytest

from seqzoo import models
from seqzoo.alignments import alignment_lines, picture


def test_matrix_has_a_row_for_each_token_of_the_answer_and_a_column_for_each_of_the_source(run, attention_files):
    answer, alignment = models.load(attention_files[0]).align("abc")
    status, output, errors = run("align", attention_files[0], "abc")
    first, header, *rows = output.splitlines()
    assert (status, errors) == (0, "")
    assert (first, header.split()) == (f"answer        {answer}", ["a", "b", "c"])
    assert [row.split()[0] for row in rows] == list(answer)
    for row, shares in zip(rows, alignment, strict=True):
        digits = [0 if cell == "·" else int(cell) for cell in row.split()[1:]]
        assert digits == np.minimum(np.round(10 * shares), 9).tolist()


def test_json_has_the_numbers(run, attention_files):
    answer, alignment = models.load(attention_files[0]).align("ab")
    status, output, _ = run("align", attention_files[0], "ab", "--json")
    facts = json.loads(output)
    np.testing.assert_allclose(facts.pop("alignment"), alignment, rtol=1e-5)
    assert status == 0
    assert facts == {"source": "ab", "answer": answer, "source_tokens": ["a", "b"], "answer_tokens": list(answer)}


def test_words_are_shown_without_their_marks(run, tmp_path):
    model = models.AttentionSeq2Seq.from_pairs([("I'm here.", "c'est (moi)!")], source_split="words", hidden_dim=4)
    model.save(tmp_path / "model.keras")
    status, output, _ = run("align", tmp_path / "model.keras", "I'm here.")
    assert (status, output.splitlines()[1].split()) == (0, ["I", "'", "m", "here", "."])


def test_picture_is_written_whole_and_nothing_else(run, attention_files, tmp_path):
    status, output, _ = run("align", attention_files[0], "abc", "--output", tmp_path / "alignment.png")
    assert (status, output.splitlines()[1]) == (0, f"written to    {tmp_path}/alignment.png")
    assert os.listdir(tmp_path) == ["alignment.png"]
    assert (tmp_path / "alignment.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("missing/a.png", "No such file or directory: {folder}/missing/a.png"),
        ("a.pdf", "The file of a picture ends in .png. Received: {folder}/a.pdf"),
        ("folder.png", "{folder}/folder.png is a folder; name a file"),
    ],
)
def test_path_that_cannot_be_written_is_an_error_before_the_model_is_loaded(run, tmp_path, output, message):
    (tmp_path / "folder.png").mkdir()
    status, printed, errors = run("align", "missing.keras", "abc", "--output", tmp_path / output)
    assert (status, printed, errors) == (2, "", f"error: {message.format(folder=tmp_path)}\n")
    assert os.listdir(tmp_path) == ["folder.png"]


def test_what_cannot_be_aligned_is_one_error_line_and_leaves_no_picture(run, model_file, writer_file, attention_files):
    for file, source, message in (
        (model_file, "abc", "Only a model with attention aligns, such as an AttentionSeq2Seq. Received: Peeky"),
        (writer_file, "abc", "A LanguageModel continues prompts and answers no sources: use seqzoo sample"),
        (attention_files[0], "abx", "row 1: source 'abx' has the character 'x', which is not in the vocabulary"),
    ):
        picture = model_file.parent / "picture.png"
        status, output, errors = run("align", file, source, "--output", picture)
        assert (status, output, errors.count("\n")) == (2, "", 1)
        assert errors.startswith(f"error: {message}")
        assert os.listdir(picture.parent) == [model_file.name]


def test_columns_are_as_wide_as_their_tokens():
    lines = alignment_lines(["hello", "년", " ", "e\u0301"], ["HH", "◌", "\u0301"], np.eye(3, 4))
    assert lines == ["   hello 년 ␣ e\u0301", "HH 9     ·  · ·", "◌  ·     9  · ·", "◌\u0301  ·     ·  9 ·"]


def test_matrix_wider_than_the_terminal_is_shown_in_parts():
    lines = alignment_lines(list("abcde"), list("xy"), np.full((2, 5), 0.2), width=6)
    assert lines == ["  a b", "x 2 2", "y 2 2", "", "  c d", "x 2 2", "y 2 2", "", "  e", "x 2", "y 2"]
    assert alignment_lines(["hello"], ["x"], np.ones((1, 1)), width=3) == ["  hello", "x 9"]


def test_picture_of_any_characters_is_drawn_without_a_warning(tmp_path, recwarn):
    with picture(tmp_path / "a.png") as draw:
        draw(["년", "word", "\x1b"], ["🙂"], np.full((1, 3), 1 / 3))
    assert not recwarn.list
    assert (tmp_path / "a.png").stat().st_size > 1000
