"""`seqzoo build` and `seqzoo figure`."""

import csv
import dataclasses
import json

import pytest

from seqzoo import export
from seqzoo.training import RECIPES


@pytest.fixture(autouse=True)
def small_baseline(monkeypatch):
    """The recipe of pairs without a choice is a small one."""
    sizes = {"hidden_dim": 8, "embedding_dim": 4, "cell": "simple_rnn"}
    small = dataclasses.replace(RECIPES["pairs_baseline"], **sizes, epochs=1, batch_size=20)
    monkeypatch.setitem(RECIPES, "pairs_baseline", small)


def test_build_passes_on_what_it_is_told(run, sums_file, tmp_path, monkeypatch):
    calls = []

    def build(recipe, output, **options):
        calls.append((recipe.name, output, options["data"], options["seed"]))
        return {"held_out": {"exact_match": 0.5}}

    monkeypatch.setattr(export, "build", build)
    options = ["pairs_baseline", "--data", sums_file, "--output", tmp_path / "made", "--seed", 3, "--no-xla", "--json"]
    status, output, errors = run("build", *options)
    assert (status, json.loads(output)) == (0, {"held_out": {"exact_match": 0.5}}), errors
    assert calls == [("pairs_baseline", str(tmp_path / "made"), str(sums_file), 3)]


@pytest.mark.slow(minutes=1)
def test_build_makes_a_card(run, sums_file, tmp_path):
    made = tmp_path / "made"
    options = ["pairs_baseline", "--data", sums_file, "--output", made, "--no-xla"]
    status, output, _ = run("build", *options, "--json")
    assert status == 0
    assert json.loads(output) == json.loads((made / "card.json").read_text("utf-8"))
    status, output, errors = run("build", *options)
    assert (status, output) == (2, "")
    assert "already holds another run" in errors


@pytest.mark.slow(minutes=1)
def test_build_that_is_whole_is_exported_again_when_it_is_resumed(run, sums_file, tmp_path):
    options = ["pairs_baseline", "--data", sums_file, "--output", tmp_path / "made", "--no-xla"]
    for more in ([], ["--resume"]):
        status, output, _ = run("build", *options, *more)
        assert status == 0
        assert f"card          {tmp_path}/made/card.md" in output


@pytest.mark.slow(minutes=1)
def test_figure_draws_three_curves(run, sums_file, tmp_path):
    options = ["--data", sums_file, "--epochs", 1, "--no-xla"]
    status, output, _ = run("figure", "--output", tmp_path / "figure", *options)
    assert status == 0
    assert "Reverse + Peeky" in output
    with open(tmp_path / "figure/curves.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["epoch"]) for row in rows] == [
        ("baseline", "1"),
        ("Reverse", "1"),
        ("Reverse + Peeky", "1"),
    ]
    assert all(0 <= float(row["exact_match"]) <= 1 for row in rows)
    assert (tmp_path / "figure/curves.png").read_bytes().startswith(b"\x89PNG")
