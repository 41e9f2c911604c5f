"""Searches in one process: what they write, that they resume and repeat, and what they refuse."""

import dataclasses
import importlib
import itertools
import json
import signal

import keras_tuner
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqzoo import models, pipelines, tuning
from seqzoo.pipelines import AdditionData
from seqzoo.training.recipes.catalogue import recipe, recipe_found_by_search


def test_results_are_a_table_a_plot_the_best_recipe_and_model_and_logs(small_search):
    tuner, folder = small_search(max_trials=2)
    table = small_search.rows()
    assert [(row["trial"], row["status"], row["epochs"]) for row in table] == [
        ("0", "completed", "3"),
        ("1", "completed", "3"),
    ]
    assert set(tuning.LanguageHyperModel.SPACE) < set(table[0])
    assert (folder / "trials.png").read_bytes().startswith(b"\x89PNG")

    best = min(table, key=lambda row: float(row["val_loss"]))
    found = json.loads((folder / "best.json").read_text())
    assert found["trial"] == best["trial"]
    assert found["val_loss"] == pytest.approx(float(best["val_loss"]))
    assert recipe_found_by_search(folder / "best.json", "char_lstm").hidden_dim == int(best["hidden_dim"])

    model = models.load(folder / "model.keras")
    assert model.count_params() == int(best["parameters"])
    best_recipe = tuner.hypermodel.recipe(tuner.get_best_hyperparameters()[0])
    assert found["recipe"] == dataclasses.asdict(best_recipe)
    batches = best_recipe.validation_batches(model.preprocessor, tuner.hypermodel.validation)
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(float(best["val_loss"]), rel=1e-5)

    logs = EventAccumulator(str(next((folder / "trials/tensorboard/0").rglob("events*")).parent)).Reload()
    assert "_hparams_/session_start_info" in logs.PluginTagToContent("hparams")

    again, _ = small_search("again", max_trials=1)
    assert small_search.rows("again") == table[:1]
    assert isinstance(again, keras_tuner.RandomSearch)
    small_search("other", max_trials=1, seed=1)
    assert small_search.rows("other") != table[:1]


def test_manifest_says_what_is_searched(small, small_search, scored_at_once):
    _, folder = small_search(max_trials=1, seed=4)
    manifest = json.loads((folder / "search.json").read_text())
    assert manifest["recipe"] == dataclasses.asdict(small.search_recipe())
    assert (manifest["tuner"], manifest["max_trials"], manifest["seed"]) == ("random", 1, 4)
    assert manifest["space"]["hidden_dim"] == [4, 8, 12]
    assert manifest["space"]["window"] == [4]
    assert manifest["compile_options"] == small.EAGERLY


@pytest.mark.parametrize(
    ("tuner", "kill", "options"),
    [
        ("random", ["1", 1], {"max_trials": 2}),
        pytest.param("grid", ["1", 1], {"max_trials": 3}, marks=pytest.mark.slow(minutes=1)),
        pytest.param("bayesian", ["3", 0], {"max_trials": 4}, marks=pytest.mark.slow(minutes=1)),
        pytest.param("hyperband", ["0004", 2], {"max_trials": None}, marks=pytest.mark.slow(minutes=2)),
    ],
)
def test_killed_and_resumed_search_is_as_one_left_alone(small_search, warm_python, tuner, kill, options):
    killed = small_search.start(name="killed", python=warm_python / "python", tuner=tuner, kill=kill, **options)
    small_search("whole", tuner=tuner, **options)
    output, _ = killed.communicate()
    assert killed.returncode == 128 + signal.SIGKILL, output
    assert not (small_search.folder / "killed/trials.csv").exists()
    small_search("killed", tuner=tuner, resume=True, **options)
    assert small_search.rows("killed") == small_search.rows("whole")
    assert len(small_search.rows("whole")) > int(kill[0])


