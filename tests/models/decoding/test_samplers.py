"""Samplers: what they let through, how often they draw it, and that a seed decides alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import Chain, Greedy, Sampler, Temperature, TopK, TopP
from seqzoo.models.decoding.samplers import uniform_numbers

PROBABILITIES = np.array([0.5, 0.25, 0.15, 0.07, 0.03], "float32")
LOGITS = np.log(PROBABILITIES)


def shares(sampler, logits=LOGITS, draws=20_000):
    """How often each token is drawn."""
    uniform = np.random.default_rng(0).random(draws).astype("float32")
    tokens = sampler(np.repeat(logits[None], draws, axis=0), uniform)
    return np.bincount(tokens, minlength=len(logits)) / draws


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (Sampler(), PROBABILITIES),
        (Greedy(), [1, 0, 0, 0, 0]),
        (Temperature(1.0), PROBABILITIES),
        (Temperature(0.5), PROBABILITIES**2 / np.sum(PROBABILITIES**2)),
        (Temperature(1e-9), [1, 0, 0, 0, 0]),
        (TopK(1), [1, 0, 0, 0, 0]),
        (TopK(2), [2 / 3, 1 / 3, 0, 0, 0]),
        (TopK(99), PROBABILITIES),
        (TopK(10**12), PROBABILITIES),
        (Temperature(1e-46), [1, 0, 0, 0, 0]),
        (Temperature(1e39), [0.2, 0.2, 0.2, 0.2, 0.2]),
        (TopP(1e-46), [1, 0, 0, 0, 0]),
        (TopP(0.5), [1, 0, 0, 0, 0]),
        (TopP(0.6), [2 / 3, 1 / 3, 0, 0, 0]),
        (TopP(1e-9), [1, 0, 0, 0, 0]),
        (TopP(1.0), PROBABILITIES),
        (Chain([TopK(3), TopP(0.6)]), [2 / 3, 1 / 3, 0, 0, 0]),
        (Chain([]), PROBABILITIES),
    ],
    ids=lambda value: str(value.get_config()) if isinstance(value, Sampler) else "",
)
def test_tokens_are_drawn_as_often_as_they_should(sampler, expected):
    np.testing.assert_allclose(shares(sampler), expected, atol=0.011)


def test_what_is_excluded_is_never_drawn_whatever_the_number():
    logits = np.array([[-np.inf, 0.0, -np.inf, 0.0, -np.inf]] * 4, "float32")
    uniform = np.array([0.0, 0.4999, 0.5001, 1 - 2**-23], "float32")
    for sampler in (Sampler(), Temperature(0.7), TopK(3), TopP(0.9)):
        assert sampler(logits, uniform).numpy().tolist() == [1, 1, 3, 3]


def test_a_new_sampler_overrides_one_method():
    class Second(Sampler):
        def adjust(self, logits):
            return tf.where(tf.range(5) == 1, 0.0, -float("inf")) + logits

    assert shares(Second())[1] == 1


@pytest.mark.parametrize(
    ("sampler", "value", "message"),
    [
        (Temperature, 0, "temperature must be a number above 0. Received: temperature=0"),
        (Temperature, -1.0, "temperature must be a number above 0. Received: temperature=-1.0"),
        (Temperature, float("nan"), "temperature must be a number above 0. Received: temperature=nan"),
        (TopK, 0, "k must be a whole number from 1. Received: k=0"),
        (TopK, 1.5, "k must be a whole number from 1. Received: k=1.5"),
        (TopP, 0, r"p must be in (0, 1]. Received: p=0"),
        (TopP, 1.1, r"p must be in (0, 1]. Received: p=1.1"),
        (TopP, float("nan"), r"p must be in (0, 1]. Received: p=nan"),
    ],
)
def test_wrong_values_are_named(sampler, value, message):
    with pytest.raises(ValueError, match="Received") as error:
        sampler(value)
    assert str(error.value) == message


def test_samplers_survive_serialisation_and_are_equal_by_value():
    for sampler in (Sampler(), Greedy(), Temperature(0.5), TopK(3), TopP(0.9), Chain([TopK(3), Temperature(2.0)])):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(sampler))
        assert again == sampler
        assert hash(again) == hash(sampler)
    assert TopK(3) != TopK(4)


def test_samplers_without_get_config_are_equal_to_themselves_only():
    class Biased(Sampler):
        def __init__(self, bias):
            self.bias = np.array(bias)

        def adjust(self, logits):
            return logits + self.bias

    first, second = Biased([0.0, 1.0]), Biased([0.0, 2.0])
    assert first == first
    assert first != second
    assert Chain([first]) == Chain([first]) != Chain([second])


def test_numbers_depend_on_seed_and_position_alone():
    numbers = uniform_numbers(tf.constant([5, 7], tf.int64), 0, 200).numpy()
    assert numbers.shape == (2, 200)
    assert 0 <= numbers.min() < 0.05
    assert 0.95 < numbers.max() < 1
    assert np.abs(numbers[0] - numbers[1]).min() > 0
    np.testing.assert_array_equal(uniform_numbers(tf.constant([7], tf.int64), 60, 10).numpy()[0], numbers[1, 60:70])


def test_numbers_are_the_same_on_every_machine():
    """Philox is specified bit for bit; these were drawn once."""
    np.testing.assert_array_equal(
        uniform_numbers(tf.constant([0, 1], tf.int64), 0, 2).numpy() * 2**23, np.array(GOLDEN, "float32")
    )


GOLDEN = [[1770126, 5922441], [7369293, 3858594]]
