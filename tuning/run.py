"""A whole search: the data, the trials in one process or several, and a folder with the results."""

import contextlib
import dataclasses
import functools
import importlib.util
import json
import os
import pathlib
import sys

import keras

from seqzoo.models import Preset, TextPreset
from seqzoo.models import preset as preset_named
from seqzoo.models.execution import choose_threads
from seqzoo.pipelines import hold_out
from seqzoo.plans import data_plan, planned_folder
from seqzoo.tuning.hypermodels import LanguageHyperModel, Seq2SeqHyperModel
from seqzoo.tuning.results import write_results
from seqzoo.tuning.tuners import TUNERS
from seqzoo.tuning.workers import is_member, is_worker, supervise

_DEFAULT_TRIALS = {"random": 10, "bayesian": 10}
_KINDS = {"Preset": Preset, "TextPreset": TextPreset}
_PLAN = "search.json"


def search(
    preset,
    output,
    tuner="random",
    max_trials=None,
    data=None,
    validation_data=None,
    space=None,
    fixed=None,
    seed=0,
    workers=1,
    resume=False,
    verbose="auto",
):
    """Searches a preset's hyperparameters and writes what it found to a folder.

    With one process the same seed gives the same trials and scores on the same kind of machine, also where the search
    was killed and resumed. Where `KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` are set,
    this process is the chief or a worker of a search over several machines, whose folder they share; the chief writes
    the results.

    Args:
        preset: `Preset`, `TextPreset` or a preset's name. Each trial trains it for its `epochs`; Hyperband at most.
        output: folder, new or empty, or with `resume` that of the search. Gets `search.json` (what is searched),
            `trials.csv`, `trials.png`, `best.json`, `model.keras` (the best trial's best epoch) and `trials/`
            (KerasTuner's state, and `tensorboard/` with HParams).
        tuner: `"random"`, `"grid"`, `"bayesian"` or `"hyperband"`.
        max_trials: int; `None` for 10, and for the whole grid or all of Hyperband.
        data: see the preset's `training_data`. Of the preset's own sums a tenth of those to train on is held out to
            validate on, so that the test sums stay unseen.
        validation_data: likewise.
        space: dictionary from a hyperparameter's name to the values to choose from; see `RecipeHyperModel`.
        fixed: dictionary from a hyperparameter's name to its value.
        seed: int.
        workers: int, processes that run trials side by side on this machine, which share its cores.
        resume: bool, whether to go on with the search in the folder.
        verbose: see `keras.Model.fit`; 0 for silence.

    Returns:
        The KerasTuner tuner, one of `TUNERS`.

    Raises:
        ValueError: for a wrong argument, wrong data, a folder that holds anything else, or no trial that was completed.
        OSError: for a folder that cannot be written, or processes that end too often (`ChildProcessError`).
    """
    if tuner not in TUNERS:
        raise ValueError(f"There is no tuner {tuner!r}. Choose one of: {', '.join(TUNERS)}")
    if tuner == "bayesian" and not all(map(importlib.util.find_spec, ("scipy", "sklearn"))):
        raise ValueError("The tuner 'bayesian' needs SciPy and scikit-learn: pip install 'seqzoo[bayesian]'")
    for name, value in (("workers", workers), ("max_trials", max_trials)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {name}={value}")
    member = is_member()
    if workers > 1 and member:
        raise ValueError(f"The environment makes this process one of several already. Received: workers={workers}")
    preset = preset_named(preset) if isinstance(preset, str) else preset
    space = hypermodel_class(preset).whole_space(preset, space, fixed)
    plan = {
        "kind": type(preset).__name__,
        "preset": dataclasses.asdict(preset),
        "tuner": tuner,
        "max_trials": max_trials or _DEFAULT_TRIALS.get(tuner),
        "space": space,
        "seed": seed,
        **data_plan(preset, data, validation_data),
    }
    hypermodel = _hypermodel(plan)
    with planned_folder(output, _PLAN, plan, resume, shared=member) as folder:
        if workers > 1:
            supervise(folder, workers, report=verbose != 0)
        found = _tuner(plan, hypermodel, folder, report=verbose != 0)
        with _silence() if member else contextlib.nullcontext():
            found.search(verbose=verbose, callbacks=_callbacks(found))
        if not is_worker():
            write_results(found, folder)
    return found


def run_planned(folder, report):
    """Runs the trials of the search that a folder plans, as the chief or the worker that the environment names."""
    plan = json.loads(pathlib.Path(folder, _PLAN).read_text("utf-8"))
    tuner = _tuner(plan, _hypermodel(plan), folder, report)
    with _silence():
        tuner.search(verbose=0, callbacks=_callbacks(tuner))


def hypermodel_class(preset):
    """The `RecipeHyperModel` for a preset, the class."""
    return LanguageHyperModel if isinstance(preset, TextPreset) else Seq2SeqHyperModel


def _hypermodel(plan):
    preset = _KINDS[plan["kind"]](**plan["preset"])
    choose_threads(preset.hidden_dim)
    training, validation, preprocessor = preset.training_data(plan["data"], plan["validation_data"], plan["seed"])
    if plan["data"] is None and isinstance(preset, Preset):
        # What is validated on so far are the test sums, which a search may not see.
        training, validation = hold_out(training, plan["seed"])
    return hypermodel_class(preset)(preset, training, validation, preprocessor, space=plan["space"], seed=plan["seed"])


def _tuner(plan, hypermodel, folder, report):
    options = {"max_epochs": hypermodel.preset.epochs} if plan["tuner"] == "hyperband" else {}
    with contextlib.redirect_stdout(sys.stderr):  # KerasTuner says that it reloads.
        tuner = TUNERS[plan["tuner"]](
            hypermodel,
            hypermodel.objective,
            max_trials=plan["max_trials"],
            seed=plan["seed"],
            directory=str(folder),
            project_name="trials",
            **options,
        )
    if report:
        tuner.on_trial = functools.partial(_report, tuner)
    return tuner


def _report(tuner, trial, facts):
    space = tuner.hypermodel.space
    values = tuner.hypermodel.values(trial.hyperparameters).items()
    values = ", ".join(f"{name}={value}" for name, value in values if len(space[name]) > 1)
    result = facts["error"] or f"{tuner.oracle.objective.name} {tuner.best_of(facts['curve']):.4f}"
    stopped = ", stopped for want of hope" if facts["stopped"] else ""
    effort = f"{len(facts['curve'])} epochs{stopped}, {facts['cpu_seconds']:.0f} s of CPU time"
    print(f"trial {trial.trial_id}: {result} after {effort}; {values}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _silence():
    # KerasTuner 1.4.8 prints the value of a condition whenever it sends one; side by side, progress bars are no use.
    with open(os.devnull, "w", encoding="utf-8") as nothing, contextlib.redirect_stdout(nothing):
        yield


def _callbacks(tuner):
    # KerasTuner gives it a folder a trial, and adds the hyperparameters.
    return [keras.callbacks.TensorBoard(tuner.tensorboard_folder, write_graph=False)]
