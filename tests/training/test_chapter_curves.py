"""The chapter's figure: the same training for its three variants."""

import csv
import os
import types

import pytest

from seqzoo.training import chapter_curves
from seqzoo.training.chapter_curves import figure


@pytest.fixture
def sums_file(tmp_path):
    """A file of some sums."""
    path = tmp_path / "sums.tsv"
    path.write_text("".join(f"{a}+{b}\t{a + b}\n" for a in range(20) for b in range(20)))
    return path


def test_three_variants_are_trained_written_and_drawn(small, sums_file, tmp_path):
    output = tmp_path / "figure"
    curves = figure(output, data=sums_file, epochs=1, verbose=0, compile_options=small.EAGERLY)
    assert list(curves) == ["baseline", "Reverse", "Reverse + Peeky"]
    assert sorted(os.listdir(output)) == ["curves.csv", "curves.png"]
    with open(output / "curves.csv", encoding="utf-8") as file:
        rows = [(row["variant"], int(row["epoch"]), float(row["exact_match"])) for row in csv.DictReader(file)]
    assert rows == [(variant, 1, values[0]) for variant, values in curves.items()]
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def trainings(monkeypatch):
    """The recipes and data that would be trained on."""
    runs = []

    history = types.SimpleNamespace(history={"val_exact_match": [0.5]})

    def fit(recipe, training, validation, preprocessor, **options):
        runs.append((recipe, training, validation, preprocessor))
        return None, history

    monkeypatch.setattr(chapter_curves, "fit", fit)
    return runs


def test_variants_differ_in_what_they_are_called_alone(trainings, tmp_path):
    figure(tmp_path / "figure")
    (baseline, *_), (reverse, *_), (both, *_) = trainings
    assert (baseline.model, reverse.model, both.model) == ("Seq2Seq", "Seq2Seq", "PeekySeq2Seq")
    assert (baseline.reverse, reverse.reverse, both.reverse) == (False, True, True)
    assert [preprocessor.reverse for *_, preprocessor in trainings] == [False, True, True]
    ignored = {"name", "model", "reverse"}
    same = [
        {key: value for key, value in vars(each).items() if key not in ignored} for each in (baseline, reverse, both)
    ]
    assert same[0] == same[1] == same[2]
    assert (baseline.epochs, baseline.learning_rate, baseline.initializer) == (25, 1e-3, "book")


def test_zoos_schedule_is_that_of_the_recipes(trainings, tmp_path):
    figure(tmp_path / "figure", "zoo", epochs=3)
    assert [each.epochs for each, *_ in trainings] == [3] * 3
    assert [each.dataset.commute for each, *_ in trainings] == [True] * 3
    assert trainings[0][0].learning_rate == 6e-3


def test_file_of_sums_is_trained_on_as_it_is(trainings, sums_file, tmp_path):
    figure(tmp_path / "figure", "zoo", data=sums_file, validation_data=sums_file)
    assert [each.dataset for each, *_ in trainings] == [None] * 3
    assert len(list(trainings[0][1])) == len(list(trainings[0][2])) == 400


def test_wrong_arguments_are_errors_and_leave_nothing(trainings, sums_file, tmp_path):
    with pytest.raises(ValueError, match=r"recipe must be one of \('book', 'zoo'\)\. Received: 'mine'"):
        figure(tmp_path / "figure", "mine")
    with pytest.raises(FileNotFoundError):
        figure(tmp_path / "figure", data=tmp_path / "missing.tsv")
    assert not (tmp_path / "figure").exists()
    with pytest.raises(ValueError, match="already holds another run"):
        figure(tmp_path, data=sums_file)
    assert trainings == []
