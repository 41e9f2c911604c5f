"""Scores of language models: each token predicted from everything before it."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import LanguageModel
from seqzoo.pipelines import END_ID, START_ID, TextPreprocessor
from seqzoo.training import evaluate

RHYME = "the cat sat on the mat.\nthe rat sat on the hat.\n" * 40


def random_model(lines=False):
    keras.utils.set_random_seed(2)
    return LanguageModel(TextPreprocessor.from_text(RHYME, lines=lines), 8, 16, cell="gru", num_layers=2)


@pytest.mark.parametrize("lines", [False, pytest.param(True, marks=pytest.mark.slow(minutes=1))])
def test_figures_equal_those_of_a_plain_loop_over_the_tokens(lines, monkeypatch):
    monkeypatch.setattr("seqzoo.training.evaluation.texts._PART", 16)  # The state crosses many borders.
    model = random_model(lines)
    figures = evaluate(model, RHYME)
    tokens = model.preprocessor.encode(RHYME).astype("int32")
    tokens = tokens if lines else tokens[:-1]
    states, before, nats, right = model.initial_state(1), START_ID, 0.0, 0
    step = tf.function(model.step)
    for token in tokens:
        logits, states = step(tf.constant([before]), states)
        nats -= float(tf.nn.log_softmax(logits)[0, token])
        right += int(tf.argmax(logits[0])) == token
        before = START_ID if token == END_ID else int(token)
    assert figures["tokens"] == len(tokens) > 1024
    assert figures["nats_per_token"] == pytest.approx(nats / len(tokens), abs=1e-4)
    assert figures["bits_per_token"] == pytest.approx(figures["nats_per_token"] / math.log(2))
    assert figures["perplexity"] == pytest.approx(math.exp(figures["nats_per_token"]))
    assert figures["accuracy"] == pytest.approx(right / len(tokens), abs=2 / len(tokens))


def test_context_that_windows_lack_counts():
    """A model that has learnt the rhyme, read from one end to the other and in windows."""
    keras.utils.set_random_seed(0)
    preprocessor = TextPreprocessor.from_text(RHYME)
    model = LanguageModel(preprocessor, 8, 32)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    model.fit(preprocessor.windows(RHYME, 16, length=16, steps=80), verbose=0)
    windows = model.evaluate(preprocessor.consecutive(RHYME, 8, 4), verbose=0, return_dict=True)
    assert evaluate(model, RHYME)["nats_per_token"] < 0.8 * windows["loss"]


def test_text_may_be_a_string_strings_or_ids():
    model = random_model()
    figures = evaluate(model, RHYME)
    assert evaluate(model, model.preprocessor.encode(RHYME)) == figures
    assert evaluate(model, tf.data.Dataset.from_tensors(RHYME)) == figures


def test_what_the_model_writes_stands_beside_the_figures():
    model = random_model()
    assert evaluate(model, RHYME)["examples"] == [model.generate("", 200)]


def test_perplexity_of_a_hopeless_model_is_a_number():
    model = random_model()
    model.set_weights([1e4 * weight for weight in model.get_weights()])
    figures = evaluate(model, RHYME)
    assert np.isfinite([figures["nats_per_token"], figures["perplexity"]]).all()


@pytest.mark.parametrize("block", [5, 10_000])
def test_a_block_is_read_without_what_stands_before_it(block):
    model = random_model()
    ids = model.preprocessor.encode(RHYME)[:-1].astype("int32")
    inputs, nats = np.concatenate([[START_ID], ids[:-1]]), 0.0
    for at in range(0, len(ids), block):
        logits, _ = model.read(inputs[None, at : at + block], model.initial_state(1))
        nats += float(tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(ids[None, at : at + block], logits)))
    figures = evaluate(model, RHYME, block=block)
    assert figures["tokens"] == len(ids)
    assert figures["nats_per_token"] == pytest.approx(nats / len(ids), abs=1e-4)
    assert (figures["nats_per_token"] == pytest.approx(evaluate(model, RHYME)["nats_per_token"])) == (block > len(ids))


@pytest.mark.parametrize("block", [0, -1, 2.5])
def test_a_block_has_tokens(block):
    with pytest.raises(ValueError, match=rf"block must be a number of tokens from 1, or None. Received: {block}"):
        evaluate(random_model(), RHYME, block=block)


@pytest.mark.parametrize(("text", "message"), [("", "no text to evaluate"), ("thé cat", "é")])
def test_text_that_does_not_fit_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        evaluate(random_model(), text)


def test_text_is_not_searched_for():
    with pytest.raises(ValueError, match="A LanguageModel is scored without a search: leave out beam_size"):
        evaluate(random_model(), RHYME, beam_size=2)
