"""`seqzoo tune`, and `seqzoo train --config` with what it found."""

import json

import pytest

from seqzoo import models


def tune_a_small_model(run, pair_file, folder, *options):
    """The output of a search of one trial."""
    attention = ["--fix", "model=AttentionSeq2Seq", "--lower-case"]
    small = ["--fix", "cell=simple_rnn", "--fix", "num-layers=1", "--fix", "embedding_dim=4", "--fix", "batch_size=16"]
    status, output, errors = run(
        "tune", "pairs_baseline", "--data", pair_file, "--output", folder, "--epochs", 1, "--no-xla",
        "--max-trials", 1, *small, *attention, "--fix", "reverse=true", "--space", "hidden_dim=4,8", *options,
    )  # fmt: skip
    assert status == 0, errors
    return output


@pytest.mark.slow(minutes=1)
def test_tune_exports_the_best_model(run, pair_file, tmp_path):
    output = tune_a_small_model(run, pair_file, tmp_path / "search", "--export")
    assert f"exported to   {tmp_path}/search/saved_model/1" in output


def test_tune_prints_its_trials_and_leaves_a_model_and_a_recipe(run, pair_file, tmp_path):
    output = tune_a_small_model(run, pair_file, tmp_path / "search")
    header, trial, best, *_ = output.splitlines()
    columns = header.split()
    assert columns[:7] == [
        "trial", "status", "val_exact_match", "best_epoch", "epochs", "parameters", "cpu_seconds",
    ]  # fmt: skip
    assert "hidden_dim" in columns
    assert "reverse" not in columns
    assert trial.split()[:2] == ["0", "completed"]
    assert best.startswith("best          trial 0: val_exact_match 0.")
    model = models.load(tmp_path / "search/model.keras")
    assert isinstance(model, models.AttentionSeq2Seq)
    assert model.preprocessor.reverse
    assert model.preprocessor.source_vocabulary.lower_case

    found = tmp_path / "search/best.json"
    status, output, _ = run(
        "train", "pairs_baseline", "--config", found, "--data", pair_file, "--output", tmp_path / "run", "--no-xla",
        "--json",
    )  # fmt: skip
    assert status == 0
    recipe = json.loads(output)["recipe"]
    assert recipe == {"name": "pairs_baseline", **json.loads(found.read_text())["recipe"]}
    assert (recipe["model"], recipe["lower_case"]) == ("AttentionSeq2Seq", True)
    assert isinstance(models.load(tmp_path / "run/model.keras"), models.AttentionSeq2Seq)
    status, _, errors = run("train", "pairs_peeky_reverse", "--config", found, "--output", tmp_path / "other")
    assert (status, errors) == (
        2,
        f"error: {found} is the result of a search over pairs_baseline, not over pairs_peeky_reverse\n",
    )
    status, _, errors = run("train", "pairs_baseline", "--config", pair_file, "--output", tmp_path / "other")
    assert status == 2
    assert errors.startswith(f"error: {pair_file} is not the best.json of a search: ")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tuner", "annealing"], "argument --tuner: invalid choice: 'annealing'"),
        (["--workers", "0"], "argument --workers: must be a whole number from 1 to"),
        (["--fix", "reverse"], "argument --fix: must be NAME=VALUE, not 'reverse'"),
        (["--fix", "reverse=maybe"], "reverse must be true or false. Received: 'maybe'"),
        (["--space", "hidden_dim=64,many"], "hidden_dim must be a whole number. Received: 'many'"),
        (["--space", "size=1"], "There is no hyperparameter 'size'. Choose among: hidden_dim, "),
        (
            ["--space", "hidden-dim=4,8", "--fix", "hidden-dim=4"],
            "hidden_dim is both fixed, to 4, and searched, over [4, 8]",
        ),
        (["--resume"], "{output} holds no search to resume: leave out --resume, or name the search's folder"),
    ],
)
def test_wrong_tune_options_are_one_error_line_and_leave_nothing(run, pair_file, tmp_path, options, message):
    folder = tmp_path / "search"
    status, output, errors = run("tune", "pairs_baseline", "--data", pair_file, "--output", folder, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: " + message.format(output=folder))
    assert not folder.exists()
