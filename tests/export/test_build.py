"""What `build` makes of a recipe: training, exports, figures, card; and how often it computes each."""

import collections
import dataclasses
import json
import os
import sys

import pytest
import tensorflow as tf

from seqzoo.export import build
from seqzoo.models import Seq2Seq, load
from seqzoo.training import RECIPES, PairRecipe, TextRecipe, evaluate, recipe

MADE = {"training", "model.keras", "model.tflite", "1", "curve.png", "card.md", "card.json"}
NO_XLA = {"jit_compile": False}


def test_folder_holds_what_ships_and_the_training(built):
    folder, card = built
    assert set(os.listdir(folder)) == MADE
    assert json.loads((folder / "card.json").read_text("utf-8")) == card
    assert set(card["bytes"]) >= {"model.keras", "model.tflite", "curve.png", "1/saved_model.pb"}
    assert all((folder / name).stat().st_size == size for name, size in card["bytes"].items())


def test_model_ships_without_its_optimizer(built):
    folder, _ = built
    model = load(folder / "model.keras")
    assert load(folder / "training/model.keras").compiled
    assert not model.compiled
    moments = 2 * 4 * model.count_params()  # Two of float32 for each weight.
    saved = (folder / "training/model.keras").stat().st_size - (folder / "model.keras").stat().st_size
    assert saved > moments


@pytest.mark.slow(minutes=1)
def test_same_command_gives_the_same_weights_and_no_path_of_this_machine(built, sums_recipe, tmp_path):
    folder, card = built
    again = build(sums_recipe(), tmp_path / "again", verbose=0)
    assert again["weights_sha256"] == card["weights_sha256"]
    assert [weight.tobytes() for weight in load(tmp_path / "again/model.keras").get_weights()] == [
        weight.tobytes() for weight in load(folder / "model.keras").get_weights()
    ]
    for file in (tmp_path / "again").rglob("*"):
        if file.is_file() and "training" not in file.parts:
            assert str(tmp_path).encode() not in file.read_bytes(), file


@pytest.fixture
def counted(monkeypatch):
    """Counts calls: `counted(object, name, amount)` goes on calling, and adds up `amount` of the arguments."""
    counts = collections.Counter()

    def count(owner, name, amount=lambda *_, **__: 1):
        call = getattr(owner, name)

        def counting(*arguments, **options):
            counts[name] += amount(*arguments, **options)
            return call(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)
        return counts

    return count


@pytest.mark.slow(minutes=1)
def test_data_are_read_once_files_converted_once_and_sums_answered_once_by_each(
    sums_recipe, tmp_path, counted, monkeypatch
):
    verification = sys.modules["seqzoo.export.pair_verification"]
    answers_of_litert = verification.answers_of_litert
    rows_of_files = []

    def counting_answers_of_litert(interpreter, model, *signature):
        answers, at = answers_of_litert(interpreter, model, *signature), len(rows_of_files)
        rows_of_files.append(0)

        def counting(sources):
            rows_of_files[at] += len(sources)
            return answers(sources)

        return counting

    monkeypatch.setattr(verification, "answers_of_litert", counting_answers_of_litert)
    counted(PairRecipe, "training_data")
    counted(tf.lite.TFLiteConverter, "from_saved_model")
    counts = counted(Seq2Seq, "generate", lambda self, strings, **_: 1 if isinstance(strings, str) else len(strings))
    card = build(sums_recipe(epochs=1), tmp_path / "sums", verbose=0, compile_options=NO_XLA)
    assert counts["training_data"] == 1
    assert counts["from_saved_model"] == len(card["litert"]) == 3
    assert rows_of_files == [10_000, 16] * 3  # And one at a time.
    # All sums, the rows held out for the SavedModel, and the one that is too long.
    assert counts["generate"] == 10_000 + 500 + 1


@pytest.mark.slow(minutes=1)
def test_pairs_of_a_file_are_read_once_and_the_file_is_named_without_its_folder(
    pair_file, tmp_path, small, counted, monkeypatch
):
    sizes = {"hidden_dim": 4, "embedding_dim": 4, "cell": "simple_rnn"}
    pairs = dataclasses.replace(recipe("pairs_baseline"), **sizes, epochs=1, batch_size=20)
    monkeypatch.setitem(RECIPES, "pairs_baseline", pairs)
    file = pair_file.rename(tmp_path / "my pairs.tsv")
    counts = counted(sys.modules["seqzoo.training.recipes.pairs"], "read_pairs")
    card = build(pairs, tmp_path / "made", file, seed=3, verbose=0, compile_options=small.EAGERLY)
    assert counts["read_pairs"] == 1
    assert card["command"] == "seqzoo build pairs_baseline --output DIR --data 'my pairs.tsv' --seed 3"
    assert card["data"]["train_rows"] + card["data"]["held_out_rows"] == 84
    assert "sums" not in card
    page = (tmp_path / "made/card.md").read_text("utf-8")
    assert "my pairs.tsv" in page
    assert "seqzoo generate DIR/model.keras" in page
    assert str(tmp_path) not in (tmp_path / "made/card.json").read_text("utf-8")


@pytest.mark.slow(minutes=1)
def test_build_that_was_cut_off_resumes_without_training_again(tmp_path, small, monkeypatch, counted):
    """A model of words, which has no LiteRT file."""
    text, folder = tmp_path / "text.txt", tmp_path / "words"
    text.write_text(small.TEXT * 4, encoding="utf-8")
    sizes = {"hidden_dim": 8, "embedding_dim": 8, "num_layers": 1, "cell": "simple_rnn"}
    sizes |= {"window": 8, "batch_size": 4, "steps_per_epoch": 2, "epochs": 1}
    words = dataclasses.replace(recipe("word_lstm"), **sizes)
    options = {"data": text, "verbose": 0, "compile_options": small.EAGERLY}
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["seqzoo.export.build"], "saved_model", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(words, folder, **options)
    assert os.listdir(folder) == ["training"]
    (folder / ".build-killed").mkdir()
    monkeypatch.setattr("seqzoo.training.run.fit", lambda *_, **__: 1 / 0)
    counts = counted(TextRecipe, "training_data")
    card = build(words, folder, resume=True, **options)
    assert counts["training_data"] == 1
    assert set(os.listdir(folder)) == MADE - {"model.tflite"}
    assert card["litert"] == {}
    held_out = words.training_data(text)[1]
    nats = evaluate(load(folder / "model.keras"), held_out)["nats_per_token"]
    assert card["held_out"]["nats_per_token"] == pytest.approx(nats)
    assert build(words, folder, resume=True, **options)["weights_sha256"] == card["weights_sha256"]
    with pytest.raises(ValueError, match="different epochs"):
        build(dataclasses.replace(words, epochs=3), folder, resume=True, **options)


def test_folder_of_something_else_is_left_alone(sums_recipe, tmp_path):
    (tmp_path / "mine").write_text("a user's")
    with pytest.raises(ValueError, match="already holds another run"):
        build(sums_recipe(), tmp_path, verbose=0)
    with pytest.raises(ValueError, match="holds no build to resume"):
        build(sums_recipe(), tmp_path, verbose=0, resume=True)
    assert os.listdir(tmp_path) == ["mine"]
