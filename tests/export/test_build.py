"""What `build` makes of a preset: training, exports, figures, card."""

import dataclasses
import json
import os
import pathlib
import sys

import numpy as np
import pytest

from seqzoo.export import build
from seqzoo.models import PRESETS, evaluate, load, preset

PRESET = preset("addition_peeky_reverse")
MADE = {"training", "model.keras", "model.tflite", "1", "curve.png", "card.md", "card.json"}


def sums_preset(**options):
    """Sums of up to two digits, learnt for an epoch or two."""
    small = {"digits": 2, "hidden_dim": 12, "embedding_dim": 4, "epochs": 2, "batch_size": 500}
    return dataclasses.replace(PRESET, **{**small, **options})


@pytest.fixture(scope="module")
def shipped_is_small():
    """The small preset stands for the one of its name, so that its card gives the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "addition_peeky_reverse", sums_preset())
        yield


@pytest.fixture(scope="module")
def built(shipped_is_small, tmp_path_factory):
    """`(folder, card)` of a model of sums, trained with XLA: without it the last bits would differ."""
    folder = tmp_path_factory.mktemp("build") / "sums"
    return folder, build(sums_preset(), folder, verbose=0)


def test_folder_holds_what_ships_and_the_training(built):
    folder, card = built
    assert set(os.listdir(folder)) == MADE
    assert json.loads((folder / "card.json").read_text("utf-8")) == card
    assert set(card["bytes"]) >= {"model.keras", "model.tflite", "curve.png", "1/saved_model.pb"}
    assert all((folder / name).stat().st_size == size for name, size in card["bytes"].items())


def test_model_ships_without_its_optimizer(built):
    folder, _ = built
    assert load(folder / "training/model.keras").compiled
    assert not load(folder / "model.keras").compiled
    assert (folder / "model.keras").stat().st_size < (folder / "training/model.keras").stat().st_size / 1.5


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


def test_longer_sums_are_asked_or_refused(built):
    _, card = built
    assert card["outside"]["rows"] == 1_000
    for wrong in card["outside"]["wrong"]:
        lengths = sorted(map(len, wrong["source"].split("+")))
        assert lengths == [1, 3]
    assert card["outside"]["longest"]["source"] == "100+100"
    assert "at most 5" in card["outside"]["longest"]["answer"]


def test_page_says_what_the_card_holds(built):
    folder, card = built
    page = (folder / "card.md").read_text("utf-8")
    for text in (
        "`seqzoo build addition_peeky_reverse --output DIR`",
        f"**{card['sums']['errors']:,} wrong answers**",
        card["weights_sha256"],
        card["data"]["train_sha256"],
        "4,000 rows to train on, 500 held out",
        "| `serving_default` | `source` string [batch] |",
        "(curve.png)",
    ):
        assert text in page


def test_same_command_gives_the_same_weights_and_no_path_of_this_machine(built, tmp_path):
    folder, card = built
    again = build(sums_preset(), tmp_path / "again", verbose=0)
    assert again["weights_sha256"] == card["weights_sha256"]
    assert [weight.tobytes() for weight in load(tmp_path / "again/model.keras").get_weights()] == [
        weight.tobytes() for weight in load(folder / "model.keras").get_weights()
    ]
    for file in (tmp_path / "again").rglob("*"):
        if file.is_file() and "training" not in file.parts:
            assert str(tmp_path).encode() not in file.read_bytes(), file


def test_build_that_was_cut_off_goes_on_without_training_again(without_xla, tmp_path, monkeypatch):
    folder = tmp_path / "sums"
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["seqzoo.export.build"], "make_card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(sums_preset(), folder, verbose=0)
    assert os.listdir(folder) == ["training"]
    (folder / ".build-killed").mkdir()
    monkeypatch.setattr("seqzoo.training.run.fit", lambda *_, **__: 1 / 0)
    card = build(sums_preset(), folder, verbose=0, resume=True)
    assert set(os.listdir(folder)) == MADE
    assert build(sums_preset(), folder, verbose=0, resume=True)["weights_sha256"] == card["weights_sha256"]
    with pytest.raises(ValueError, match="different epochs"):
        build(sums_preset(epochs=3), folder, verbose=0, resume=True)


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("a user's")
    with pytest.raises(ValueError, match="already holds another run"):
        build(sums_preset(), tmp_path, verbose=0)
    with pytest.raises(ValueError, match="holds no build to resume"):
        build(sums_preset(), tmp_path, verbose=0, resume=True)
    assert os.listdir(tmp_path) == ["mine"]


def test_pairs_of_a_file(eagerly, pair_file, tmp_path, monkeypatch):
    recipe = dataclasses.replace(preset("pairs_baseline"), hidden_dim=4, embedding_dim=4, epochs=1, batch_size=20)
    monkeypatch.setitem(PRESETS, "pairs_baseline", recipe)
    file = pair_file.rename(tmp_path / "my pairs.tsv")
    card = build(recipe, tmp_path / "made", file, seed=3, verbose=0)
    assert card["command"] == "seqzoo build pairs_baseline --output DIR --data 'my pairs.tsv' --seed 3"
    assert card["data"]["train_rows"] + card["data"]["held_out_rows"] == 84
    assert "sums" not in card
    page = (tmp_path / "made/card.md").read_text("utf-8")
    assert "my pairs.tsv" in page
    assert "seqzoo generate DIR/model.keras" in page
    assert str(tmp_path) not in (tmp_path / "made/card.json").read_text("utf-8")


def test_pairs_that_look_like_sums_are_not_taken_for_them(eagerly, tmp_path):
    file = tmp_path / "pairs.tsv"
    lines = [f"{a}{b}+\t{b}{a}\n" for a in range(10, 40) for b in (12, 99)] + ["99999+00001\t100000\n"]
    file.write_text("".join(lines), encoding="utf-8")
    recipe = dataclasses.replace(PRESETS["pairs_baseline"], hidden_dim=4, embedding_dim=4, epochs=1, batch_size=20)
    card = build(recipe, tmp_path / "made", file, verbose=0)
    assert "sums" not in card
    assert card["command"] is None
    assert "a variant of the preset" in (tmp_path / "made/card.md").read_text("utf-8")


def test_text_of_ones_own_is_not_said_to_be_the_presets(eagerly, tmp_path, small):
    text = tmp_path / "text.txt"
    text.write_text(small.TEXT * 4, encoding="utf-8")
    options = {"hidden_dim": 8, "embedding_dim": 8, "num_layers": 1, "window": 8, "batch_size": 4, "epochs": 1}
    recipe = dataclasses.replace(PRESETS["char_lstm_tiny_shakespeare"], steps_per_epoch=2, **options)
    build(recipe, tmp_path / "made", text, verbose=0)
    page = (tmp_path / "made/card.md").read_text("utf-8")
    assert "Shakespeare's plays" not in page
    assert "nanoGPT" not in page
    assert "in the manner of the text text.txt" in page


@pytest.mark.parametrize("name", ["char_lstm", "word_lstm"])
def test_language_models(name, eagerly, small, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(small.TEXT * 4, encoding="utf-8")
    recipe = dataclasses.replace(
        preset(name), hidden_dim=8, embedding_dim=8, window=8, batch_size=4, steps_per_epoch=2, epochs=1
    )
    card = build(recipe, tmp_path / "made", text, verbose=0)
    model = load(tmp_path / "made/model.keras")
    held_out = recipe.training_data(text)[1]
    assert card["held_out"]["nats_per_token"] == pytest.approx(evaluate(model, held_out)["nats_per_token"])
    excerpt = card["excerpt"]
    assert excerpt["nats_per_token"] == pytest.approx(evaluate(model, excerpt["text"])["nats_per_token"])
    # Words have no LiteRT file.
    assert pathlib.Path(tmp_path, "made/model.tflite").exists() is (name == "char_lstm")
    assert bool(card["litert"]) is (name == "char_lstm")
    page = (tmp_path / "made/card.md").read_text("utf-8")
    assert f"**{card['held_out']['nats_per_token']:.4f}**" in page
    assert np.isfinite(card["curve"]).all()
