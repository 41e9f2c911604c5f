"""Loading: from files and from the presets' folders; what may be in a file is in tests/fuzz."""

import re

import keras
import pytest

from seqzoo import models
from seqzoo.models import LanguageModel, Seq2Seq, StringModel
from seqzoo.models.files.loading import load_model, preset_folder


def test_a_model_is_loaded_from_its_file_by_name_or_path(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    for path in (tmp_path / "model.keras", str(tmp_path / "model.keras")):
        assert models.load(path).generate(["abc", "d"]) == ["CBA", "D"]


def test_a_preset_is_loaded_by_its_name_as_by_from_preset():
    model, same = models.load("addition_peeky_reverse"), models.from_preset("addition_peeky_reverse")
    assert type(model) is type(same) is models.PeekySeq2Seq
    assert model.generate("57+5") == same.generate("57+5") == "62"


def test_a_file_must_hold_a_model_of_the_expected_class(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    assert isinstance(load_model(tmp_path / "model.keras", Seq2Seq), Seq2Seq)
    with pytest.raises(ValueError, match=r"model\.keras holds a PeekySeq2Seq, not a model of seqzoo"):
        load_model(tmp_path / "model.keras", LanguageModel)


def test_a_stock_model_is_refused(tmp_path):
    keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model\.keras holds a Sequential, not a model of seqzoo"):
        models.load(tmp_path / "model.keras")


def test_a_missing_file_says_that_there_is_no_preset_of_that_name_either(tmp_path):
    for path in (tmp_path / "none.keras", "adition_reverse"):
        message = f"There is no model file {path}, and no preset of that name (see seqzoo presets)"
        with pytest.raises(FileNotFoundError, match=re.escape(message)):
            models.load(path)


def test_other_things_than_keras_files_are_refused_by_name(trained, tmp_path):
    trained.save_weights(tmp_path / "model.weights.h5")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "model.txt").touch()
    for name in ("model.weights.h5", "folder.keras", "model.txt"):
        message = f"{tmp_path / name} is not a file named .keras; a model is one .keras file"
        with pytest.raises(ValueError, match=re.escape(message)):
            models.load(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_not_whole_is_named(tmp_path, content):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.keras is not a whole \.keras model file"):
        models.load(tmp_path / "model.keras")


def test_presets_are_the_folders_with_a_card():
    names = models.presets()
    assert names == sorted(names)
    assert {"addition_baseline", "addition_5_digits", "char_lstm_pydoc", "char_lstm_tiny_shakespeare"} <= set(names)
    for name in names:
        assert (preset_folder(name) / "model.keras").is_file()
        assert models.card(name)["parameters"] > 0


@pytest.mark.parametrize("name", ["none", "", "../saved_models/addition_reverse", "char_lstm"])
def test_what_is_no_preset_is_refused_and_those_there_are_are_named(name):
    for call in (preset_folder, models.card, models.from_preset, Seq2Seq.from_preset, StringModel.from_preset):
        with pytest.raises(
            ValueError, match=re.escape(f"There is no preset {name!r}. Choose one of: addition_5_digits, ")
        ):
            call(name)


def test_an_architecture_without_its_weights_is_random_and_has_the_preprocessor():
    trained, fresh = (Seq2Seq.from_preset("addition_reverse", load_weights=each) for each in (True, False))
    assert fresh.preprocessor == trained.preprocessor
    assert fresh.get_config() == trained.get_config()
    assert not fresh.compiled
    assert trained.generate("57+5") == "62"
    assert any((a != b).any() for a, b in zip(fresh.get_weights(), trained.get_weights(), strict=True))
