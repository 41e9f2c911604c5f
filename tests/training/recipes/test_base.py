"""What all recipes share: variants, data of their own or the user's, and how they compile."""

import dataclasses
import json

import keras
import pytest

from seqzoo.pipelines import AdditionData
from seqzoo.training import RECIPES, recipe


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_survives_json(name):
    config = json.loads(json.dumps(dataclasses.asdict(recipe(name))))
    assert type(recipe(name)).from_config(config) == recipe(name)


def test_data_set_without_such_options_is_an_error():
    config = {**dataclasses.asdict(recipe("dates")), "dataset": {"name": "dates", "digits": 3}}
    with pytest.raises(ValueError, match="no data set has the options 'name', 'digits'"):
        type(recipe("dates")).from_config(config)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_for_a_file_has_no_data_set_and_else_stays_as_it_is(name):
    assert recipe(name).for_data(None) is recipe(name)
    assert recipe(name).for_data("file") == dataclasses.replace(recipe(name), dataset=None)
    assert recipe(name).for_data("file").data_name is None


def test_data_are_needed_and_named():
    assert recipe("addition_reverse").data_name == "addition/digits_3"
    for name in ("pairs_baseline", "char_lstm"):
        with pytest.raises(ValueError, match=f"The recipe {name} has no data.* of its own: .* a file, --data FILE"):
            recipe(name).training_data()
    for name in ("addition_reverse", "char_lstm_pydoc", "pairs_baseline"):
        with pytest.raises(ValueError, match=r"Validation data needs data to train on: .* both, or neither"):
            recipe(name).training_data(validation_data="file")


def test_variant_is_another_recipe():
    variant = dataclasses.replace(recipe("addition_baseline"), dataset=AdditionData(2), hidden_dim=8)
    assert variant.data_name == "addition/digits_2"
    assert recipe("addition_baseline").hidden_dim == 128
    with pytest.raises(dataclasses.FrozenInstanceError):
        variant.hidden_dim = 9


@pytest.fixture(params=["pair_recipe", "text_recipe"])
def recipe_and_model(request, small, pairs):
    """A small recipe of either kind, and its model."""
    chosen = getattr(small, request.param)()
    data = {"pair_recipe": pairs, "text_recipe": small.TEXT}[request.param]
    return chosen, chosen.build(chosen.preprocessor(data))


def test_compiled_model_runs_as_one_program_on_a_cpu_with_an_optimizer_that_is_built(recipe_and_model):
    chosen, model = recipe_and_model
    chosen.compile(model, steps_per_epoch=7)
    assert model.jit_compile
    assert model.steps_per_execution == 7
    assert model.optimizer.built
    chosen.compile(model, steps_per_epoch=700)
    assert model.steps_per_execution == 50


def test_overrides_take_the_place_of_what_the_recipe_compiles_with(recipe_and_model):
    chosen, model = recipe_and_model
    optimizer = keras.optimizers.SGD(0.1)
    chosen.compile(model, steps_per_epoch=7, jit_compile=False, optimizer=optimizer, metrics=[], loss="mse")
    assert not model.jit_compile
    assert (model.optimizer, model.loss) == (optimizer, "mse")
    chosen.compile(model, steps_per_epoch=7, run_eagerly=True)
    assert model.run_eagerly
    assert not model.jit_compile