@pytest.mark.parametrize(
    ("tuner", "after"),
    [
        pytest.param("random", False, marks=pytest.mark.slow(minutes=1)),
        ("grid", True),
        pytest.param("bayesian", True, marks=pytest.mark.slow(minutes=1)),
        pytest.param("hyperband", True, marks=pytest.mark.slow(minutes=1)),
        pytest.param("random", True, marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_search_killed_at_any_rename_and_resumed_is_as_one_left_alone(
    small, small_search, scored_at_once, tuner, after
):
    """Before it, the folder is as after the one before, but for what is half-written: one tuner shows that."""
    options = {"tuner": tuner, "max_trials": 3 if tuner == "bayesian" else 2}
    small_search("whole", **options)
    for number in itertools.count(1):
        name = f"killed-{number}"
        with small.killed_at_rename(number, after):
            small_search(name, **options)
            break
        small_search(name, resume=(small_search.folder / name / "search.json").exists(), **options)
        assert small_search.rows(name) == small_search.rows("whole"), number
    assert number > 2 * 6
    assert len(small_search.rows(name)) == options["max_trials"]


def test_data_may_move_but_not_change(small, small_search, scored_at_once):
    _, folder = small_search(max_trials=1)
    moved = (small_search.folder / "text.txt").rename(small_search.folder / "moved.txt")
    small_search(max_trials=1, resume=True, data=moved)
    assert json.loads((folder / "search.json").read_text())["data"] == str(moved)
    moved.write_text(small.TEXT + "more")
    with pytest.raises(ValueError, match="a different data_sha256"):
        small_search(max_trials=1, resume=True, data=moved)


def test_full_folder_and_another_search_are_errors(small, small_search, scored_at_once):
    small_search(max_trials=1)
    with pytest.raises(ValueError, match="already holds another run"):
        small_search(max_trials=1)
    for options, difference in (
        ({"space": {"hidden_dim": [4]}}, "space"),
        ({"recipe": small.search_recipe(epochs=4)}, "epochs"),
        ({"tuner": "bayesian", "seed": 1}, "tuner and seed"),
        ({"compile_options": None}, "compile_options"),
    ):
        with pytest.raises(ValueError, match=f"another search, with a different {difference} "):
            small_search(resume=True, **{"max_trials": 1, **options})
    assert len(small_search.rows()) == 1


@pytest.fixture
def searched(monkeypatch):
    """The hypermodels of searches, which end before their first trial."""
    hypermodels = []

    def stop(hypermodel, *_, **__):
        hypermodels.append(hypermodel)
        raise ValueError("enough")

    monkeypatch.setitem(tuning.TUNERS, "random", stop)
    return hypermodels


def test_own_sums_are_validated_on_rows_held_out_of_those_to_train_on(searched, tmp_path):
    sums = dataclasses.replace(recipe("addition_baseline"), dataset=AdditionData(2, commute=True, short_sums=3))
    with pytest.raises(ValueError, match="enough"):
        tuning.search(sums, tmp_path / "search")
    parts = searched[0].training, searched[0].validation, *pipelines.load_addition(2, ["train", "test"])
    training, validation, own, test = (
        {source.decode() for batch, _ in part.batch(1024).as_numpy_iterator() for source in batch} for part in parts
    )
    assert training | validation == own
    assert not training & validation
    trained = {
        text.decode()
        for inputs, _ in searched[0]._batches(sums)
        for text in searched[0].preprocessor.decode(inputs["source"]).numpy()
    }
    assert len(trained) > 1.9 * len(training)
    assert not trained & (test | validation)


def test_what_only_sums_need_does_not_apply_to_a_file(searched, pair_file, tmp_path):
    with pytest.raises(ValueError, match="enough"):
        tuning.search("addition_reverse", tmp_path / "search", data=pair_file)
    assert searched[0].base_recipe.dataset is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tuner": "annealing"}, r"no tuner 'annealing'\. Choose one of: random, grid, bayesian, hyperband"),
        ({"workers": 0}, r"workers must be at least 1\. Received: workers=0"),
        ({"max_trials": 0}, r"max_trials must be at least 1\. Received: max_trials=0"),
        ({"space": {"size": [1]}}, r"no hyperparameter 'size'\. Choose among: hidden_dim, embedding_dim, cell"),
        ({"space": {"hidden_dim": []}}, r"The space of hidden_dim is empty"),
        ({"space": {"hidden_dim": 64}}, r"The space of hidden_dim must be a list of values\. Received: 64"),
        ({"space": {"cell": "lstm"}, "fixed": {}}, r"The space of cell must be a list of values\. Received: 'lstm'"),
        ({"space": {"hidden_dim": [8.5]}}, r"hidden_dim must be a whole number\. Received: 8\.5"),
        ({"space": {"hidden_dim": [0]}}, r"hidden_dim must be above 0\. Received: 0"),
        ({"space": {"dropout": [0.5]}}, r"dropout is both fixed, to 0\.1, and searched, over \[0\.5\]"),
        ({"fixed": {"cell": "rnn"}}, r"cell must be one of lstm, gru, simple_rnn\. Received: 'rnn'"),
        ({"fixed": {"dropout": 1}}, r"dropout must be below 1\. Received: 1\.0"),
        ({"resume": True}, r"holds no search to resume"),
        ({"data": None}, r"The recipe char_lstm has no data.* of its own"),
        ({"recipe": "mine"}, r"no recipe 'mine'"),
    ],
)
def test_wrong_arguments_are_one_clear_error_and_leave_nothing(small_search, options, message):
    with pytest.raises(ValueError, match=message):
        small_search(**options)
    assert not (small_search.folder / "search").exists()


def test_threads_are_those_of_the_widest_model_that_is_tried(small, small_search, scored_at_once, monkeypatch):
    asked = []
    module = importlib.import_module("seqzoo.tuning.search")  # `tuning.search` is the function.
    monkeypatch.setattr(module, "choose_threads", lambda *arguments: asked.append(arguments))
    small_search(max_trials=1)
    assert asked == [(12, small.search_recipe().shards)]


def test_what_killed_processes_left_half_written_is_gone_after_a_resume(small_search, scored_at_once):
    _, folder = small_search(max_trials=1)
    names = ".trials-abcdefgh.csv", "trials/.oracle-abcdefgh.json", "trials/trial_0/.facts-abcdefgh.json"
    for name in names:
        (folder / name).write_text("half")
    small_search(max_trials=1, resume=True)
    assert not any((folder / name).exists() for name in names)


def test_interrupted_search_says_what_is_kept(small_search, scored_at_once, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqzoo.tuning.tuners._RecordingTuner.run_trial", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"the trials that ended are kept in .*search; continue .* --resume"):
        small_search(max_trials=1)


def test_chief_that_cannot_listen_at_its_address_says_so(small_search, monkeypatch):
    facts = {"KERASTUNER_TUNER_ID": "chief", "KERASTUNER_ORACLE_IP": "192.0.2.1", "KERASTUNER_ORACLE_PORT": "8000"}
    for name, value in facts.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match=r"The search's chief cannot listen at 192\.0\.2\.1:8000"):
        small_search()
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "http")
    with pytest.raises(ValueError, match=r"KERASTUNER_ORACLE_PORT must be a number\. Received: 'http'"):
        small_search()
    assert not (small_search.folder / "search").exists()
