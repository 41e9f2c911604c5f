"""The recurrent layer computes what the stock Keras layer with the same weights computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models.layers import recurrent


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("cell", recurrent.CELLS)
@pytest.mark.parametrize("with_context", [False, True])
@pytest.mark.parametrize("with_states", [False, True])
def test_unrolled_layer_equals_the_stock_layer_with_the_same_weights(cell, with_context, with_states):
    keras.utils.set_random_seed(0)
    layer = recurrent.Recurrent(cell, 8, unroll=True)
    inputs, context = random(5, 6, 3), random(5, 4, seed=1) if with_context else None
    states = [random(5, 8, seed=2 + i) for i in range(recurrent.number_of_states(cell))] if with_states else None
    layer(inputs, states=states, context=context)
    for weight in layer.weights:
        weight.assign(random(*weight.shape, seed=9))

    def results(call):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, last = call()
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(state**3) for state in last)
        return outputs, last, tape.gradient(loss, [inputs, *[weight.value for weight in layer.weights]])

    def stock():
        x = inputs if context is None else tf.concat([tf.repeat(context[:, None], 6, axis=1), inputs], axis=-1)
        outputs, *last = layer.rnn(x, initial_state=states)
        return outputs, last

    ours = results(lambda: layer(inputs, states=states, context=context))
    theirs = results(stock)
    for mine, expected in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=2e-5, atol=2e-5)


def test_layer_that_does_not_unroll_gives_the_same_numbers():
    unrolled, looped = recurrent.Recurrent("gru", 8, unroll=True), recurrent.Recurrent("gru", 8)
    inputs, context = random(5, 6, 3), random(5, 4, seed=1)
    unrolled(inputs, context=context), looped(inputs, context=context)
    looped.set_weights(unrolled.get_weights())
    np.testing.assert_allclose(
        unrolled(inputs, context=context)[0], looped(inputs, context=context)[0], rtol=1e-5, atol=1e-5
    )


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match=r"cell must be one of .*Received: cell='rnn'"):
        recurrent.Recurrent("rnn", 8)


@pytest.mark.parametrize("cell", recurrent.CELLS)
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_scan_and_its_gradients_equal_the_stock_layers(cell, with_states, jit_compile):
    keras.utils.set_random_seed(0)
    layer = recurrent.Recurrent(cell, 8)
    inputs = random(5, 40, 3)
    states = [random(5, 8, seed=2 + i) for i in range(recurrent.number_of_states(cell))] if with_states else None
    layer(inputs, states=states)
    for weight in layer.weights:
        weight.assign(0.5 * random(*weight.shape, seed=9))
    watched = [inputs, *(states or [])]

    def results(call):
        with tf.GradientTape() as tape:
            tape.watch(watched)
            outputs, last = call()
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(state**3) for state in last)
        return outputs, last, tape.gradient(loss, [*watched, *[weight.value for weight in layer.weights]])

    def stock():
        outputs, *last = layer.rnn(inputs, initial_state=states)
        return outputs, last

    ours = tf.function(lambda: results(lambda: layer(inputs, states=states)), jit_compile=jit_compile)()
    for mine, expected in zip(keras.tree.flatten(ours), keras.tree.flatten(results(stock)), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_a_layer_is_remade_from_its_configuration():
    layer = recurrent.Recurrent("gru", 8, unroll=True, initializer="book", name="r")
    again = recurrent.Recurrent.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(("units", "layers", "name"), [(0, 1, "hidden_dim"), (4, 0, "num_layers")])
def test_sizes_below_one_are_refused(units, layers, name):
    with pytest.raises(ValueError, match=rf"{name} must be at least 1\. Received: {name}=0"):
        recurrent.recurrent_layers("gru", units, layers, False, "keras", None)
