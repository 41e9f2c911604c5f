"""A small search, in this process or in processes of its own."""

import csv
import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from seqzoo import tuning
from seqzoo.io.files import write_table
from seqzoo.tuning.results import table

_SCRIPT = pathlib.Path(__file__).with_name("run_search.py")
_FIXED = {
    "cell": "simple_rnn", "num_layers": 1, "embedding_dim": 4, "dropout": 0.1, "window": 4, "batch_size": 16,
    "weight_decay": 0.0,
}  # fmt: skip
_SPACE = {"hidden_dim": [4, 8, 12], "learning_rate": [0.03, 0.1]}


class SmallSearch:
    """A search over six language models that train in a moment.

    Attributes:
        folder: where the folders of searches are, and `text.txt`.
        fixed: dictionary, the default value of `fixed`.
    """

    fixed = _FIXED

    def __init__(self, small, folder):
        self.folder = folder
        self._small = small
        small.write_data(folder)

    def __call__(self, name="search", recipe=None, **options):
        """Runs it in this process; returns the tuner and the search's folder."""
        tuner = tuning.search(recipe or self._small.search_recipe(), **self._arguments(name, **options))
        return tuner, self.folder / name

    def start(self, environment=None, name="search", python=sys.executable, **options):
        """Starts it as a process; its output is one pipe, which ends when the last of its processes has ended."""
        command = [python, _SCRIPT, json.dumps(self._arguments(name, **options))]
        environment = {**os.environ, "PYTHONPATH": str(_SCRIPT.parents[1]), **(environment or {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environment, **pipes)

    def rows(self, name="search"):
        """`trials.csv` as dictionaries, times apart."""
        with open(self.folder / name / "trials.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [{key: value for key, value in row.items() if key != "cpu_seconds"} for row in rows]

    def _arguments(self, name, **options):
        return {
            "output": str(self.folder / name), "data": str(self.folder / "text.txt"), "fixed": _FIXED, "space": _SPACE,
            "max_trials": 3, "verbose": 0, "compile_options": self._small.EAGERLY, **options,
        }  # fmt: skip


@pytest.fixture
def small_search(small, tmp_path):
    """The small search."""
    return SmallSearch(small, tmp_path)


@pytest.fixture
def scored_at_once(monkeypatch):
    """Trials have a score that their values determine, without training; of the results there is the table."""

    def run_trial(tuner, trial, *_, **__):
        values = tuner.hypermodel.values(trial.hyperparameters)
        score = (values["hidden_dim"] - 7) ** 2 + values["learning_rate"]
        tuner._facts["curve"].append(score)
        return {tuner.oracle.objective.name: score}

    def write_results(tuner, folder):
        write_table(folder / "trials.csv", table(tuner))

    monkeypatch.setattr("seqzoo.tuning.tuners._RecordingTuner.run_trial", run_trial)
    module = importlib.import_module("seqzoo.tuning.search")  # `tuning.search` is the function.
    monkeypatch.setattr(module, "write_results", write_results)
