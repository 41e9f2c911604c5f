"""Recipes of language models: their text, their vocabulary, their windows and their schedule."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest

from seqzoo.models import BitsPerToken, Perplexity
from seqzoo.pipelines import load_python_topics, text_sha256
from seqzoo.training import TextRecipe, recipe


@pytest.fixture
def text_file(small, tmp_path):
    """The name of a text file."""
    return small.write_data(tmp_path)[0]


def test_last_tenth_is_held_out_or_another_file_is_validated_on(small, text_file, tmp_path):
    chosen = small.text_recipe()
    training, validation, preprocessor = chosen.training_data(text_file)
    np.testing.assert_array_equal(np.concatenate([training, validation]), preprocessor.encode(small.TEXT))
    assert len(validation) == pytest.approx(len(small.TEXT) / 10, abs=1)
    other = tmp_path / "other.txt"
    other.write_text("the mat sat on the cat.")
    training, validation, _ = chosen.training_data(text_file, other)
    np.testing.assert_array_equal(training, preprocessor.encode(small.TEXT))
    np.testing.assert_array_equal(validation, preprocessor.encode("the mat sat on the cat."))
    for one, same in zip(chosen.search_data(text_file), chosen.training_data(text_file, seed=3), strict=True):
        assert np.array_equal(one, same)


def test_texts_shorter_than_a_window_are_one_clear_error(small, text_file, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("ca")
    chosen = small.text_recipe()
    message = r"There are 3 tokens to validate on, fewer than one window of 4: .* more text or .* \(--window\)$"
    with pytest.raises(ValueError, match=message):
        chosen.training_data(text_file, short)
    with pytest.raises(ValueError, match="tokens to train on, fewer than one window of 4"):
        chosen.training_data(short)


@pytest.mark.parametrize("method", ["training_data", "search_data"])
def test_text_too_short_to_hold_out_a_tenth_trains_with_validation_data(small, tmp_path, method):
    short, other = tmp_path / "short.txt", tmp_path / "other.txt"
    short.write_text("the cat sat on the mat")
    other.write_text("the mat")
    data_of = getattr(small.text_recipe(window=5), method)
    message = (
        r"tokens to validate on, fewer than one window of 5: .* or name .* --validation-data FILE \(validation_data=\)"
    )
    with pytest.raises(ValueError, match=message):
        data_of(short)
    training, validation, _ = data_of(short, other)
    assert (len(training), len(validation)) == (len("the cat sat on the mat") + 1, len("the mat") + 1)


def test_characters_that_a_text_lacks_are_an_error_of_the_text_to_validate_on(small, text_file, tmp_path):
    short, chosen = tmp_path / "short.txt", small.text_recipe()
    short.write_text("cät says nothing of the kind")
    with pytest.raises(ValueError, match="ä"):
        chosen.training_data(text_file, short)


def test_text_is_identified_by_its_content(small, text_file):
    assert small.text_recipe().data_facts(text_file) == {"data_sha256": hashlib.sha256(small.TEXT.encode()).hexdigest()}
    assert recipe("char_lstm_pydoc").data_facts() == {"data_sha256": text_sha256(load_python_topics())}


def test_ascii_recipe_knows_every_ascii_character_and_reads_others_as_unknown():
    chosen = recipe("char_lstm_pydoc")
    preprocessor = chosen.preprocessor("abc")
    assert preprocessor == chosen.preprocessor("something else")
    assert set(map(chr, range(32, 127))) | {"\n"} == set(preprocessor.vocabulary.tokens)
    assert preprocessor.unknown_tokens("aé") == ["é"]
    lines = dataclasses.replace(chosen, lines=True).preprocessor("abc")
    assert "\n" not in lines.vocabulary.tokens
    assert chosen.count_params() == chosen.build(preprocessor).count_params()


def test_vocabulary_of_words_is_cut_to_the_most_frequent():
    words = dataclasses.replace(recipe("word_lstm"), max_tokens=2)
    preprocessor = words.preprocessor("the cat and the dog and the mat")
    assert set(preprocessor.vocabulary.tokens) == {"the", "and"}
    assert preprocessor.vocabulary.unknown
    assert not recipe("char_lstm").preprocessor("abc").vocabulary.unknown
    assert words.count_params() is None


def test_learning_rate_warms_up_for_a_twentieth_and_decays_to_zero(small):
    chosen = small.text_recipe(epochs=4, learning_rate=1e-2, weight_decay=0.05)
    model = chosen.build(chosen.preprocessor(small.TEXT))
    chosen.compile(model, steps_per_epoch=50)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 5, 10, 105, 200)]
    assert rates == pytest.approx([0, 5e-3, 1e-2, 5e-3, 0], abs=1e-8)
    assert (model.optimizer.global_clipnorm, model.optimizer.weight_decay) == (1.0, 0.05)
    assert isinstance(model.optimizer, keras.optimizers.AdamW)


def test_model_has_the_recipes_sizes(small):
    sizes = {
        "embedding_dim": 5, "hidden_dim": 5, "cell": "gru", "num_layers": 2, "dropout": 0.2, "tie_embeddings": True,
    }  # fmt: skip
    chosen = TextRecipe("mine", **sizes)
    assert sizes.items() <= chosen.build(chosen.preprocessor(small.TEXT)).get_config().items()


def test_batches_are_windows_of_the_recipes_size(small):
    chosen = small.text_recipe(window=7, batch_size=3, steps_per_epoch=5)
    preprocessor = chosen.preprocessor(small.TEXT)
    data = preprocessor.encode(small.TEXT)
    batches = list(chosen.batches(preprocessor, data))
    assert [tuple(np.shape(inputs)) for inputs, _ in batches] == [(3, 7)] * 5
    whole = dataclasses.replace(chosen, steps_per_epoch=None)
    assert len(list(whole.batches(preprocessor, data))) == pytest.approx(len(data) / 21, abs=1)
    assert {np.shape(inputs)[1] for inputs, _ in chosen.validation_batches(preprocessor, data)} == {7}


def test_loss_is_nats_and_metrics_are_bits_and_perplexity(small):
    chosen = small.text_recipe()
    preprocessor = chosen.preprocessor(small.TEXT)
    model = chosen.build(preprocessor)
    chosen.compile(model, steps_per_epoch=2, jit_compile=False)
    figures = model.evaluate(chosen.validation_batches(preprocessor, small.TEXT), verbose=0, return_dict=True)
    assert figures["bits_per_token"] == pytest.approx(figures["loss"] / np.log(2), rel=1e-5)
    assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]), rel=1e-5)
    assert {BitsPerToken().name, Perplexity().name, "loss"} == set(figures)
