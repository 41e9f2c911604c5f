"""KerasTuner's four tuners, made to resume after any kill, to repeat, and to record what each trial took."""

import json
import math
import pathlib
import shutil
import statistics
import time
import traceback

import keras_tuner

from seqzoo.io.files import write_json

_PRUNE_AFTER = 1 / 3  # of the epochs
_PRUNE_AMONG = 3  # other trials
_PAUSE = 0.2  # seconds
_MAX_COLLISIONS = 1_000  # Draws of what was tried before, one after the other, that end a search.
_ANY = {"max_consecutive_failed_trials": None}  # However many trials fail, the next may not.


class _ExactOracle:
    """An oracle whose saved state is whole after a kill at any moment, and leads to the same trials."""

    def save(self):
        """Saves the state, renamed into place."""
        write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial):
        write_json(pathlib.Path(self._get_trial_dir(trial.trial_id), "trial.json"), trial.get_state())

    def set_state(self, state):
        """Takes a saved state; a trial that it does not know, or that had not ended, begins anew."""
        # A trial counts as ongoing until after the state was saved that has it among the ended ones.
        ongoing = {name: trial for name, trial in state["ongoing_trials"].items() if trial not in state["end_order"]}
        super().set_state({**state, "ongoing_trials": ongoing})
        self.trials = {trial_id: self.trials[trial_id] for trial_id in self.start_order}

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        """The next trial, or one that was given before and did not end; what that run reported goes."""
        trial = super().create_trial(tuner_id)
        trial.metrics = type(trial.metrics)()
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial):
        """Ends a trial, its values as they were drawn: from a worker they come back in single precision."""
        # After a chief was started again, two workers may have had the same trial.
        if trial.trial_id in self.end_order:
            for name in [name for name, each in self.ongoing_trials.items() if each.trial_id == trial.trial_id]:
                del self.ongoing_trials[name]
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        trial.hyperparameters = self.trials[trial.trial_id].hyperparameters
        super().end_trial(trial)


class RandomSearchOracle(_ExactOracle, keras_tuner.oracles.RandomSearchOracle):
    """See `keras_tuner.oracles.RandomSearchOracle`."""


class HyperbandOracle(_ExactOracle, keras_tuner.oracles.HyperbandOracle):
    """See `keras_tuner.oracles.HyperbandOracle`."""

    def trials_of_first_bracket(self):
        """How many trials begin in the first bracket, of which the best are trained on."""
        return self._get_size(self._get_num_brackets() - 1, round_num=0)


class GridSearchOracle(_ExactOracle, keras_tuner.oracles.GridSearchOracle):
    """See `keras_tuner.oracles.GridSearchOracle`, whose own state lacks the order of the trials."""

    def get_state(self):
        """The state, with the order of the trials in the grid."""
        ordered, trial_id = [], next(iter(self.start_order), None)
        while trial_id is not None:
            ordered.append(trial_id)
            trial_id = self._ordered_ids.next(trial_id)
        return {**super().get_state(), "ordered_ids": ordered, "populate_next": self._populate_next}

    def set_state(self, state):
        """Takes a saved state."""
        super().set_state(state)
        for trial_id in state["ordered_ids"]:
            self._ordered_ids.insert(trial_id)
        # A trial is entered here after the state was saved; one that is entered twice is passed over.
        self._populate_next = state["populate_next"] + self.end_order


