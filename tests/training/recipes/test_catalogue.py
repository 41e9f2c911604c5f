"""The catalogue: each recipe is what its name says, trains what its card states, and takes a search's values."""

import importlib.metadata
import json

import numpy as np
import pytest

from seqzoo.export.cards.content import weights_sha256
from seqzoo.models import AttentionSeq2Seq, PeekySeq2Seq, Seq2Seq, card, presets
from seqzoo.pipelines import AdditionData
from seqzoo.training import RECIPES, PairRecipe, evaluate, fit, recipe
from seqzoo.training.recipes.catalogue import recipe_found_by_search

PAIR_RECIPES = [name for name, each in RECIPES.items() if isinstance(each, PairRecipe)]
TRAINING_MINUTES = {
    "addition_baseline": 3.8,
    "addition_reverse": 2.0,
    "addition_peeky": 2.2,
    "addition_peeky_reverse": 7.6,
    "addition_5_digits": 14.6,
    "addition_9_digits": 110,
    "dates": 6.5,
    "pronounce_english": 119,  # CMUdict is downloaded, unless TFDS has prepared it.
}


def test_unknown_recipe_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no recipe 'x'\. Choose one of: addition_baseline, "):
        recipe("x")


def test_recipes_are_known_by_their_names():
    assert {name: each.name for name, each in RECIPES.items()} == {name: name for name in RECIPES}
    assert all(recipe(name) is each for name, each in RECIPES.items())


def test_every_preset_has_its_recipe():
    assert set(presets()) <= set(RECIPES)


@pytest.mark.parametrize("name", PAIR_RECIPES)
def test_recipe_builds_the_model_it_names(name, pairs):
    chosen = recipe(name)
    model = chosen.build(chosen.preprocessor(pairs))
    assert isinstance(model, PeekySeq2Seq) is ("peeky" in name or name == "addition_5_digits")
    attend = ("addition_9_digits", "dates", "pairs_attention", "pronounce_english")
    assert isinstance(model, AttentionSeq2Seq) is (name in attend)
    assert isinstance(model, Seq2Seq)
    assert model.preprocessor.reverse is ("reverse" in name or name == "addition_5_digits")


@pytest.mark.parametrize("name", RECIPES)
def test_command_names_data_where_the_recipe_has_none(name):
    chosen = recipe(name)
    brings_data = name.startswith("addition_") or name in ("dates", "pronounce_english", "read_numbers", *presets())
    assert (chosen.dataset is not None) is brings_data
    assert chosen.command == f"seqzoo train {name} --output DIR" + ("" if brings_data else " --data FILE")


@pytest.mark.parametrize(
    "dataset",
    # Fresh sums are drawn, see tests/pipelines/datasets/test_nine_digits.py.
    dict.fromkeys(
        each for name in PAIR_RECIPES if isinstance(each := RECIPES[name].dataset, AdditionData) and not each.fresh
    ),
    ids=str,
)
def test_no_sum_that_is_trained_on_is_tested_on_in_either_order(dataset):
    """Whatever the data set adds to an epoch."""
    training, test = dataset.load()
    trained, tested = (
        [source for batch, _ in rows.batch(8192).as_numpy_iterator() for source in batch]
        for rows in (dataset.augment(training), test)
    )
    assert len(set(trained)) >= (1.99 if dataset.commute else 1) * len(training)
    either_order = {
        order for a, b in (source.split(b"+") for source in tested) for order in (a + b"+" + b, b + b"+" + a)
    }
    assert either_order.isdisjoint(trained)


def found_file(folder, content):
    path = folder / "best.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_recipe_found_by_a_search_has_its_values_and_data_set(tmp_path):
    path = found_file(tmp_path, {"recipe": {"name": "addition_peeky", "hidden_dim": 48, "cell": "gru"}, "trial": "1"})
    found = recipe_found_by_search(path, "addition_peeky")
    assert (found.hidden_dim, found.cell) == (48, "gru")
    assert found.dataset == recipe("addition_peeky").dataset
    assert found.learning_rate == recipe("addition_peeky").learning_rate
    with pytest.raises(ValueError, match=r"best\.json is the result of a search over addition_peeky, not over pairs_b"):
        recipe_found_by_search(path, "pairs_baseline")
    with pytest.raises(ValueError, match="no recipe 'x'"):
        recipe_found_by_search(path, "x")
    with pytest.raises(FileNotFoundError):
        recipe_found_by_search(tmp_path / "missing.json", "addition_peeky")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        {"recipe": "addition_peeky"},
        {"recipe": {}},
        {"recipe": {"name": "addition_peeky", "size": 3}},
        {"recipe": {"name": "addition_peeky", "dataset": {"rows": 3}}},
    ],
    ids=str,
)
def test_file_that_no_search_wrote_is_one_clear_error(tmp_path, content):
    with pytest.raises(ValueError, match=r"best\.json is not the best\.json of a search: "):
        recipe_found_by_search(found_file(tmp_path, content), "addition_peeky")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow(minutes=each)) for name, each in TRAINING_MINUTES.items()]
)
def test_recipe_trains_a_model_that_scores_what_its_card_states(name):
    chosen = recipe(name)
    training, validation, preprocessor = chosen.training_data()
    model, _ = fit(chosen, training, validation, preprocessor, verbose=2)
    score = evaluate(model, chosen.test_data(None, validation))["exact_match"]
    assert score == pytest.approx(card(name)["held_out"]["exact_match"], abs=0.002)
    versions = card(name)["versions"]
    is_same_kind = np.show_config(mode="dicts")["SIMD Extensions"].get("found", []) == card(name)["simd"]
    if is_same_kind and all(importlib.metadata.version(each) == versions[each] for each in ("tensorflow", "keras")):
        assert weights_sha256(model) == card(name)["weights_sha256"]


def test_every_preset_that_answers_is_trained_by_the_slow_tests():
    assert set(TRAINING_MINUTES) == {name for name in presets() if isinstance(RECIPES[name], PairRecipe)}
