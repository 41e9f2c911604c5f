"""Training runs: what they write, that resuming ends as if nothing had happened, and what they refuse."""

import csv
import dataclasses
import itertools
import json
import os
import shutil

import keras
import pytest

from seqzoo import cli, models
from seqzoo.pipelines import AdditionData
from seqzoo.training import Checkpoint, evaluate, fit
from seqzoo.training import train as train_compiled
from seqzoo.training.recipes.catalogue import recipe


@pytest.fixture
def train(small):
    """`seqzoo.training.train`, silent and without compiling."""

    def train(*arguments, **options):
        return train_compiled(*arguments, **{"verbose": 0, "compile_options": small.EAGERLY, **options})

    return train


@pytest.fixture
def text_file(small, tmp_path):
    """The name of a text file."""
    return small.write_data(tmp_path)[0]


def test_folder_holds_model_history_curve_metrics_and_manifest(small, pairs, pair_file, tmp_path, train):
    folder, trained = tmp_path / "run", small.pair_recipe()
    model, metrics = train(trained, folder, pair_file, seed=3)
    assert sorted(os.listdir(folder)) == small.RESULTS
    assert small.weights(models.load(folder / "model.keras")) == small.weights(model)
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")
    with open(folder / "history.csv", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2", "3", "4"]
    assert {"loss", "exact_match", "val_loss", "val_exact_match", "epoch"} == set(history[0])

    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["recipe"] == dataclasses.asdict(trained)
    assert (metrics["seed"], metrics["data"], metrics["epochs"]) == (3, str(pair_file), 4)
    assert metrics["parameters"] == model.count_params()
    assert (metrics["loss"], metrics["val_loss"]) == (float(history[-1]["loss"]), float(history[-1]["val_loss"]))
    held_out = trained.training_data(pair_file, seed=3)[1]
    assert evaluate(model, held_out).items() <= metrics.items()
    assert metrics["exact_match"] == pytest.approx(float(history[-1]["val_exact_match"]))
    assert 0 < metrics["cpu_seconds"]["epoch"] < metrics["cpu_seconds"]["total"]
    assert metrics["wall_seconds"] > 0

    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["recipe"] == dataclasses.asdict(trained)
    assert (manifest["kind"], manifest["seed"], manifest["data"]) == ("PairRecipe", 3, str(pair_file))
    assert manifest["compile_options"] == small.EAGERLY


def test_file_of_data_takes_the_place_of_the_recipes_own_data_set(small, tmp_path, train):
    """What is only for sums does not apply to it, and is not said to."""
    own = dataclasses.replace(recipe("addition_peeky"), cell="simple_rnn", hidden_dim=4, batch_size=80, epochs=1)
    data = tmp_path / "differences.tsv"
    data.write_text("".join(f"{a}+{b}\t{abs(a - b)}\n" for a in range(9) for b in range(20)))
    _, metrics = train(own, tmp_path / "run", data)
    assert metrics["recipe"]["dataset"] is None
    assert json.loads((tmp_path / "run/run.json").read_text())["recipe"]["dataset"] is None
    assert metrics["data"] == str(data)


def test_own_data_set_is_named(small, tmp_path, train):
    own = small.pair_recipe(dataset=AdditionData(2), batch_size=2_000, epochs=1, reverse=False)
    _, metrics = train(own, tmp_path / "run")
    assert metrics["recipe"]["dataset"] == {"digits": 2, "commute": False, "short_sums": 1, "fresh": False}
    assert (metrics["data"], metrics["rows"]) == ("addition/digits_2", 500)


@pytest.mark.slow(minutes=1)
def test_training_killed_after_any_rename_and_resumed_is_as_one_left_alone(
    small, text_file, tmp_path, train, monkeypatch
):
    """Before it, the folder is as after the one before."""
    monkeypatch.setattr("seqzoo.training.run.evaluate", lambda *_: {})
    trained = small.text_recipe(epochs=2, steps_per_epoch=1)
    train(trained, tmp_path / "whole", text_file)
    assert sorted(os.listdir(tmp_path / "whole")) == small.RESULTS
    for number in itertools.count(1):
        folder = tmp_path / f"killed-{number}"
        with small.killed_at_rename(number):
            train(trained, folder, text_file)
            break
        train(trained, folder, text_file, resume=(folder / "run.json").exists())
        assert small.outcome(folder) == small.outcome(tmp_path / "whole"), number
        assert sorted(os.listdir(folder)) == small.RESULTS
    assert number == 1 + 1 + trained.epochs + 4  # The manifest, a checkpoint an epoch, the results.


def test_folder_that_vanishes_is_one_clear_error(small, text_file, tmp_path, train, monkeypatch):
    folder = tmp_path / "run"
    begin = Checkpoint.on_epoch_begin

    def on_epoch_begin(checkpoint, epoch, logs=None):
        if epoch == 1:
            shutil.rmtree(folder)
        begin(checkpoint, epoch, logs)

    monkeypatch.setattr(Checkpoint, "on_epoch_begin", on_epoch_begin)
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/run/\.checkpoint-"):
        train(small.text_recipe(), folder, text_file)
    assert not folder.exists()


def test_ctrl_c_before_the_first_epoch_leaves_nothing(text_file, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_epoch_begin", interrupt)
    arguments = ["train", "char_lstm", "--data", text_file, "--output", tmp_path / "run", "--hidden-dim", 4, "--no-xla"]
    assert cli.main(list(map(str, arguments))) == 130
    assert capsys.readouterr().err.endswith("interrupted: no epoch was complete, nothing is kept\n")
    assert not (tmp_path / "run").exists()


def test_ctrl_c_while_results_are_written_says_what_is_kept(small, text_file, tmp_path, train, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seqzoo.training.run.evaluate", interrupt)
        with pytest.raises(
            KeyboardInterrupt,
            match=r"3 of 3 epochs are kept in .*run; continue with seqzoo train, the same arguments and --resume",
        ):
            train(small.text_recipe(), tmp_path / "run", text_file)
    model, _ = train(small.text_recipe(), tmp_path / "run", text_file, resume=True)
    whole, _ = train(small.text_recipe(), tmp_path / "whole", text_file)
    assert small.weights(model) == small.weights(whole)


def test_resuming_needs_the_run_that_is_there(small, text_file, tmp_path, train):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=r"run holds no run to resume: leave out --resume"):
        train(small.text_recipe(), folder, text_file, resume=True)
    model, metrics = train(small.text_recipe(), folder, text_file)
    with pytest.raises(ValueError, match=r"already holds another run; continue it \(--resume\), or choose"):
        train(small.text_recipe(), folder, text_file)
    with pytest.raises(ValueError, match="another run, with a different epochs and seed "):
        train(small.text_recipe(epochs=7), folder, text_file, seed=1, resume=True)
    with pytest.raises(ValueError, match="another run, with a different compile_options "):
        train(small.text_recipe(), folder, text_file, resume=True, compile_options=None)
    text_file.write_text(small.TEXT + "more")
    with pytest.raises(ValueError, match="with a different data_sha256 "):
        train(small.text_recipe(), folder, text_file, resume=True)
    text_file.write_text(small.TEXT)
    moved = text_file.rename(tmp_path / "moved.txt")
    again, same = train(small.text_recipe(), folder, moved, resume=True)
    assert same == metrics
    assert small.weights(again) == small.weights(model)


def test_what_killed_processes_left_half_written_is_removed(small, text_file, tmp_path, train):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".run-abcdefgh.json").write_text('{"ki')
    train(small.text_recipe(epochs=1), folder, text_file)
    assert sorted(os.listdir(folder)) == small.RESULTS
    for name in small.RESULTS[:-1]:
        (folder / name).unlink()
    for name in (".checkpoint-abcdefgh.npz", ".model-12345678.keras", ".metrics-1bcdefg_.json", ".mine-abcdefgh.npz"):
        (folder / name).write_text("half")
    train(small.text_recipe(epochs=1), folder, text_file, resume=True)
    assert sorted(os.listdir(folder)) == [".mine-abcdefgh.npz", *small.RESULTS]


def test_damaged_manifest_and_metrics_are_one_clear_error(small, text_file, tmp_path, train):
    folder = tmp_path / "run"
    train(small.text_recipe(epochs=1), folder, text_file)
    for name in ("metrics.json", "run.json"):
        whole = (folder / name).read_text()
        for content in ("", "[]", "null", '{"recipe": '):
            (folder / name).write_text(content)
            with pytest.raises(ValueError, match=rf"{name} is damaged"):
                train(small.text_recipe(epochs=1), folder, text_file, resume=True)
        (folder / name).write_text(whole)


def test_diverging_epoch_is_not_kept(small, text_file, tmp_path, train):
    with pytest.raises(ValueError, match="diverged"):
        train(small.text_recipe(learning_rate=1e38), tmp_path / "run", text_file)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow(minutes=1)
def test_same_seed_trains_the_same_weights_whatever_came_before(small, pairs):
    """To the bit, since XLA compiles it."""
    seeded = small.pair_recipe(epochs=1, batch_size=42)
    preprocessor = seeded.preprocessor(pairs)

    def weights(seed, **options):
        return small.weights(fit(seeded, pairs, pairs, preprocessor, seed=seed, verbose=0, **options)[0])

    first = weights(1)
    keras.utils.set_random_seed(99)
    assert weights(1) == first
    one, two = (weights(seed, compile_options=small.EAGERLY) for seed in (1, 2))
    assert one != two


def test_compile_options_take_the_place_of_the_recipes(small, pairs):
    chosen = small.pair_recipe(epochs=1)
    options = {**small.EAGERLY, "optimizer": keras.optimizers.SGD(0.5), "metrics": []}
    model, history = fit(chosen, pairs, pairs, chosen.preprocessor(pairs), verbose=0, compile_options=options)
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert model.run_eagerly
    assert not model.jit_compile
    assert set(history.history) == {"loss", "val_loss"}


def test_fewer_rows_than_a_batch_are_an_error(small, pairs, tmp_path, train):
    data = tmp_path / "few.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in pairs[:30]))
    with pytest.raises(ValueError, match="Too few pairs for a batch of 40: received 2"):
        train(small.pair_recipe(), tmp_path / "run", data)
    assert not (tmp_path / "run").exists()
