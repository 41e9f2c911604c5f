"""Scores of models of sums: every sum there is, grouped by lengths and by carries."""

import keras
import numpy as np
import pytest

from seqzoo.models import LanguageModel, Seq2Seq
from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, Vocabulary
from seqzoo.training import evaluate_all_sums, evaluate_sums
from seqzoo.training.evaluation.sums import all_operands, score_sums


def random_model(digits):
    """A model of sums that knows nothing."""
    keras.utils.set_random_seed(0)
    return Seq2Seq(PairPreprocessor(Vocabulary("0123456789+"), 2 * digits + 1, digits + 1), 4, 4)


def test_errors_are_counted_and_listed():
    operands = np.array([[1, 2], [30, 4], [99, 1], [5, 67]])
    figures = score_sums(operands, iter(["3", "35", "", "72"]))
    assert (figures["rows"], figures["errors"], figures["exact_match"]) == (4, 2, 0.5)
    assert figures["wrong"] == [
        {"source": "30+4", "target": "34", "answer": "35"},
        {"source": "99+1", "target": "100", "answer": ""},
    ]
    assert figures["by_digits"] == {"1+1": {"rows": 1, "errors": 0}, "1+2": {"rows": 3, "errors": 2}}
    assert figures["by_carries"] == {
        "0": {"rows": 2, "errors": 1}, "1": {"rows": 1, "errors": 0}, "2": {"rows": 1, "errors": 1},
    }  # fmt: skip


def test_sums_of_any_length_are_grouped():
    operands = np.array([[0, 0], [999_999, 1], [10**17, 9 * 10**17]])
    figures = score_sums(operands, [str(a + b) for a, b in operands.tolist()])
    assert figures["errors"] == 0
    assert {name: group["rows"] for name, group in figures["by_digits"].items()} == {"1+1": 1, "1+6": 1, "18+18": 1}
    assert {name: group["rows"] for name, group in figures["by_carries"].items()} == {"0": 1, "1": 1, "6": 1}


def test_groups_of_all_sums_are_as_large_as_they_are():
    operands = all_operands(2)
    assert {tuple(row) for row in operands.tolist()} == {(a, b) for a in range(100) for b in range(100)}
    figures = score_sums(operands, ["?"] * len(operands))
    assert figures["rows"] == figures["errors"] == 10_000
    rows = {name: group["rows"] for name, group in figures["by_digits"].items()}
    assert rows == {"1+1": 100, "1+2": 1_800, "2+2": 8_100}
    carries = [(a % 10 + b % 10 > 9) + (a + b > 99) for a in range(100) for b in range(100)]
    rows = {name: group["rows"] for name, group in figures["by_carries"].items()}
    assert rows == {str(count): carries.count(count) for count in range(3)}


def test_all_sums_are_the_models_own_answers():
    model = random_model(2)
    figures = evaluate_all_sums(model)
    sources = [f"{a}+{b}" for a in range(100) for b in range(100)]
    answers = dict(zip(sources, model.generate(sources), strict=True))
    expected = {source: answer for source, answer in answers.items() if answer != str(sum(map(int, source.split("+"))))}
    assert figures["rows"] == 10_000
    assert {each["source"]: each["answer"] for each in figures["wrong"]} == expected
    few = np.array([[1, 2], [98, 99]])
    assert evaluate_sums(model, few)["wrong"] == [
        {"source": f"{a}+{b}", "target": str(a + b), "answer": answers[f"{a}+{b}"]} for a, b in few.tolist()
    ]


def test_other_models_are_refused(trained):
    with pytest.raises(ValueError, match=r"this one is for sums of 4 digits, 100,000,000 of them"):
        evaluate_all_sums(random_model(4))
    writer = LanguageModel(TextPreprocessor.from_text("0123456789+"), 4, 4)
    for model in (trained, writer):
        with pytest.raises(ValueError, match="this one is not a model of sums"):
            evaluate_all_sums(model)
    with pytest.raises(ValueError, match=r"row 2: source '100\+100' has 7 characters"):
        evaluate_sums(random_model(2), np.array([[1, 2], [100, 100]]))
