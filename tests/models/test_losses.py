"""What counts in an answer: its tokens, its end, and nothing after."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import BitsPerToken, ExactMatch, Perplexity, SequenceCrossentropy


def logits_for(ids, vocabulary_size=6):
    return 20.0 * np.eye(vocabulary_size, dtype="float32")[ids]


def test_loss_counts_the_tokens_and_the_first_padding_only():
    answer = np.array([[3, 4, 0, 0], [5, 5, 5, 5]])
    uniform = np.zeros((2, 4, 6), "float32")
    # 3 + 4 counted positions of 8, each log(6) nats.
    np.testing.assert_allclose(SequenceCrossentropy()(answer, uniform), 7 / 8 * np.log(6), rtol=1e-6)


def test_loss_of_a_batch_is_the_mean_of_its_parts_losses():
    generator = np.random.default_rng(0)
    answer = np.array([[3, 0, 0, 0], [3, 4, 5, 0], [2, 2, 0, 0], [5, 4, 3, 2]])
    logits = generator.normal(size=(4, 4, 6)).astype("float32")
    loss = SequenceCrossentropy()
    np.testing.assert_allclose(
        loss(answer, logits), (loss(answer[:2], logits[:2]) + loss(answer[2:], logits[2:])) / 2, rtol=1e-6
    )


def test_label_smoothing_is_that_of_keras():
    answer = np.array([[3, 4, 5, 0], [5, 5, 5, 5]])
    logits = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = smoothed(np.eye(6, dtype="float32")[answer], logits)
    np.testing.assert_allclose(SequenceCrossentropy(label_smoothing=0.2)(answer, logits), expected, rtol=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1])
def test_label_smoothing_is_a_share(share):
    with pytest.raises(ValueError, match=rf"label_smoothing must be in \[0, 1\). Received: label_smoothing={share}"):
        SequenceCrossentropy(label_smoothing=share)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_what_follows_the_end_has_no_gradient(label_smoothing):
    logits = tf.Variable(tf.zeros([1, 4, 6]))
    with tf.GradientTape() as tape:
        loss = SequenceCrossentropy(label_smoothing=label_smoothing)(tf.constant([[3, 0, 0, 0]]), logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert np.abs(gradient[0, :2]).min() > 0
    assert np.abs(gradient[0, 2:]).max() == 0


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


def test_losses_and_metrics_survive_serialisation():
    for kind in (SequenceCrossentropy, ExactMatch, BitsPerToken, Perplexity):
        thing = kind(name="x")
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(thing))
        assert type(again) is type(thing)
        assert again.name == "x"
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(SequenceCrossentropy(label_smoothing=0.1))
    )
    assert again.label_smoothing == 0.1
