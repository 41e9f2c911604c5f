"""The loss of answers: their tokens and their end count, and nothing after."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import Seq2Seq, SequenceCrossentropy
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


def test_with_a_mean_length_the_padding_of_a_batch_does_not_change_the_loss():
    answer = np.array([[3, 4, 0, 0], [5, 0, 0, 0]])
    uniform = np.zeros((2, 4, 6), "float32")
    loss = SequenceCrossentropy(mean_length=2.5)
    # 3 + 2 counted positions of 2 × 2.5, each log(6) nats.
    np.testing.assert_allclose(loss(answer, uniform), np.log(6), rtol=1e-6)
    longer = np.pad(answer, [(0, 0), (0, 96)]), np.zeros((2, 100, 6), "float32")
    np.testing.assert_allclose(loss(*longer), np.log(6), rtol=1e-6)
    np.testing.assert_allclose(SequenceCrossentropy()(*longer), 5 / 200 * np.log(6), rtol=1e-6)


@pytest.mark.parametrize(
    "pairs",
    [[("a", "b"), ("c", "d")], [("a", "0123456789")] * 3, [("a", "b" * i) for i in (1, 2, 3, 20)] + [("c", "bd")] * 3],
)
def test_the_loss_of_a_model_that_knows_nothing_is_the_logarithm_of_its_vocabulary(pairs):
    model = Seq2Seq.from_pairs(pairs, embedding_dim=2, hidden_dim=2, cell="simple_rnn")
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.compile(run_eagerly=True)
    expected = np.log(model.preprocessor.target_vocabulary.size)
    assert model.evaluate(pairs, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("length", [0, -1.5, float("nan")])
def test_a_mean_length_is_above_0(length):
    with pytest.raises(ValueError, match=f"mean_length must be above 0, or None. Received: mean_length={length}"):
        SequenceCrossentropy(mean_length=length)


@pytest.mark.parametrize("rows", [2, 4])  # As many rows as positions, too.
def test_weights_of_rows_and_of_tokens_weigh_what_they_are_for(rows):
    generator = np.random.default_rng(0)
    answer = np.array([[3, 0, 0, 0], [3, 4, 5, 0], [2, 2, 0, 0], [5, 4, 3, 2]])[:rows]
    logits = generator.normal(size=(rows, 4, 6)).astype("float32")
    loss, of_rows = SequenceCrossentropy(), generator.uniform(size=rows).astype("float32")
    each = np.array([float(loss(answer[i : i + 1], logits[i : i + 1])) for i in range(rows)])
    np.testing.assert_allclose(loss(answer, logits, of_rows), np.mean(of_rows * each), rtol=1e-5)
    tokens = np.repeat(of_rows[:, None], 4, axis=1)
    np.testing.assert_allclose(loss(answer, logits, tokens), np.mean(of_rows * each), rtol=1e-5)
    tokens[:, 1:] = 0
    assert 0 < loss(answer, logits, tokens) < loss(answer, logits, of_rows)


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
    loss = SequenceCrossentropy(name="x", label_smoothing=0.1, mean_length=3.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is SequenceCrossentropy
    assert (again.name, again.label_smoothing, again.mean_length) == ("x", 0.1, 3.5)


def test_there_is_nothing_in_it_that_xla_leaves_out_with_a_warning():
    """TensorFlow's `Ignoring Assert operator`, for each program of a training."""
    answers, logits = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None, 5])
    graph = tf.function(SequenceCrossentropy(label_smoothing=0.1)).get_concrete_function(answers, logits).graph
    assert [each.name for each in graph.get_operations() if each.type == "Assert"] == []
