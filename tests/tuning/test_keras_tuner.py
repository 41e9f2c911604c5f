"""KerasTuner's own tuners, and ours used as they are: searches over hypermodels, what they are told, what they say."""

import dataclasses
import re

import keras
import keras_tuner
import pytest

from seqzoo import pipelines, tuning
from seqzoo.training import recipe

KERAS_TUNERS = [
    keras_tuner.RandomSearch,
    keras_tuner.GridSearch,
    keras_tuner.BayesianOptimization,
    keras_tuner.Hyperband,
]


def tuner_id(tuner):
    return f"{tuner.__module__.split('.')[0]} {tuner.__name__}"


@pytest.fixture
def texts(small):
    """Makes a hypermodel of language models, from options of `LanguageHyperModel`."""

    def hypermodel(**options):
        base = small.search_recipe()
        ids = base.preprocessor(small.TEXT).encode(small.TEXT)
        space = {"hidden_dim": [4, 8], "learning_rate": [0.03, 0.1]}
        fixed = {"cell": "simple_rnn", "num_layers": 1, "embedding_dim": 4, "dropout": 0.0, "window": 4}
        fixed |= {"batch_size": 16, "weight_decay": 0.0}
        options = {"space": space, "fixed": fixed, "compile_options": small.EAGERLY, **options}
        return tuning.LanguageHyperModel(base, ids, ids[:100], base.preprocessor(small.TEXT), **options)

    return hypermodel


@pytest.fixture
def pairs_hypermodel(small, pairs):
    """A hypermodel of pairs, of which every trial has one batch."""
    base = dataclasses.replace(recipe("pairs_baseline"), epochs=1)
    fixed = {name: values[0] for name, values in tuning.Seq2SeqHyperModel.SPACE.items() if name != "learning_rate"}
    fixed |= {"hidden_dim": 4, "cell": "simple_rnn"}
    options = {"space": {"learning_rate": [1e-3, 2e-3, 4e-3]}, "fixed": fixed, "compile_options": small.EAGERLY}
    return tuning.Seq2SeqHyperModel(base, *pipelines.hold_out(pairs), base.preprocessor(pairs), **options)


def made(tuner, hypermodel, folder, **options):
    """A tuner of at most two trials, of three epochs."""
    trials = {"max_epochs": 3} if issubclass(tuner, keras_tuner.Hyperband) else {"max_trials": 2}
    return tuner(hypermodel, directory=folder, seed=1, **{"objective": hypermodel.objective, **trials, **options})


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "tuner",
    [KERAS_TUNERS[0], *(pytest.param(each, marks=pytest.mark.slow(minutes=1)) for each in KERAS_TUNERS[1:])],
    ids=tuner_id,
)
def test_keras_tuners_own_search_a_hypermodel(tuner, texts, tmp_path):
    hypermodel = texts()
    search = made(tuner, hypermodel, tmp_path)
    search.search(verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=2)])
    trials = search.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED"] * 2
    assert trials[0].score < trials[1].score
    (model,) = search.get_best_models()
    assert model.get_config()["hidden_dim"] == search.get_best_hyperparameters()[0].get("hidden_dim")
    validation = hypermodel.base_recipe.validation_batches(hypermodel.preprocessor, hypermodel.validation)
    assert model.evaluate(validation, verbose=0, return_dict=True)["loss"] == pytest.approx(trials[0].score, rel=1e-4)


REFUSAL = r"call search\(\) without {0}; give the data to LanguageHyperModel\(recipe, training, .*Received: {0}$"


@pytest.mark.parametrize("tuner", [keras_tuner.RandomSearch, tuning.RandomSearch], ids=tuner_id)
def test_data_given_to_search_are_refused_at_once(tuner, texts, tmp_path):
    """Hyperparameters such as `reverse`, `window` and `batch_size` decide what batches are made of the data."""
    search = made(tuner, texts(), tmp_path, max_trials=1)
    with pytest.raises(ValueError, match=REFUSAL.format("x, validation_data")):
        search.search(["a batch"], validation_data=["another"], verbose=0)
    search.search(verbose=0)  # It goes on as it should have begun.
    assert search.oracle.get_best_trials()[0].status == "COMPLETED"


