"""`seqzoo evaluate`: figures, wrong answers, and every sum there is."""

import json

import keras
import pytest

from seqzoo import models, pipelines
from seqzoo.training import evaluate


def test_evaluate_prints_figures_and_wrong_answers(run, model_file, tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("abc\tCBA\nab\tAB\n")
    status, output, _ = run("evaluate", model_file, "--data", data)
    assert status == 0
    assert "exact match   50.00% of 2 answers" in output
    assert "token errors  40.000%" in output  # Two of five characters.
    assert "ab → BA  (right: AB)" in output


def test_rows_that_do_not_fit_the_model_count_as_wrong(run, model_file, tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("abc\tCBA\nabcdefg\tA\nab\té\n")
    status, output, _ = run("evaluate", model_file, "--data", data)
    assert status == 0
    assert "exact match   33.33% of 3 answers" in output
    assert "unreadable    1 sources cannot be read, and count as wrong" in output
    assert "unwritable    1 sources have no answer that can be written, and count as wrong" in output


def test_alternatives_are_one_source_and_the_beam_is_the_one_asked_for(run, attention_files, tmp_path):
    sources = ["abc", "ab", "d"]
    ensemble = models.Ensemble([models.load(file) for file in attention_files[:2]])
    answers = ensemble.generate(sources, beam_size=4, length_penalty=1.0)
    data = tmp_path / "data.tsv"
    rows = [("abc", "A"), *zip(sources, answers, strict=True)]
    data.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    first, second, _ = attention_files
    search = ["--with", second, "--beam-size", 4, "--length-penalty", 1]
    status, output, _ = run("evaluate", first, "--data", data, *search)
    assert status == 0
    assert output.startswith("exact match   100.00% of 3 answers (4 pairs)\ntoken errors  0.000%\n")
    status, output, _ = run("evaluate", first, "--data", data, "--json")
    assert json.loads(output)["exact_match"] < 1


def test_model_of_dates_is_evaluated_on_the_test_dates_by_default(run, tmp_path):
    models.Seq2Seq(pipelines.DatesData().preprocessor(), 2, 2, cell="simple_rnn").save(tmp_path / "dates.keras")
    status, output, _ = run("evaluate", tmp_path / "dates.keras", "--json")
    assert (status, json.loads(output)["rows"]) == (0, 10_000)


def test_a_separator_is_for_files_of_pairs(run, model_file, writer_file, tmp_path):
    status, _, errors = run("evaluate", model_file, "--separator", "_")
    assert (status, errors.splitlines()[-1]) == (
        2,
        "error: --separator is that of a file of pairs: leave it out, or give --data FILE",
    )
    (tmp_path / "text.txt").write_text("the cat")
    status, _, errors = run("evaluate", writer_file, "--data", tmp_path / "text.txt", "--separator", "_")
    assert status == 2
    assert errors.splitlines()[-1].startswith("error: A text has no separator, which files of pairs have: leave it out")


def test_text_is_evaluated_without_a_beam(run, writer_file, tmp_path):
    text_file = tmp_path / "text.txt"
    text_file.write_text("the cat sat")
    status, output, errors = run("evaluate", writer_file, "--data", text_file, "--beam-size", 2)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: A LanguageModel is scored without a search: leave out beam_size")


@pytest.fixture
def two_digits_file(tmp_path):
    """A model of sums of two digits that has learnt little."""
    keras.utils.set_random_seed(0)
    preprocessor = pipelines.PairPreprocessor(pipelines.Vocabulary("0123456789+"), 5, 3)
    path = tmp_path / "two.keras"
    models.Seq2Seq(preprocessor, embedding_dim=4, hidden_dim=8).save(path)
    return path


def test_model_of_sums_is_evaluated_on_the_test_sums_by_default(run, two_digits_file):
    status, output, _ = run("evaluate", two_digits_file, "--json")
    assert status == 0
    assert json.loads(output)["rows"] == 500


def test_evaluate_exhaustive_asks_every_sum_and_lists_the_wrong_ones(run, two_digits_file):
    status, output, _ = run("evaluate", two_digits_file, "--exhaustive", "--json")
    figures = json.loads(output)
    assert (status, figures["rows"]) == (0, 10_000)
    model = models.load(two_digits_file)
    sums = [(f"{a}+{b}", str(a + b)) for a in range(100) for b in range(100)]
    answers = model.generate([source for source, _ in sums])
    wrong = [
        {"source": source, "target": target, "answer": answer}
        for (source, target), answer in zip(sums, answers, strict=True)
        if answer != target
    ]
    assert figures["wrong"] == wrong
    assert figures["errors"] == len(wrong)
    _, output, _ = run("evaluate", two_digits_file, "--exhaustive")
    assert f"of 10,000 sums\nwrong         {len(wrong):,}\n" in output
    assert output.count("(right: ") == len(wrong)


def test_a_text_is_scored_in_blocks(run, writer_file, model_file, tmp_path):
    text = "the cat sat. " * 20
    (tmp_path / "text.txt").write_text(text)
    status, output, _ = run("evaluate", writer_file, "--data", tmp_path / "text.txt", "--block", 8, "--json")
    assert status == 0
    assert json.loads(output) == evaluate(models.load(writer_file), text, block=8)
    (tmp_path / "data.tsv").write_text("abc\tCBA\n")
    status, _, errors = run("evaluate", model_file, "--data", tmp_path / "data.tsv", "--block", 8)
    assert (status, errors) == (2, "error: A PeekySeq2Seq answers sources one by one: leave out block. Received: 8\n")
    status, _, errors = run("evaluate", model_file, "--exhaustive", "--block", 8)
    assert (status, errors) == (2, "error: --block is of texts, and --exhaustive of sums: leave out one of them\n")
