"""Searches: what they write, that they resume and repeat, alone and over processes."""

import csv
import dataclasses
import importlib.util
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import keras_tuner
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqzoo import models, pipelines, tuning
from seqzoo.training.recipes import found_recipe
from seqzoo.training.run import write_table
from seqzoo.tuning.results import table

SCRIPT = pathlib.Path(__file__).with_name("run_search.py")
TEXT = "the cat sat on the mat. a dog ran to the cat. " * 20
FIXED = {
    "cell": "simple_rnn", "num_layers": 1, "embedding_dim": 4, "dropout": 0.1, "window": 4, "batch_size": 16,
    "weight_decay": 0.0,
}  # fmt: skip
SPACE = {"hidden_dim": [4, 8, 12], "learning_rate": [0.03, 0.1]}

pytestmark = pytest.mark.usefixtures("eagerly")

spec = importlib.util.spec_from_file_location("run_search", SCRIPT)
run_search = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_search)


@pytest.fixture
def small_search(tmp_path):
    """Runs the small search in this process: gives the tuner and the folder."""
    (tmp_path / "text.txt").write_text(TEXT)

    def run(name="search", preset=None, **options):
        tuner = tuning.search(preset or run_search.small_preset(), **arguments(tmp_path, name, **options))
        return tuner, tmp_path / name

    run.folder = tmp_path
    return run


def arguments(folder, name="search", **options):
    return {
        "output": str(folder / name), "data": str(folder / "text.txt"), "fixed": FIXED, "space": SPACE,
        "max_trials": 3, "verbose": 0, **options,
    }  # fmt: skip


def start(folder, environment=None, **options):
    """Starts the small search as a process of its own."""
    (folder / "text.txt").write_text(TEXT)
    command = [sys.executable, SCRIPT, json.dumps(arguments(folder, **options))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env={**os.environ, **(environment or {})}, **pipes)


def rows(folder):
    """`trials.csv` as dictionaries, times apart."""
    with open(folder / "trials.csv", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "cpu_seconds"} for row in csv.DictReader(file)]


def test_results_are_a_table_a_plot_the_best_recipe_and_model_and_logs(small_search, tmp_path):
    tuner, folder = small_search(max_trials=2)
    table = rows(folder)
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
    assert found_recipe(folder / "best.json", "char_lstm").hidden_dim == int(best["hidden_dim"])

    model = models.load(folder / "model.keras")
    assert model.count_params() == int(best["parameters"])
    recipe = tuner.hypermodel.recipe(tuner.get_best_hyperparameters()[0])
    batches = recipe.validation_batches(model.preprocessor, tuner.hypermodel.validation)
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(float(best["val_loss"]), rel=1e-5)

    logs = EventAccumulator(str(next((folder / "trials/tensorboard/0").rglob("events*")).parent)).Reload()
    assert "_hparams_/session_start_info" in logs.PluginTagToContent("hparams")

    again, _ = small_search("again", max_trials=2)
    assert rows(tmp_path / "again") == table
    assert isinstance(again, keras_tuner.RandomSearch)
    small_search("other", max_trials=2, seed=1)
    assert rows(tmp_path / "other") != table


