"""The presets: their recipes do what they say, and the trained models score what they state."""

import dataclasses
import importlib.metadata

import keras
import numpy as np
import pytest

from seqzoo.export.cards.content import weights_sha256
from seqzoo.models import PRESETS, PeekySeq2Seq, Preset, Seq2Seq, card, evaluate, preset, ships
from seqzoo.training.run import fit
from seqzoo.pipelines import load_addition

SUMS = [name for name, preset in PRESETS.items() if isinstance(preset, Preset) and preset.digits]
SHIPPED = [name for name in SUMS if ships(name)]


def test_unknown_preset_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no preset 'x'\. Choose one of: addition_baseline, "):
        preset("x")


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if isinstance(preset, Preset)])
def test_preset_builds_the_model_it_names(name, pairs):
    recipe = preset(name)
    model = recipe.build(recipe.preprocessor(pairs))
    assert isinstance(model, PeekySeq2Seq) is ("peeky" in name or name == "addition_5_digits")
    assert isinstance(model, Seq2Seq)
    assert model.preprocessor.reverse is ("reverse" in name or name == "addition_5_digits")
    assert recipe.command.startswith(f"seqzoo train {name} --output DIR")
    assert ("--data" in recipe.command) is (name not in SUMS)


def test_learning_rate_warms_up_for_an_epoch_and_decays_to_zero(pairs):
    recipe = dataclasses.replace(preset("pairs_baseline"), epochs=5, hidden_dim=4)
    model = recipe.build(recipe.preprocessor(pairs))
    recipe.compile(model, steps_per_epoch=10)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 5, 10, 30, 50)]
    assert rates == pytest.approx([0, 2e-3, 4e-3, 2e-3, 0], abs=1e-8)
    assert model.optimizer.global_clipnorm == 5.0


def test_book_recipe_is_the_books(pairs):
    recipe = preset("addition_reverse").with_book_recipe()
    model = recipe.build(recipe.preprocessor(pairs))
    recipe.compile(model, steps_per_epoch=10)
    assert (recipe.epochs, recipe.batch_size, recipe.commute) == (25, 128, False)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert model.get_config()["pass_cell_state"] is False
    assert model.preprocessor.reverse


def test_sums_are_also_trained_the_other_way_round_unless_they_are_tested_on():
    recipe = dataclasses.replace(preset("addition_baseline"), batch_size=2)
    training, tested = [("1+2", "3"), ("3+4", "7")], [("4+3", "7")]
    preprocessor = recipe.preprocessor(training)
    sources = [
        text.decode()
        for inputs, _ in recipe.batches(preprocessor, training * 2, validation=tested)
        for text in preprocessor.decode(inputs["source"]).numpy()
    ]
    assert set(sources) == {"1+2", "2+1", "3+4"}


def test_short_sums_are_repeated_as_often_as_the_recipe_says():
    recipe = dataclasses.replace(preset("addition_baseline"), batch_size=1, short_sums=3)
    training = [("1+22", "23"), ("33+4", "37"), ("55+66", "121")]
    preprocessor = recipe.preprocessor(training)
    sources = [
        text.decode()
        for inputs, _ in recipe.batches(preprocessor, training)
        for text in preprocessor.decode(inputs["source"]).numpy()
    ]
    expected = ["1+22", "22+1", "33+4", "4+33"] * 3 + ["55+66", "66+55"]
    assert sorted(sources) == sorted(expected)


def test_label_smoothing_is_the_losss(pairs):
    recipe = dataclasses.replace(preset("pairs_baseline"), label_smoothing=0.1)
    model = recipe.build(recipe.preprocessor(pairs))
    recipe.compile(model, steps_per_epoch=1)
    assert model.loss.label_smoothing == 0.1


def test_same_seed_trains_the_same_weights_whatever_came_before(pairs):
    recipe = dataclasses.replace(preset("pairs_baseline"), epochs=1, batch_size=42, hidden_dim=4, dropout=0.2)
    preprocessor = recipe.preprocessor(pairs)

    def weights(seed):
        model, _ = fit(recipe, pairs, pairs, preprocessor, seed=seed, verbose=0)
        return [weight.tobytes() for weight in model.get_weights()]

    first = weights(1)
    keras.utils.set_random_seed(99)
    assert weights(1) == first


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_preset_scores_what_its_card_states(name):
    recipe = preset(name)
    model, _ = fit(recipe, *recipe.training_data(), verbose=2)
    score = evaluate(model, load_addition(recipe.digits, "test"))["exact_match"]
    assert score == pytest.approx(card(name)["held_out"]["exact_match"], abs=0.002)
    versions = card(name)["versions"]
    is_same_kind = np.show_config(mode="dicts")["SIMD Extensions"].get("found", []) == card(name)["simd"]
    if is_same_kind and all(importlib.metadata.version(each) == versions[each] for each in ("tensorflow", "keras")):
        assert weights_sha256(model) == card(name)["weights_sha256"]
