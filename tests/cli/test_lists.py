"""`seqzoo presets` lists what ships trained, `seqzoo recipes` how models are trained."""

import json

from seqzoo import models
from seqzoo.training import RECIPES


def rows_of(output):
    """The rows of a printed table as dictionaries."""
    header, *rows = (line.split() for line in output.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_presets_are_those_that_ship_with_their_cards_figures(run):
    status, output, _ = run("presets", "--json")
    assert status == 0
    rows = {row["name"]: row for row in json.loads(output)["presets"]}
    assert list(rows) == models.presets()
    for name, row in rows.items():
        card = models.card(name)
        assert row["parameters"] == card["parameters"]
        assert row["exact_match"] == card["held_out"].get("exact_match")
        assert row["nats_per_token"] == card["held_out"].get("nats_per_token")
        assert row["data"] == card["data"]["name"]
    assert rows["addition_reverse"]["errors"] == models.card("addition_reverse")["sums"]["errors"]
    assert rows["addition_5_digits"]["errors"] is None  # Of the sums held out, not of all.
    assert rows["char_lstm_pydoc"]["exact_match"] is None


def test_presets_as_a_table(run):
    status, output, _ = run("presets")
    assert status == 0
    rows = rows_of(output)
    assert [row["name"] for row in rows] == models.presets()
    (row,) = (row for row in rows if row["name"] == "addition_reverse")
    assert (row["parameters"], row["data"], row["errors"], row["nats_per_token"]) == (
        "150573", "addition/digits_3", "0", "–",
    )  # fmt: skip


def test_recipes_have_the_fields_of_their_class_and_what_they_train_on(run):
    status, output, _ = run("recipes", "--json")
    assert status == 0
    rows = {row["name"]: row for row in json.loads(output)["recipes"]}
    assert list(rows) == list(RECIPES)
    assert rows["addition_reverse"]["data"] == "addition/digits_3"
    assert rows["addition_reverse"]["dataset"] == {
        "digits": 3, "commute": True, "short_sums": 3, "fresh": False,
    }  # fmt: skip
    assert rows["addition_reverse"]["parameters"] == 150_573
    assert rows["addition_reverse"]["command"] == "seqzoo train addition_reverse --output DIR"
    assert rows["pairs_baseline"]["data"] == "--data FILE"
    assert rows["pairs_baseline"]["parameters"] is None
    assert rows["word_lstm"]["command"] == "seqzoo train word_lstm --output DIR --data FILE"


def test_recipes_as_a_table(run):
    status, output, _ = run("recipes")
    assert status == 0
    lines = {line.split()[0]: line for line in output.splitlines()}
    assert list(lines) == ["name", *RECIPES]
    assert lines["addition_reverse"].split() == [
        "addition_reverse", "Seq2Seq", "addition/digits_3", "lstm", "128", "1", "150573", "30",
    ]  # fmt: skip
    assert "--data FILE" in lines["pairs_baseline"]
