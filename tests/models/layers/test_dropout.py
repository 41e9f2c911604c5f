"""Dropout: its shares, its seeds, with and without XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models.layers.dropout import Dropout

ONES = tf.ones([64, 50, 32])


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_the_share_that_is_dropped_and_the_scale_of_the_rest(jit_compile):
    layer = Dropout(0.3, seed=1)
    call = layer if jit_compile is None else tf.function(layer, jit_compile=jit_compile)
    first, second = (call(ONES, training=True).numpy() for _ in range(2))
    np.testing.assert_allclose(np.unique(first), [0, 1 / 0.7], rtol=1e-5)
    assert (first == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert (first == 0).mean(axis=(0, 1)).std() < 0.02
    halves = np.split((first == 0).reshape(-1), 2)
    assert (halves[0] & halves[1]).mean() == pytest.approx(0.09, abs=0.01)  # From the same numbers, and yet apart.
    # Each call has numbers of its own.
    assert ((first == 0) & (second == 0)).mean() == pytest.approx(0.09, abs=0.01)
    np.testing.assert_array_equal(call(ONES, training=False), ONES)


def test_numbers_follow_from_the_seed_and_the_state_that_is_saved():
    layer, same, other = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    first = layer(ONES, training=True)
    np.testing.assert_array_equal(first, same(ONES, training=True))
    assert (first != other(ONES, training=True)).numpy().any()
    same.seed_generator.state.assign([1, 0])
    np.testing.assert_array_equal(first, same(ONES, training=True))
    assert [variable.path for variable in layer.variables] == [
        variable.path for variable in layer.non_trainable_variables
    ]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_results_have_the_dtype_of_the_inputs(dtype):
    assert Dropout(0.5, dtype=dtype)(tf.cast(ONES, dtype), training=True).dtype == dtype


def test_a_noise_shape_is_shared():
    dropped = Dropout(0.5, noise_shape=(None, 1, None), seed=0)(ONES, training=True).numpy()
    assert (dropped == dropped[:, :1]).all()
    assert 0 < dropped.mean() < 2


def test_no_rate_draws_nothing_and_a_wrong_one_is_an_error():
    layer = Dropout(0.0)
    np.testing.assert_array_equal(layer(ONES, training=True), ONES)
    assert not layer.variables
    for rate in (1, 1.5, -0.1):
        with pytest.raises(ValueError, match=f"The rate of dropout must be in .* Received: {rate}"):
            Dropout(rate)
    config = keras.saving.serialize_keras_object(Dropout(0.25, seed=3))
    assert keras.saving.deserialize_keras_object(config).get_config() == Dropout(
        0.25, seed=3, name="dropout"
    ).get_config() | {"name": config["config"]["name"]}
