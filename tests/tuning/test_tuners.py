"""The tuners: trials that fail, are pruned, are drawn or handed out twice."""

import json


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
