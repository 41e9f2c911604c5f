"""Recipes for models of pictures: what they train on, refuse, and search."""

import dataclasses

import keras_tuner
import pytest

from seqzoo.models import ImageToText, load
from seqzoo.pipelines.datasets.handwritten_numbers import rows
from seqzoo.training import RECIPES, ImageRecipe, train
from seqzoo.tuning import ImageHyperModel, search

RECIPE = dataclasses.replace(
    RECIPES["read_numbers"], filters=(4, 4, 4), hidden_dim=8, embedding_dim=4, epochs=2, batch_size=32
)


@pytest.fixture
def few_rows(monkeypatch):
    """A data set of fewer pictures."""
    monkeypatch.setattr(rows, "SPLIT_SIZES", {"train": 96, "validation": 40, "test": 40})
    rows.number_rows.cache_clear()
    yield
    rows.number_rows.cache_clear()


def test_trains_and_resumes_on_its_own_data_set(few_rows, tmp_path):
    model, metrics = train(RECIPE, tmp_path / "run", verbose=0, compile_options={"jit_compile": False})
    assert isinstance(model, ImageToText)
    assert (metrics["rows"], metrics["data"]) == (40, "handwritten_numbers")
    assert load(tmp_path / "run" / "model.keras").get_config() == model.get_config()
    again, _ = train(RECIPE, tmp_path / "run", verbose=0, resume=True, compile_options={"jit_compile": False})
    assert again.count_params() == model.count_params()


def test_comes_back_from_its_configuration():
    assert ImageRecipe.from_config(dataclasses.asdict(RECIPE)) == RECIPE
    listed = {**dataclasses.asdict(RECIPE), "filters": [4, 4, 4]}
    assert ImageRecipe.from_config(listed) == RECIPE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "Seq2Seq"}, "model must be ImageToText"),
        ({"filters": ()}, "filters must be whole numbers from 1"),
        ({"filters": (8, 0)}, "filters must be whole numbers from 1"),
        ({"label_smoothing": 1.0}, "label_smoothing must be in"),
        ({"beam_size": 0}, "beam_size must be a whole number from 1"),
        ({"hidden_dim": 0}, "hidden_dim must be a whole number from 1"),
    ],
)
def test_wrong_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPE, **options)


def test_files_are_refused_with_the_way_in_python(tmp_path):
    with pytest.raises(ValueError, match=r"leave out --data\. Train on your own pictures in Python"):
        train(RECIPE, tmp_path / "run", data="pairs.tsv")
    assert not (tmp_path / "run").exists()


def test_search_tries_hyperparameters(few_rows, tmp_path):
    options = {
        "space": {"cell": ["gru"]},  # Not the recipe's.
        "fixed": {name: getattr(RECIPE, name) for name in ImageHyperModel.SPACE},
    }
    del options["fixed"]["cell"]
    recipe = dataclasses.replace(RECIPE, epochs=1)
    tuner = search(
        recipe, tmp_path / "found", tuner="grid", verbose=0, compile_options={"jit_compile": False}, **options
    )
    (trial,) = tuner.oracle.get_best_trials(2)
    assert trial.status == keras_tuner.engine.trial.TrialStatus.COMPLETED
    model = load(tmp_path / "found" / "model.keras")
    assert isinstance(model, ImageToText)
    assert (RECIPE.cell, model.get_config()["cell"]) == ("lstm", "gru")
