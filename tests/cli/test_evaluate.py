"""`seqzoo evaluate`: figures, wrong answers, and every sum there is."""

import json

import keras
import pytest

from seqzoo import models, pipelines


def test_evaluate_prints_figures_and_wrong_answers(run, model_file, tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("abc\tCBA\nab\tAB\n")
    status, output, _ = run("evaluate", model_file, "--data", data)
    assert status == 0
    assert "exact match   50.00% of 2 answers" in output
    assert "characters    66.667%" in output  # C, B, A of three, and of A, B and the end only the end
    assert "ab → BA  (right: AB)" in output


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