@pytest.mark.parametrize(
    ("arguments", "options", "names"),
    [
        ((["a"], ["b"]), {}, "x, y"),
        ((), {"x": ["a"], "validation_split": 0.2, "batch_size": 8}, "x, batch_size, validation_split"),
        ((), {"steps_per_epoch": 3, "verbose": 0}, "steps_per_epoch"),
    ],
)
def test_what_says_how_batches_are_made_is_refused_too(arguments, options, names, texts):
    with pytest.raises(keras_tuner.errors.FatalValueError, match=REFUSAL.format(names)):
        texts().fit(None, None, *arguments, **options)


def test_a_failed_trial_is_a_warning(texts, tmp_path):
    search = made(keras_tuner.RandomSearch, texts(space={"learning_rate": [1e38]}), tmp_path, max_trials=1)
    with pytest.warns(
        RuntimeWarning, match="A trial failed, and the search goes on without it: ValueError: .*diverged"
    ):
        search.search(verbose=0)


@pytest.mark.parametrize("tuner", [keras_tuner.RandomSearch, tuning.RandomSearch], ids=tuner_id)
def test_a_trial_that_cannot_be_built_is_a_warning(tuner, texts, tmp_path, monkeypatch):
    hypermodel = texts()
    search = made(tuner, hypermodel, tmp_path, max_trials=1)

    def refuse(hp):
        raise MemoryError("too large")

    monkeypatch.setattr(hypermodel, "recipe", refuse)
    with pytest.warns(RuntimeWarning, match="A trial failed, .*: MemoryError: too large"):
        search.search(verbose=0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_whole_search_reports_its_failures_and_warns_of_none(small_search, capsys):
    options = {"space": {"learning_rate": [1e38]}, "fixed": {**small_search.fixed, "hidden_dim": 4}}
    with pytest.raises(ValueError, match="None of the 1 trials was completed; the first one failed: ValueError"):
        small_search(tuner="grid", max_trials=None, verbose=2, **options)
    assert re.search("trial 0+: ValueError: Training diverged", capsys.readouterr().err)


@pytest.mark.parametrize("tuner", tuning.TUNERS.values(), ids=tuner_id)
def test_objectives_of_our_tuners_are_names_of_our_metrics(tuner, texts, pairs_hypermodel, tmp_path):
    for number, (hypermodel, name, direction) in enumerate(
        [
            (pairs_hypermodel, "val_exact_match", "max"),
            (pairs_hypermodel, "exact_match", "max"),
            (pairs_hypermodel, "val_loss", "min"),
            (pairs_hypermodel, None, "max"),
            (texts(), "val_perplexity", "min"),
            (texts(), "val_bits_per_token", "min"),
            (texts(), keras_tuner.Objective("val_loss", "max"), "max"),
        ]
    ):
        objective = made(tuner, hypermodel, tmp_path / str(number), objective=name).oracle.objective
        assert objective.direction == direction
        assert name is None or objective.name == getattr(name, "name", name)
    both = made(tuner, pairs_hypermodel, tmp_path / "both", objective=["val_exact_match", "val_loss"]).oracle.objective
    assert both.name_to_direction == {"val_exact_match": "max", "val_loss": "min"}
    with pytest.raises(ValueError, match="Could not infer optimization direction"):
        made(tuner, pairs_hypermodel, tmp_path / "unknown", objective="val_unknown")


def test_a_search_for_the_highest_exact_match_by_its_name(pairs_hypermodel, tmp_path):
    search = made(tuning.RandomSearch, pairs_hypermodel, tmp_path, objective="val_exact_match", max_trials=1)
    search.search(verbose=0)
    assert 0 <= search.oracle.get_best_trials()[0].score <= 1
