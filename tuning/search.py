"""A whole search: the data, the trials in one process or several, and a folder with the results."""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import pathlib
import sys

import keras

from seqzoo.io.files import read_json, remove_leftovers
from seqzoo.io.run_manifest import data_manifest, run_folder
from seqzoo.runtime import choose_threads
from seqzoo.training import ImageRecipe, PairRecipe, TextRecipe
from seqzoo.training import recipe as recipe_by_name
from seqzoo.tuning.hypermodels import ImageHyperModel, LanguageHyperModel, Seq2SeqHyperModel
from seqzoo.tuning.results import RESULTS, write_results
from seqzoo.tuning.tuners import TUNERS
from seqzoo.tuning.workers import check_chief, is_member, is_worker, supervise

_DEFAULT_TRIALS = {"random": 10, "bayesian": 10}
_HYPERMODELS = {PairRecipe: Seq2SeqHyperModel, ImageRecipe: ImageHyperModel, TextRecipe: LanguageHyperModel}
_MANIFEST = "search.json"


def search(
    recipe,
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
    compile_options=None,
):
    """Searches a recipe's hyperparameters and writes what it found to a folder.

    With one process the same seed leads to the same trials and scores on one kind of machine, also where the search
    was killed and resumed. Where `KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` are set,
    this process is the chief or a worker of a search over several machines, whose folder they share; the chief writes
    the results.

    Args:
        recipe: `PairRecipe`, `ImageRecipe`, `TextRecipe` or a recipe's name. Each trial trains it for its `epochs`;
            Hyperband at most.
        output: folder, new or empty, or with `resume` that of the search. Gets `search.json` (what is searched),
            `trials.csv`, `trials.png`, `best.json`, `model.keras` (the best trial's best epoch) and `trials/`
            (KerasTuner's state, and `tensorboard/` with HParams).
        tuner: `"random"`, `"grid"`, `"bayesian"` or `"hyperband"`.
        max_trials: int; `None` for 10, and for the whole grid or all of Hyperband.
        data: see the recipe's `search_data`: test rows stay unseen.
        validation_data: see the recipe's `training_data`.
        space: dictionary from a hyperparameter's name to the values to choose from; see `RecipeHyperModel`.
        fixed: dictionary from a hyperparameter's name to its value.
        seed: int.
        workers: int, processes that run trials side by side on this machine, which share its cores.
        resume: bool, whether to continue the search in the folder.
        verbose: see `keras.Model.fit`; 0 for silence.
        compile_options: see `seqzoo.training.train`.

    Returns:
        The KerasTuner tuner, one of `TUNERS`.

    Raises:
        ValueError: for a wrong argument, wrong data, a folder that holds anything else, a space that is too small for
            Hyperband, or no trial that was completed.
        OSError: where a chief cannot listen at its address, or a disk is full; what is mended continues with `resume`.
        KeyboardInterrupt: after Ctrl-C, saying what is kept.
    """
    if tuner not in TUNERS:
        raise ValueError(f"There is no tuner {tuner!r}. Choose one of: {', '.join(TUNERS)}")
    if tuner == "bayesian" and not all(map(importlib.util.find_spec, ("scipy", "sklearn"))):
        raise ValueError("The tuner 'bayesian' needs SciPy and scikit-learn: pip install 'seqzoo[bayesian]'")
    for name, value in (("workers", workers), ("max_trials", max_trials)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {name}={value}")
    member = is_member()
    check_chief()
    if workers > 1 and member:
        raise ValueError(f"The environment makes this process one of several already. Received: workers={workers}")
    recipe = recipe_by_name(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe.for_data(data)
    recipe.check_data(data, validation_data)
    space = hypermodel_class(recipe).whole_space(recipe, space, fixed)
    manifest = {
        "kind": type(recipe).__name__,
        "recipe": dataclasses.asdict(recipe),
        "tuner": tuner,
        "max_trials": max_trials or _DEFAULT_TRIALS.get(tuner),
        "space": space,
        "seed": seed,
        "compile_options": compile_options or {},
        **data_manifest(recipe.data_facts() if data is None else {}, data, validation_data),
    }
    hypermodel = _hypermodel(manifest)
    with run_folder(output, _MANIFEST, manifest, resume, shared=member) as folder:
        if not member:
            _remove_leftovers(folder)
        try:
            if workers > 1:
                supervise(folder, workers, report=verbose != 0)
            found = _tuner(manifest, hypermodel, folder, report=verbose != 0)
            with _silence() if member else contextlib.nullcontext():
                found.search(verbose=verbose, callbacks=_callbacks(found))
            if not is_worker():
                write_results(found, folder)
        except KeyboardInterrupt:
            message = f"the trials that ended are kept in {folder}; continue with the same command and --resume"
            raise KeyboardInterrupt(message) from None
    return found


def run_member_of(folder, report):
    """Runs the trials of the search in a folder, as the chief or the worker that the environment names."""
    manifest = read_json(pathlib.Path(folder, _MANIFEST))
    tuner = _tuner(manifest, _hypermodel(manifest), folder, report)
    with _silence():
        tuner.search(verbose=0, callbacks=_callbacks(tuner))


def _remove_leftovers(folder):
    """Removes what killed processes of the search left half-written."""
    trials = folder / "trials"
    names = [folder / name for name in RESULTS] + [trials / name for name in ("oracle.json", "tuner.json")]
    names += [trial / name for trial in trials.glob("trial_*") for name in ("trial.json", "facts.json")]
    remove_leftovers(*names)


def hypermodel_class(recipe):
    """The `RecipeHyperModel` for a recipe, the class."""
    return _HYPERMODELS[type(recipe)]


def _hypermodel(manifest):
    (recipe_class,) = (kind for kind in _HYPERMODELS if kind.__name__ == manifest["kind"])
    recipe = recipe_class.from_config(manifest["recipe"])
    choose_threads(max(manifest["space"]["hidden_dim"]), recipe.shards)
    data = recipe.search_data(manifest["data"], manifest["validation_data"], manifest["seed"])
    hypermodel = _HYPERMODELS[recipe_class](
        recipe, *data, space=manifest["space"], seed=manifest["seed"], compile_options=manifest["compile_options"]
    )
    hypermodel.warns_of_failures = False  # The report of the trial and `trials.csv` have them.
    return hypermodel


def _tuner(manifest, hypermodel, folder, report):
    options = {"max_epochs": hypermodel.base_recipe.epochs} if manifest["tuner"] == "hyperband" else {}
    with contextlib.redirect_stdout(sys.stderr):  # KerasTuner says that it reloads.
        tuner = TUNERS[manifest["tuner"]](
            hypermodel,
            hypermodel.objective,
            max_trials=manifest["max_trials"],
            seed=manifest["seed"],
            directory=str(folder),
            project_name="trials",
            **options,
        )
    if report:
        tuner.on_trial = functools.partial(_report, tuner)
    return tuner


def _report(tuner, trial, facts):
    space = tuner.hypermodel.space
    counts = trial.hyperparameters.values  # A hyperparameter may not count here.
    values = tuner.hypermodel.values(trial.hyperparameters).items()
    values = ", ".join(f"{name}={value}" for name, value in values if len(space[name]) > 1 and name in counts)
    result = facts["error"] or f"{tuner.oracle.objective.name} {tuner.best_of(facts['curve']):.4f}"
    pruned = ", pruned" if facts["pruned"] else ""
    effort = f"{len(facts['curve'])} epochs{pruned}, {facts['cpu_seconds']:.0f} s of CPU time"
    print(f"trial {trial.trial_id}: {result} after {effort}; {values}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _silence():
    # KerasTuner 1.4.8 prints the value of a condition whenever it sends one; side by side, progress bars are no use.
    with open(os.devnull, "w", encoding="utf-8") as nothing, contextlib.redirect_stdout(nothing):
        yield


def _callbacks(tuner):
    # KerasTuner makes a folder for each trial, and adds the hyperparameters.
    return [keras.callbacks.TensorBoard(tuner.tensorboard_folder, write_graph=False)]
