"""A card's figures: those of the model and the data that it describes, measured again here."""

import csv
import dataclasses
import hashlib
import json

import numpy as np
import pytest

from seqzoo.export import build
from seqzoo.export.cards.content import weights_sha256
from seqzoo.models import load
from seqzoo.pipelines import load_addition
from seqzoo.training import evaluate, recipe


def test_figures_are_those_of_all_sums_and_of_the_rows_held_out(built):
    folder, card = built
    model = load(folder / "model.keras")
    sums = [(f"{a}+{b}", str(a + b)) for a in range(100) for b in range(100)]
    answers = model.generate([source for source, _ in sums])
    wrong = [source for (source, target), answer in zip(sums, answers, strict=True) if answer != target]
    assert card["sums"]["errors"] == len(wrong) > 0
    assert card["sums"]["rows"] == 10_000
    assert [each["source"] for each in card["sums"]["wrong"]] == wrong[:500]
    assert card["held_out"]["exact_match"] == json.loads((folder / "training/metrics.json").read_text())["exact_match"]
    for name, each in card["litert"].items():
        assert each["rows"] == 10_000, name
        assert each["score"]["model"] == pytest.approx(1 - len(wrong) / 10_000)


def test_sums_are_grouped_by_digits_and_carries(built):
    _, card = built
    by_digits, by_carries = card["sums"]["by_digits"], card["sums"]["by_carries"]
    assert {name: group["rows"] for name, group in by_digits.items()} == {"1+1": 100, "1+2": 1_800, "2+2": 8_100}
    carries = [(a % 10 + b % 10 > 9) + (a + b > 99) for a in range(100) for b in range(100)]
    expected = {str(count): carries.count(count) for count in range(3)}
    assert {name: group["rows"] for name, group in by_carries.items()} == expected
    for groups in (by_digits, by_carries):
        assert sum(group["errors"] for group in groups.values()) == card["sums"]["errors"]


def test_longer_sums_are_answered_or_refused(built):
    _, card = built
    assert card["outside"]["rows"] == 1_000
    for wrong in card["outside"]["wrong"]:
        lengths = sorted(map(len, wrong["source"].split("+")))
        assert lengths == [1, 3]
    assert card["outside"]["longest"]["source"] == "100+100"
    assert "at most 5" in card["outside"]["longest"]["answer"]


def test_weights_curve_and_data_are_those_of_the_training(built):
    folder, card = built
    assert card["weights_sha256"] == weights_sha256(load(folder / "training/model.keras"))
    with open(folder / "training/history.csv", encoding="utf-8") as file:
        assert card["curve"] == [float(row["val_exact_match"]) for row in csv.DictReader(file)]
    for name, split in (("train", "train"), ("held_out", "test")):
        rows = list(load_addition(2, split).as_numpy_iterator())
        lines = b"".join(b"%s\t%s\n" % row for row in rows)
        assert card["data"][f"{name}_rows"] == len(rows)
        assert card["data"][f"{name}_sha256"] == hashlib.sha256(lines).hexdigest()


def test_signatures_are_those_of_the_exports(built):
    _, card = built
    assert sorted(card["signatures"]["saved_model"]) == ["ids", "score", "serving_default"]
    assert card["signatures"]["saved_model"]["serving_default"]["inputs"] == {"source": "string [batch]"}
    litert = ["batch_1", "decode_step", "encode", "serving_default", "vocabulary"]
    assert sorted(card["signatures"]["litert"]) == litert
    assert card["signatures"]["litert"]["serving_default"]["inputs"] == {"source": "int32 [batch, 5]"}
    assert card["signatures"]["litert"]["batch_1"]["outputs"]["answer"] == "int32 [1, 3]"


@pytest.mark.slow(minutes=1)
def test_pairs_that_look_like_sums_are_not_taken_for_them(tmp_path, small):
    file = tmp_path / "pairs.tsv"
    lines = [f"{a}{b}+\t{b}{a}\n" for a in range(10, 40) for b in (12, 99)] + ["99999+00001\t100000\n"]
    file.write_text("".join(lines), encoding="utf-8")
    pairs = dataclasses.replace(recipe("pairs_baseline"), hidden_dim=4, embedding_dim=4, epochs=1, batch_size=20)
    card = build(pairs, tmp_path / "made", file, verbose=0, compile_options=small.EAGERLY)
    assert "sums" not in card
    assert card["command"] is None
    assert "a variant of the recipe" in (tmp_path / "made/card.md").read_text("utf-8")


@pytest.mark.slow(minutes=1)
def test_text_of_ones_own_is_not_said_to_be_the_recipes(tmp_path, small):
    text = tmp_path / "text.txt"
    text.write_text(small.TEXT * 4, encoding="utf-8")
    options = {"hidden_dim": 8, "embedding_dim": 8, "num_layers": 1, "cell": "simple_rnn"}
    options |= {"window": 8, "batch_size": 4, "epochs": 1}
    shakespeare = dataclasses.replace(recipe("char_lstm_tiny_shakespeare"), steps_per_epoch=2, **options)
    card = build(shakespeare, tmp_path / "made", text, verbose=0, compile_options=small.EAGERLY)
    assert set(card["litert"]) == {"float32", "float16", "dynamic_int8"}
    page = (tmp_path / "made/card.md").read_text("utf-8")
    assert "Shakespeare's plays" not in page
    assert "nanoGPT" not in page
    assert "in the manner of the text text.txt" in page

    model = load(tmp_path / "made/model.keras")
    held_out = shakespeare.training_data(text)[1]
    assert card["held_out"]["nats_per_token"] == pytest.approx(evaluate(model, held_out)["nats_per_token"])
    excerpt = card["excerpt"]
    assert excerpt["nats_per_token"] == pytest.approx(evaluate(model, excerpt["text"])["nats_per_token"])
    assert f"**{card['held_out']['nats_per_token']:.4f}**" in page
    assert np.isfinite(card["curve"]).all()
