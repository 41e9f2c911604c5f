"""The loop over a long sequence: the numbers and the gradients of one that TensorFlow differentiates itself."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models.layers.scan import scan

LENGTH, BATCH, UNITS = 12, 3, 4


def random(*shape, seed):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def combine(projected, recurrent, states):
    """A cell that treats its two inputs differently and carries two states."""
    hidden = tf.tanh(projected + tf.sigmoid(recurrent) * states[0])
    return [hidden, 0.5 * states[1] + hidden * recurrent]


@pytest.mark.parametrize("adds", [False, True])
def test_outputs_states_and_gradients_are_those_of_a_plain_loop(adds):
    inputs = [
        random(LENGTH, BATCH, UNITS, seed=0),
        random(UNITS, UNITS, seed=1),
        random(UNITS, seed=2),
        random(BATCH, UNITS, seed=3),
        random(BATCH, UNITS, seed=4),
    ]
    cell = (lambda gates, states: combine(gates, gates, states)) if adds else combine

    def plain(projected, kernel, bias, *states):
        states, outputs = list(states), []
        for step in tf.unstack(projected):
            now = tf.matmul(states[0], kernel) + bias
            states = cell(step + now, states) if adds else cell(step, now, states)
            outputs.append(states[0])
        return tf.stack(outputs), states

    def results(run):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, states = run(*inputs)
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(state**3) for state in states)
        return [outputs, *states, *tape.gradient(loss, inputs)]

    ours = results(lambda projected, kernel, bias, *states: scan(cell, projected, kernel, bias, list(states), adds))
    for mine, expected in zip(ours, results(plain), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)