class BayesianOptimizationOracle(_ExactOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """See `keras_tuner.oracles.BayesianOptimizationOracle`, whose own state does not have its random numbers.

    Where the model of the scores proposes what was tried before, a random proposal takes its place.
    """

    def populate_space(self, trial_id):
        """Proposes the values of a trial."""
        response = super().populate_space(trial_id)
        tried = response["status"] == "RUNNING" and self._duplicate(response["values"])
        return self._random_populate_space() if tried else response

    def get_state(self):
        """The state, with that of the random numbers."""
        name, keys, position, *_ = self._random_state.get_state()
        return {**super().get_state(), "random_state": [name, keys.tolist(), position]}

    def set_state(self, state):
        """Takes a saved state."""
        super().set_state(state)
        self._random_state.set_state(state["random_state"])


class _RecordingTuner:
    """A tuner that records the facts of each trial, and prunes trials below the median.

    The `objective` of its subclasses may also be the name of a metric of the hypermodel's models, such as
    `"val_exact_match"`; `None` is for the hypermodel's own.

    With `prune`, a trial ends if, after a third of its epochs or later, its best score is worse than the median of the
    best scores that three or more other trials had at the same epoch. (The median stopping rule of Golovin et al. 2017,
    Google Vizier, https://doi.org/10.1145/3097983.3098043, compares with running averages; exact match stays at 0 for
    long.) `on_trial` is called with a trial and its facts when it has ended, if it is not `None`.
    """

    def __init__(self, oracle, hypermodel, prune=True, **kwargs):
        self.prune = prune
        self.on_trial = None
        oracle.verbose = 0  # Its display fails on a resumed trial.
        oracle._max_collisions = _MAX_COLLISIONS  # KerasTuner's 20 leave part of a small space untried.
        self._verbose = "auto"
        keras_tuner.Tuner.__init__(self, oracle, hypermodel, **kwargs)

    def _populate_initial_space(self):
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.oracle.update_space(hp)

    def save(self):
        """Saves this tuner's state and, but in a worker, the oracle's."""
        if not self._is_worker():
            self.oracle.save()
        write_json(self._get_tuner_fname(), self.get_state())

    def search(self, *fit_args, verbose="auto", **fit_kwargs):
        """Runs the trials, or those that remain; see `keras_tuner.Tuner.search`."""
        self._verbose = verbose
        super().search(*fit_args, **fit_kwargs)

    def run_trial(self, trial, *fit_args, **fit_kwargs):
        """Runs one trial."""
        return super().run_trial(trial, *fit_args, verbose=self._verbose, **fit_kwargs)

    def pre_create_trial(self):
        """Has a worker wait where it may have to ask often, for lack of a trial that can be drawn already."""
        if self._is_worker():
            time.sleep(_PAUSE)

    def _try_run_and_update_trial(self, trial, *fit_args, **fit_kwargs):
        # KerasTuner's own prints a traceback.
        try:
            self._run_and_update_trial(trial, *fit_args, **fit_kwargs)
            trial.status = "COMPLETED"
        except (keras_tuner.errors.FatalError, OSError):  # A full disk, for one: the trial goes on when it is mended.
            raise
        except Exception as error:  # Whatever it was, the next trial may do better.
            if "No space left" in str(error):  # TensorFlow's own error.
                raise
            trial.status, trial.message = "FAILED", traceback.format_exc()
            self._facts["error"] = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"

    def on_trial_begin(self, trial):
        """Starts a trial's facts; what an earlier, killed run of it has logged goes."""
        self._facts = {"parameters": None, "curve": [], "pruned": False, "error": None}
        self._started = time.process_time(), time.monotonic()
        shutil.rmtree(self.tensorboard_folder / trial.trial_id, ignore_errors=True)

    def on_epoch_end(self, trial, model, epoch, logs=None):
        """Records the epoch's score, and prunes the trial if it should be."""
        self._facts["parameters"] = model.count_params()
        self._facts["curve"].append(float(self.oracle.objective.get_value(logs)))
        if self.prune and self._should_prune(trial):
            self._facts["pruned"] = model.stop_training = True

    def on_trial_end(self, trial):
        """Writes the facts, ends the trial and reports."""
        cpu, wall = self._started
        self._facts |= {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.monotonic() - wall}
        write_json(pathlib.Path(self.get_trial_dir(trial.trial_id), "facts.json"), self._facts)
        super().on_trial_end(trial)
        if self.on_trial:
            self.on_trial(self.oracle.get_trial(trial.trial_id), self._facts)

    @property
    def tensorboard_folder(self):
        """Where the logs are that TensorBoard shows, a folder a trial."""
        return pathlib.Path(self.project_dir, "tensorboard")

    def facts(self):
        """What is known of the trials that have ended: a dictionary from their ids to dictionaries.

        Each has `parameters`, `curve` (the score after each epoch), `pruned`, `error`,
        `cpu_seconds` and `wall_seconds`.
        """
        files = pathlib.Path(self.project_dir).glob("trial_*/facts.json")
        return {path.parent.name.removeprefix("trial_"): json.loads(path.read_text("utf-8")) for path in sorted(files)}

    def best_of(self, scores):
        """The best of some values of the objective."""
        return max(scores) if self.oracle.objective.direction == "max" else min(scores)

    def _get_tuner_fname(self):
        # The same for one process and for a chief, so that either continues where the other was.
        return str(pathlib.Path(self.project_dir, "tuner.json"))

    def _should_prune(self, trial):
        curve = self._facts["curve"]
        epochs = self.hypermodel.recipe(trial.hyperparameters).epochs
        if not _PRUNE_AFTER * epochs <= len(curve) < epochs:
            return False
        others = [
            self.best_of(facts["curve"][: len(curve)])
            for trial_id, facts in self.facts().items()
            if trial_id != trial.trial_id and len(facts["curve"]) >= len(curve) and not facts["error"]
        ]
        if len(others) < _PRUNE_AMONG:
            return False
        return self.oracle.objective.better_than(statistics.median(others), self.best_of(curve))


class RandomSearch(_RecordingTuner, keras_tuner.RandomSearch):
    """`keras_tuner.RandomSearch`, recording."""

    def __init__(self, hypermodel, objective=None, max_trials=10, seed=0, **kwargs):
        super().__init__(
            RandomSearchOracle(hypermodel.as_objective(objective), max_trials, seed=_oracle_seed(seed), **_ANY),
            hypermodel,
            **kwargs,
        )


class GridSearch(_RecordingTuner, keras_tuner.GridSearch):
    """`keras_tuner.GridSearch`, recording and resuming; it begins with the recipe's own values."""

    def __init__(self, hypermodel, objective=None, max_trials=None, seed=0, **kwargs):
        super().__init__(
            GridSearchOracle(hypermodel.as_objective(objective), max_trials, _oracle_seed(seed), **_ANY),
            hypermodel,
            **kwargs,
        )


class BayesianOptimization(_RecordingTuner, keras_tuner.BayesianOptimization):
    """`keras_tuner.BayesianOptimization`, recording; a quarter of the trials are drawn before it models the scores."""

    def __init__(self, hypermodel, objective=None, max_trials=10, seed=0, **kwargs):
        oracle = BayesianOptimizationOracle(
            hypermodel.as_objective(objective),
            max_trials,
            num_initial_points=max(2, max_trials // 4),
            seed=_oracle_seed(seed),
            **_ANY,
        )
        super().__init__(oracle, hypermodel, **kwargs)


class Hyperband(_RecordingTuner, keras_tuner.Hyperband):
    """`keras_tuner.Hyperband`, recording; it ends trials by its own rule.

    Raises:
        ValueError: for a space with fewer trials than the first bracket begins with: none would be trained on.
    """

    def __init__(self, hypermodel, objective=None, max_trials=None, max_epochs=100, seed=0, **kwargs):
        oracle = HyperbandOracle(hypermodel.as_objective(objective), max_epochs, seed=_oracle_seed(seed), **_ANY)
        trials, first = math.prod(map(len, hypermodel.space.values())), oracle.trials_of_first_bracket()
        if trials < first:
            raise ValueError(
                f"Hyperband of {max_epochs} epochs begins with {first} different trials, and the space has {trials}: "
                "list more values, train for fewer epochs, or choose another tuner, such as 'grid'"
            )
        oracle.max_trials = max_trials
        super().__init__(oracle, hypermodel, prune=False, **kwargs)


TUNERS = {"random": RandomSearch, "grid": GridSearch, "bayesian": BayesianOptimization, "hyperband": Hyperband}


def _oracle_seed(seed):
    return (seed + 1) % 2**32 or 1  # KerasTuner takes 0 for none; NumPy's seeds are of 32 bits.
