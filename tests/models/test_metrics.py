"""Metrics: exact match of whole answers, bits and perplexity of tokens."""

import keras
import numpy as np
import pytest

from seqzoo.models import BitsPerToken, ExactMatch, Perplexity


def logits_for(ids, vocabulary_size=6):
    return 20.0 * np.eye(vocabulary_size, dtype="float32")[ids]


def test_exact_match_wants_every_token_and_the_end_and_ignores_the_rest():
    answer = np.array([[3, 4, 0, 0], [3, 4, 0, 0], [3, 4, 0, 0], [3, 4, 5, 2]])
    predicted = np.array([[3, 4, 0, 5], [3, 4, 5, 0], [2, 4, 0, 0], [3, 4, 5, 2]])
    metric = ExactMatch()
    metric.update_state(answer, logits_for(predicted))
    assert float(metric.result()) == 0.5


def test_bits_and_perplexity_are_those_of_the_mean_over_all_tokens():
    tokens = np.array([[3, 0, 1], [2, 5, 4]])
    logits = np.random.default_rng(0).normal(size=(2, 3, 6)).astype("float32")
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    nats = -np.log(np.take_along_axis(probabilities, tokens[..., None], axis=-1)).mean()
    bits, perplexity = BitsPerToken(), Perplexity()
    for row in (slice(0, 1), slice(1, 2)):
        bits.update_state(tokens[row], logits[row])
        perplexity.update_state(tokens[row], logits[row])
    np.testing.assert_allclose(bits.result(), nats / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(perplexity.result(), np.exp(nats), rtol=1e-5)


def test_weights_of_rows_and_of_tokens():
    answer = np.array([[3, 4, 0], [3, 0, 0], [2, 2, 2]])
    logits = logits_for(np.array([[3, 4, 0], [3, 3, 0], [2, 2, 2]]))
    for weights, share in [([1, 3, 0], 1 / 4), ([[1, 1, 1], [2, 2, 9], [0, 0, 0]], 1 / 3)]:
        metric = ExactMatch()
        metric.update_state(answer, logits, np.array(weights, "float32"))
        assert float(metric.result()) == pytest.approx(share)
    for kind in (BitsPerToken, Perplexity):  # Three rows of three tokens: no row's weight is a position's.
        weighed, first = kind(), kind()
        weighed.update_state(answer, logits, np.array([1, 0, 0], "float32"))
        first.update_state(answer[:1], logits[:1])
        np.testing.assert_allclose(weighed.result(), first.result(), rtol=1e-5)


@pytest.mark.parametrize("kind", [ExactMatch, BitsPerToken, Perplexity])
def test_metrics_survive_serialisation(kind):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(kind(name="x", dtype="float32")))
    assert type(again) is kind
    assert (again.name, again.dtype) == ("x", "float32")
