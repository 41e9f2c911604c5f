"""The loss of answers: their tokens and their end count, and nothing after."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import SequenceCrossentropy
from seqzoo.models.losses import counted


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


def test_tokens_and_the_first_padding_count():
    answer = tf.constant([[3, 0, 0, 0], [3, 4, 5, 2], [0, 0, 0, 0]])
    assert counted(answer).numpy().tolist() == [[True, True, False, False], [True] * 4, [True, False, False, False]]


def test_the_loss_survives_serialisation():
    loss = SequenceCrossentropy(name="x", label_smoothing=0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is SequenceCrossentropy
    assert (again.name, again.label_smoothing) == ("x", 0.1)
