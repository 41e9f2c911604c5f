"""Results of searches in which trials were pruned or failed."""

import os

import pytest


def test_search_in_which_every_trial_fails_is_an_error_and_leaves_its_table(small_search):
    diverging = {"fixed": {**small_search.fixed, "learning_rate": 1e38}, "space": {"hidden_dim": [4, 8]}}
    with pytest.raises(ValueError, match=r"None of the 2 trials was completed; the first one failed: .*diverged"):
        small_search(tuner="grid", max_trials=None, **diverging)
    assert [row["status"] for row in small_search.rows()] == ["failed", "failed"]
    assert sorted(os.listdir(small_search.folder / "search")) == ["search.json", "trials", "trials.csv"]
