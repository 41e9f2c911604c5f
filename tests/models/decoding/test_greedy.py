"""Greedy decoding: the most probable token at each step until an end, unrolled or in a loop."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models.decoding import greedy
from seqzoo.pipelines import PADDING_ID, START_ID

VOCABULARY = 5


@pytest.fixture(params=[True, False], ids=["unrolled", "loop"])
def unrolls(request, monkeypatch):
    """Both ways to decode."""
    monkeypatch.setattr(greedy, "_MAX_UNROLLED_STEPS", 8 if request.param else 0)
    return request.param


def chain(following, seed=0):
    """A step whose most probable token after each token is given, by random logits; its states count the steps."""
    logits = np.random.default_rng(seed).normal(size=(VOCABULARY, VOCABULARY)).astype("float32")
    for token, best in following.items():
        logits[token, best] = logits[token].max() + 1.0
    logits = tf.constant(logits)

    def step(token, states):
        return tf.gather(logits, token), states + 1

    return step, tf.nn.log_softmax(logits).numpy()


def test_answers_are_the_most_probable_tokens_and_end_with_padding(unrolls):
    step, log_probabilities = chain({START_ID: 3, 3: 2, 2: PADDING_ID, PADDING_ID: 4})
    ids, log_probability = greedy.decode_greedily(step, tf.zeros([3]), 3, 6)
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [[3, 2, PADDING_ID, PADDING_ID, PADDING_ID, PADDING_ID]] * 3
    expected = log_probabilities[START_ID, 3] + log_probabilities[3, 2] + log_probabilities[2, PADDING_ID]
    np.testing.assert_allclose(log_probability, [expected] * 3, rtol=1e-5)


def test_an_answer_of_full_length_has_no_end(unrolls):
    step, log_probabilities = chain({START_ID: 2, 2: 3, 3: 2})
    ids, log_probability = greedy.decode_greedily(step, tf.zeros([1]), 1, 4)
    assert ids.numpy().tolist() == [[2, 3, 2, 3]]
    expected = log_probabilities[START_ID, 2] + 2 * log_probabilities[2, 3] + log_probabilities[3, 2]
    np.testing.assert_allclose(log_probability, [expected], rtol=1e-5)


def test_each_row_ends_for_itself(unrolls):
    """The states say after how many steps: a row's own number."""

    def step(token, states):
        ends = tf.one_hot(PADDING_ID, VOCABULARY) + tf.zeros([4, 1])
        return tf.where((states == 0)[:, None], ends, tf.one_hot(3, VOCABULARY)), states - 1

    ids, log_probability = greedy.decode_greedily(step, tf.constant([0, 2, 1, 9]), 4, 4)
    assert ids.numpy().tolist() == [[0, 0, 0, 0], [3, 3, 0, 0], [3, 0, 0, 0], [3, 3, 3, 3]]
    one = np.log(np.e / (np.e + VOCABULARY - 1))
    np.testing.assert_allclose(log_probability, np.array([1, 3, 2, 4]) * one, rtol=1e-5)


def test_a_graph_decodes_the_same_for_batches_of_any_size(unrolls):
    step, _ = chain({START_ID: 3, 3: 3})
    decode = tf.function(lambda batch: greedy.decode_greedily(step, tf.zeros([batch]), batch, 5))
    for batch in (0, 1, 3):
        ids, log_probability = decode(tf.constant(batch))
        assert ids.numpy().tolist() == [[3] * 5] * batch
        assert log_probability.shape == (batch,)


def test_the_loop_stops_when_all_answers_have_ended(monkeypatch):
    monkeypatch.setattr(greedy, "_MAX_UNROLLED_STEPS", 0)
    steps = []

    def step(token, states):
        steps.append(token)
        return tf.one_hot([PADDING_ID if len(steps) == 3 else 2] * 2, VOCABULARY), states

    ids, _ = greedy.decode_greedily(step, tf.zeros([2]), 2, 1000)
    assert len(steps) == 3
    assert ids.shape == (2, 1000)
    assert ids.numpy()[:, :4].tolist() == [[2, 2, 0, 0]] * 2
    assert not ids.numpy()[:, 3:].any()
