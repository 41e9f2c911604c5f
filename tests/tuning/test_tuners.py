"""The tuners: trials that fail, are pruned, are drawn or handed out twice; spaces that are too small."""

import errno
import json

import pytest
import tensorflow as tf

from seqzoo.tuning import tuners


def test_bayesian_search_tries_nothing_twice(small_search, scored_at_once):
    small_search(tuner="bayesian", max_trials=10)
    tried = [(row["hidden_dim"], row["learning_rate"]) for row in small_search.rows()]
    assert len(set(tried)) == len(tried) == 6


def test_grid_begins_with_the_recipes_own_values(small, small_search, scored_at_once):
    own = small.search_recipe(hidden_dim=8, learning_rate=0.1)
    small_search(recipe=own, tuner="grid", max_trials=None)
    tried = [(int(row["hidden_dim"]), float(row["learning_rate"])) for row in small_search.rows()]
    assert tried[0] == (8, 0.1)
    assert sorted(tried) == [(size, rate) for size in (4, 8, 12) for rate in (0.03, 0.1)]


def test_trial_that_two_workers_had_is_one_trial(small_search, scored_at_once):
    """As where a chief was started again while a worker trained."""
    tuner, _ = small_search(max_trials=2)
    oracle = tuner.oracle
    first = oracle.trials["0"]
    oracle.ongoing_trials["worker1"] = first
    oracle.end_trial(first)
    assert oracle.end_order == ["0", "1"]
    assert oracle.ongoing_trials == {}


def test_failed_trial_is_recorded_and_the_search_continues(small_search):
    space = {"learning_rate": [1e38, 0.03, 0.1]}
    fixed = {**small_search.fixed, "hidden_dim": 4}
    _, folder = small_search(tuner="grid", fixed=fixed, space=space, max_trials=None)
    failed, *_ = table = small_search.rows()
    assert [row["status"] for row in table] == ["failed", "completed", "completed"]
    assert "ValueError: Training diverged" in failed["error"]
    assert failed["val_loss"] == ""
    assert json.loads((folder / "best.json").read_text())["trial"] != failed["trial"]


def test_trial_below_the_median_is_pruned(small_search):
    space = {"learning_rate": [0.03, 0.05, 0.1, 30.0]}
    small_search(tuner="grid", space=space, fixed={**small_search.fixed, "hidden_dim": 8}, max_trials=None)
    ended = [(row["status"], row["epochs"]) for row in small_search.rows()]
    assert ended == [("completed", "3")] * 3 + [("pruned", "2")]


def test_random_search_tries_all_of_a_small_space(small_search, scored_at_once):
    small_search(tuner="random", max_trials=6, seed=3)
    tried = {(row["hidden_dim"], row["learning_rate"]) for row in small_search.rows()}
    assert len(tried) == 6


def test_space_too_small_for_hyperband_is_refused_before_anything_is_written(small, small_search):
    recipe = small.search_recipe(epochs=12)
    with pytest.raises(
        ValueError, match=r"Hyperband of 12 epochs begins with 12 different trials, and the space has 6:"
    ):
        small_search(recipe=recipe, tuner="hyperband", max_trials=None)
    assert not (small_search.folder / "search").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "checkpoint; No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_full_disk_ends_the_search_and_fails_no_trial(small_search, scored_at_once, monkeypatch, error):
    def fail(*_, **__):
        raise error

    with monkeypatch.context() as full:
        full.setattr(tuners._RecordingTuner, "run_trial", fail)
        with pytest.raises(type(error), match="No space left"):
            small_search(max_trials=2)
    small_search(max_trials=2, resume=True)
    assert [row["status"] for row in small_search.rows()] == ["completed"] * 2


def test_greatest_seed_is_one_for_every_tuner(small_search, scored_at_once):
    for tuner in ("random", "bayesian"):
        small_search(tuner, tuner=tuner, max_trials=1, seed=2**32 - 1)
        assert len(small_search.rows(tuner)) == 1