@pytest.mark.parametrize(
    ("tuner", "kill", "options"),
    [
        ("random", ["1", 1], {"max_trials": 3}),
        pytest.param("grid", ["1", 1], {"max_trials": 3}, marks=pytest.mark.slow),
        pytest.param("bayesian", ["3", 0], {"max_trials": 4}, marks=pytest.mark.slow),
        pytest.param("hyperband", ["0004", 2], {"max_trials": None}, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_search_is_as_one_left_alone(small_search, tmp_path, tuner, kill, options):
    killed = start(tmp_path, name="killed", tuner=tuner, kill=kill, **options)
    small_search("whole", tuner=tuner, **options)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed/trials.csv").exists()
    small_search("killed", tuner=tuner, resume=True, **options)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) > int(kill[0])


class Killed(BaseException):
    """What stops a process at one of its renames, in the tests that do without a process."""


@pytest.fixture
def scored_at_once(monkeypatch):
    """Trials give a score that their values determine, without training; of the results there is the table."""

    def run_trial(tuner, trial, *_, **__):
        values = tuner.hypermodel.values(trial.hyperparameters)
        score = (values["hidden_dim"] - 7) ** 2 + values["learning_rate"]
        tuner._facts["curve"].append(score)
        return {tuner.oracle.objective.name: score}

    def write_results(tuner, folder):
        write_table(folder / "trials.csv", table(tuner))

    monkeypatch.setattr("seqzoo.tuning.tuners._RecordingTuner.run_trial", run_trial)
    monkeypatch.setattr("seqzoo.tuning.search.write_results", write_results)


@pytest.mark.parametrize(("tuner", "after"), [("random", False), *((tuner, True) for tuner in tuning.TUNERS)])
def test_search_stopped_at_any_rename_is_as_one_left_alone(small_search, scored_at_once, monkeypatch, tuner, after):
    """Before it, the folder is as after the one before, but for what is half-written: one tuner shows that."""
    options = {"tuner": tuner, "max_trials": 3 if tuner == "bayesian" else 2}
    small_search("whole", **options)
    replace, renames = os.replace, 0

    def stop_at(number):
        def stopping(source, target):
            nonlocal renames
            renames += 1
            if renames == number and not after:
                raise Killed
            replace(source, target)
            if renames == number:
                raise Killed

        return stopping

    number = 1
    while True:
        name, renames = f"stopped-{number}", 0
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", stop_at(number))
            try:
                _, whole = small_search(name, **options)
                break
            except Killed:
                pass
        folder = small_search.folder / name
        small_search(name, resume=(folder / "search.json").exists(), **options)
        assert rows(folder) == rows(small_search.folder / "whole"), number
        number += 1
    assert number > 2 * 6
    assert len(rows(whole)) == options["max_trials"]


def test_bayesian_search_tries_nothing_twice(small_search, scored_at_once):
    _, folder = small_search(tuner="bayesian", max_trials=10)
    tried = [(row["hidden_dim"], row["learning_rate"]) for row in rows(folder)]
    assert len(set(tried)) == len(tried) == 6


def test_values_that_do_not_count_are_not_searched(small_search, scored_at_once, pairs, tmp_path):
    preset = dataclasses.replace(models.preset("pairs_baseline"), epochs=1)
    space = {"cell": ["lstm", "gru"], "pass_cell_state": [True, False], "hidden_dim": [4]}
    fixed = {name: values[0] for name, values in tuning.Seq2SeqHyperModel.SPACE.items() if name not in space}
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    _, folder = small_search(preset=preset, data=data, tuner="grid", max_trials=None, space=space, fixed=fixed)
    assert [(row["cell"], row["pass_cell_state"]) for row in rows(folder)] == [
        ("lstm", "True"),
        ("lstm", "False"),
        ("gru", ""),
    ]


def test_data_may_move_but_not_change(small_search, scored_at_once, tmp_path):
    _, folder = small_search(max_trials=1)
    moved = (tmp_path / "text.txt").rename(tmp_path / "moved.txt")
    small_search(max_trials=1, resume=True, data=moved)
    assert json.loads((folder / "search.json").read_text())["data"] == str(moved)
    moved.write_text(TEXT + "More.")
    with pytest.raises(ValueError, match="a different data_sha256"):
        small_search(max_trials=1, resume=True, data=moved)


def test_trial_that_two_workers_had_is_one_trial(small_search, scored_at_once):
    """As where a chief was started again while a worker trained."""
    tuner, _ = small_search(max_trials=2)
    oracle = tuner.oracle
    first = oracle.trials["0"]
    oracle.ongoing_trials["worker1"] = first
    oracle.end_trial(first)
    assert oracle.end_order == ["0", "1"]
    assert oracle.ongoing_trials == {}


def test_failed_trial_is_recorded_and_the_search_goes_on(small_search):
    space = {"learning_rate": [1e38, 0.03, 0.1]}
    _, folder = small_search(tuner="grid", fixed={**FIXED, "hidden_dim": 4}, space=space, max_trials=None)
    failed, *_ = table = rows(folder)
    assert [row["status"] for row in table] == ["failed", "completed", "completed"]
    assert "ValueError: Training diverged" in failed["error"]
    assert failed["val_loss"] == ""
    assert json.loads((folder / "best.json").read_text())["trial"] != failed["trial"]


def test_search_in_which_every_trial_fails_is_an_error(small_search, tmp_path):
    diverging = {"fixed": {**FIXED, "learning_rate": 1e38}, "space": {"hidden_dim": [4, 8]}}
    with pytest.raises(ValueError, match=r"None of the 2 trials was completed; the first one failed: .*diverged"):
        small_search(tuner="grid", max_trials=None, **diverging)
    assert [row["status"] for row in rows(tmp_path / "search")] == ["failed", "failed"]
    assert not (tmp_path / "search/model.keras").exists()


def test_hopeless_trial_is_stopped(small_search):
    space = {"learning_rate": [0.03, 0.05, 0.1, 30.0]}
    _, folder = small_search(tuner="grid", space=space, fixed={**FIXED, "hidden_dim": 8}, max_trials=None)
    assert [(row["status"], row["epochs"]) for row in rows(folder)] == [("completed", "3")] * 3 + [("stopped", "2")]


def test_hypermodel_of_pairs_works_with_plain_keras_tuner(pairs, tmp_path):
    preset = dataclasses.replace(models.preset("pairs_peeky_reverse"), epochs=1)
    training, validation = pipelines.hold_out(pairs)
    hypermodel = tuning.Seq2SeqHyperModel(
        preset,
        training,
        validation,
        preset.preprocessor(pairs),
        {"hidden_dim": [4, 8]},
        {"cell": "gru", "batch_size": 16},
    )
    tuner = keras_tuner.RandomSearch(
        hypermodel, hypermodel.objective, max_trials=1, seed=1, directory=tmp_path, tune_new_entries=True
    )
    tuner.search(verbose=0)
    (best,) = tuner.get_best_models()
    values = tuner.get_best_hyperparameters()[0].values
    assert set(values) == set(hypermodel.SPACE) - {"pass_cell_state"}  # A GRU has none.
    assert isinstance(best, models.PeekySeq2Seq) is values["peeky"]
    assert best.preprocessor.reverse is values["reverse"]
    assert best.get_config()["cell"] == "gru"
    assert best.get_config()["hidden_dim"] == values["hidden_dim"] in (4, 8)


def test_own_sums_are_validated_on_rows_held_out_of_those_to_train_on(monkeypatch, tmp_path):
    seen = {}

    def stop(hypermodel, *_, **__):
        seen.update(training=hypermodel.training, validation=hypermodel.validation)
        raise ValueError("enough")

    monkeypatch.setitem(tuning.TUNERS, "random", stop)
    preset = dataclasses.replace(models.preset("addition_baseline"), digits=2)
    with pytest.raises(ValueError, match="enough"):
        tuning.search(preset, tmp_path / "search")
    training, validation = ({row[0] for row in part.as_numpy_iterator()} for part in seen.values())
    own, test = ({row[0] for row in part.as_numpy_iterator()} for part in pipelines.load_addition(2, ["train", "test"]))
    assert training | validation == own
    assert not training & validation
    assert not test & (training | validation)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tuner": "annealing"}, r"no tuner 'annealing'\. Choose one of: random, grid, bayesian, hyperband"),
        ({"workers": 0}, r"workers must be at least 1\. Received: workers=0"),
        ({"max_trials": 0}, r"max_trials must be at least 1\. Received: max_trials=0"),
        ({"space": {"size": [1]}}, r"no hyperparameter 'size'\. Choose among: hidden_dim, embedding_dim, cell"),
        ({"space": {"hidden_dim": []}}, r"The space of hidden_dim is empty"),
        ({"space": {"hidden_dim": [8.5]}}, r"hidden_dim must be a whole number\. Received: 8\.5"),
        ({"space": {"hidden_dim": [0]}}, r"hidden_dim must be above 0\. Received: 0"),
        ({"space": {"dropout": [0.5]}}, r"dropout is both fixed, to 0\.1, and searched, over \[0\.5\]"),
        ({"fixed": {"cell": "rnn"}}, r"cell must be one of lstm, gru, simple_rnn\. Received: 'rnn'"),
        ({"fixed": {"dropout": 1}}, r"dropout must be below 1\. Received: 1\.0"),
        ({"resume": True}, r"holds no search to resume"),
    ],
)
def test_wrong_arguments_are_one_clear_error_and_leave_nothing(small_search, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        small_search(**options)
    assert not (tmp_path / "search").exists()


def test_tied_embeddings_have_the_size_of_the_hidden_layers():
    preset = models.preset("word_lstm")
    assert "embedding_dim" not in tuning.LanguageHyperModel.whole_space(preset)
    with pytest.raises(ValueError, match="embedding_dim is hidden_dim"):
        tuning.LanguageHyperModel.whole_space(preset, fixed={"embedding_dim": 8})


def test_full_folder_and_another_search_are_errors(small_search, scored_at_once):
    _, folder = small_search(max_trials=1)
    with pytest.raises(ValueError, match="already holds another run"):
        small_search(max_trials=1)
    for options, difference in (
        ({"space": {"hidden_dim": [4]}}, "space"),
        ({"preset": dataclasses.replace(run_search.small_preset(), epochs=4)}, "epochs"),
        ({"tuner": "bayesian", "seed": 1}, "tuner and seed"),
    ):
        with pytest.raises(ValueError, match=f"another search, with a different {difference} "):
            small_search(resume=True, **{"max_trials": 1, **options})
    assert len(rows(folder)) == 1


def children(process):
    """The processes of a search over several: dictionary from their names to their numbers."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == process.pid:
                environment = (folder / "environ").read_bytes().split(b"\0")
                names = [
                    each.partition(b"=")[2].decode() for each in environment if each.startswith(b"KERASTUNER_TUNER")
                ]
                found |= dict.fromkeys(names, int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def wait_for(condition, process):
    """Waits until something holds; gives it."""
    deadline = time.monotonic() + 200
    while not (result := condition()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def in_the_middle(folder):
    """Whether a trial has ended an epoch, but not itself."""
    begun = {path.parent for path in (folder / "trials").glob("trial_*/checkpoint.weights.h5")}
    return any(not (trial / "facts.json").exists() for trial in begun)


needs_proc = pytest.mark.skipif(not pathlib.Path("/proc").exists(), reason="finds processes in /proc")


@needs_proc
def test_killed_worker_comes_back_and_no_process_is_left(tmp_path, small_search):
    process = start(tmp_path, workers=2)
    wait_for(lambda: in_the_middle(tmp_path / "search"), process)
    members = children(process)
    assert set(members) == {"chief", "worker0", "worker1"}
    os.kill(members["worker0"], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "worker0 ended with status -9; it is started again" in output
    assert [row["status"] for row in rows(tmp_path / "search")] == ["completed"] * 3
    assert models.load(tmp_path / "search/model.keras")
    assert not any(pathlib.Path("/proc", str(member)).exists() for member in members.values())
    small_search("alone")
    by_values = [
        {(row["hidden_dim"], row["learning_rate"]): float(row["val_loss"]) for row in rows(tmp_path / name)}
        for name in ("search", "alone")
    ]
    assert by_values[0] == pytest.approx(by_values[1], rel=1e-4)


@needs_proc
def test_killed_chief_is_an_error_and_resuming_completes(tmp_path, small_search):
    process = start(tmp_path, workers=2)
    wait_for(lambda: in_the_middle(tmp_path / "search"), process)
    members = children(process)
    os.kill(members["chief"], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "error: The search's chief ended with status -9" in output
    assert not any(pathlib.Path("/proc", str(member)).exists() for member in members.values())
    small_search(resume=True)
    assert [row["status"] for row in rows(tmp_path / "search")] == ["completed"] * 3


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_search_leaves_no_process(tmp_path, number):
    process = start(tmp_path, workers=2)
    members = wait_for(lambda: len(found := children(process)) == 3 and found, process)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    deadline = time.monotonic() + 100
    while any(pathlib.Path("/proc", str(member)).exists() for member in members.values()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_several_machines_by_the_environment(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    chief, worker = (
        start(tmp_path, {**environment, "KERASTUNER_TUNER_ID": name}, max_trials=2) for name in ("chief", "worker")
    )
    for process in (worker, chief):
        output, _ = process.communicate()
        assert process.returncode == 0, output
    assert [row["status"] for row in rows(tmp_path / "search")] == ["completed"] * 2
    assert (tmp_path / "search/model.keras").exists()


def test_half_an_environment_is_an_error(small_search, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    with pytest.raises(
        ValueError, match="needs the environment variables KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT"
    ):
        small_search()
