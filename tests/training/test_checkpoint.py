"""The checkpoint of a training by plain `fit`: nothing of the process that died is missing in it."""

import keras
import numpy as np
import pytest

from seqzoo.training import Checkpoint


@pytest.fixture
def train(small, pairs):
    """Trains a small recipe by `fit`, as the documentation shows; returns the model and the history."""

    def train(path, epochs, seed=0, shuffle_seed=0, **options):
        recipe = small.pair_recipe(**options)
        preprocessor = recipe.preprocessor(pairs)
        keras.utils.set_random_seed(seed)
        checkpoint = Checkpoint(path)
        batches = recipe.batches(preprocessor, pairs, shuffle_seed, epoch=checkpoint.epoch)
        model = recipe.build(preprocessor)
        recipe.compile(model, steps_per_epoch=len(batches), **small.EAGERLY)
        model.fit(batches, epochs=epochs, initial_epoch=checkpoint.initial_epoch, callbacks=[checkpoint], verbose=0)
        return model, checkpoint.history

    return train


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_training_continues_to_the_bit_whatever_the_seed_is_then(small, train, tmp_path, monkeypatch, policy):
    """Nothing is left of weights or dropout made from another seed but the shuffles' own."""
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: keras.dtype_policies.get(policy))
    whole, history = train(tmp_path / "whole.npz", 4)
    train(tmp_path / "run.npz", 2)
    resumed, continued = train(tmp_path / "run.npz", 4, seed=77)
    assert small.weights(resumed) == small.weights(whole)
    assert continued == history
    assert len(history) == 4


def test_checkpoint_says_how_far_it_is_and_how_long_it_took(train, tmp_path):
    train(tmp_path / "run.npz", 2)
    first = Checkpoint(tmp_path / "run.npz")
    assert first.initial_epoch == 2
    train(tmp_path / "run.npz", 3)
    second = Checkpoint(tmp_path / "run.npz")
    assert second.initial_epoch == 3
    assert second.history[:2] == first.history
    for time in ("cpu", "wall"):
        assert 0 < first.earlier_seconds[time] < second.earlier_seconds[time]


def test_checkpoint_without_a_file_or_read_only_writes_nothing(small, train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(None, 1)
    assert not list(tmp_path.iterdir())
    train(tmp_path / "run.npz", 1)
    content = (tmp_path / "run.npz").read_bytes()
    reader = Checkpoint(tmp_path / "run.npz", read_only=True)
    recipe = small.pair_recipe()
    preprocessor = recipe.preprocessor([("a", "A"), ("b", "B"), ("c", "C"), ("d", "D"), ("abc", "CBA")])
    model = recipe.build(preprocessor)
    recipe.compile(model, steps_per_epoch=2, **small.EAGERLY)
    batches = preprocessor.batches([("abc", "CBA")] * 80, 40)
    model.fit(batches, epochs=2, initial_epoch=1, callbacks=[reader], verbose=0)
    assert len(reader.history) == 2
    assert (tmp_path / "run.npz").read_bytes() == content


def test_checkpoint_of_another_model_is_an_error(train, tmp_path):
    train(tmp_path / "run.npz", 1)
    content = (tmp_path / "run.npz").read_bytes()
    with pytest.raises(ValueError, match=r"run\.npz is the checkpoint of another model or optimizer"):
        train(tmp_path / "run.npz", 2, hidden_dim=5)
    assert (tmp_path / "run.npz").read_bytes() == content


def test_fit_that_does_not_begin_where_the_checkpoint_ends_is_an_error(small, train, pairs, tmp_path):
    train(tmp_path / "run.npz", 1)
    content = (tmp_path / "run.npz").read_bytes()
    recipe = small.pair_recipe()
    preprocessor = recipe.preprocessor(pairs)
    model = recipe.build(preprocessor)
    recipe.compile(model, steps_per_epoch=2, **small.EAGERLY)
    with pytest.raises(ValueError, match=r"holds 1 epochs, and the training would begin at 0: pass initial_epoch="):
        model.fit(preprocessor.batches(pairs, 40), callbacks=[Checkpoint(tmp_path / "run.npz")], verbose=0)
    assert (tmp_path / "run.npz").read_bytes() == content


def test_damaged_file_is_an_error(train, tmp_path):
    path = tmp_path / "run.npz"
    train(path, 1)
    content = path.read_bytes()
    for damaged in (content[:-30], content[:20], b"", b"PK", content.replace(b"facts", b"fakts")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
            Checkpoint(path)
    for facts in ("[]", "{}", '{"history": [], "seconds": {}}'):
        np.savez(path, facts=np.array(facts))
        with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
            Checkpoint(path)
    np.savez(path, facts=np.array({"history": []}, dtype=object))  # Would have to be unpickled.
    with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
        Checkpoint(path)


def test_epoch_whose_loss_is_no_number_is_not_kept(small, tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.npz")
    checkpoint.on_epoch_end(0, {"loss": float("nan"), "val_loss": 1.0})
    assert not (tmp_path / "run.npz").exists()
