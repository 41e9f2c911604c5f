"""Beam search: against all answers there are, with penalties, ending early; beams that are none."""

import itertools
import math
import re

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import beam_search
from seqzoo.models.decoding.beam_search import check_beam

VOCABULARY, LENGTH, BATCH = 5, 4, 6


@pytest.fixture(scope="module")
def logits():
    """What each batch row's answer continues with, by its position and the two tokens before."""
    return tf.constant(np.random.default_rng(0).normal(0, 2, [BATCH, LENGTH, VOCABULARY, VOCABULARY]).astype("float32"))


def stepping(logits):
    """A step and the states before the first one, whose logits depend on all tokens so far by their sum."""

    def step(token, states, beam_size=1):
        position, total = tf.unstack(tf.cast(states["layers"][0][0], tf.int32), axis=1)
        total = (total + token) % VOCABULARY
        row = tf.repeat(states["row"], beam_size)
        new = tf.cast(tf.stack([position + 1, total], axis=1), tf.float32)
        return tf.gather_nd(logits, tf.stack([row, position, total], axis=1)), {**states, "layers": [[new]]}

    return step, {"layers": [[tf.zeros([BATCH, 2])]], "row": tf.range(BATCH)}


def log_softmax(values):
    return values - np.log(np.exp(values).sum())


def all_answers(logits, row):
    """Every answer, a tuple of tokens without the end, with its log-probability and its number of tokens."""
    for length in range(1, LENGTH + 1):
        for tokens in itertools.product(range(2, VOCABULARY), repeat=length):
            written = (*tokens, 0)[:LENGTH]
            total, log_probability = 0, 0.0
            for position, (before, token) in enumerate(zip((1, *tokens), written, strict=False)):
                total = (total + before) % VOCABULARY
                log_probability += log_softmax(logits[row, position, total])[token]
            yield tokens, log_probability, len(written)


def found(ids, log_probabilities):
    return [
        [(tuple(i for i in answer if i), p) for answer, p in zip(*row, strict=True) if p > -math.inf]
        for row in zip(ids.numpy().tolist(), log_probabilities.numpy().tolist(), strict=True)
    ]


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 3.0])
def test_a_beam_as_wide_as_all_prefixes_finds_the_best_of_all_answers(logits, length_penalty):
    step, states = stepping(logits)
    width = (VOCABULARY - 2) ** LENGTH
    result = found(*beam_search(step, states, BATCH, LENGTH, width, width, length_penalty))
    for row in range(BATCH):
        answers = all_answers(logits.numpy(), row)
        best = sorted(answers, key=lambda each: -each[1] / ((5 + each[2]) / 6) ** length_penalty)
        assert [tokens for tokens, _ in result[row]] == [tokens for tokens, *_ in best[:width]]
        np.testing.assert_allclose([p for _, p in result[row]], [p for _, p, _ in best[:width]], rtol=1e-4, atol=1e-4)


def test_fewer_answers_than_asked_for_are_said_to_be_none():
    step, states = stepping(tf.zeros([BATCH, LENGTH, VOCABULARY, VOCABULARY]))
    ids, log_probabilities = beam_search(step, states, BATCH, 1, 6, 6)
    each = pytest.approx(-math.log(5))
    assert found(ids, log_probabilities)[0] == [((2,), each), ((3,), each), ((4,), each)]  # None is empty.
    assert log_probabilities[0].numpy().tolist()[3:] == [-math.inf] * 3


def test_a_narrow_beam_is_sorted_has_nothing_twice_and_gets_better_with_its_width(logits):
    step, states = stepping(logits)
    best = []
    for width in (1, 2, 4, 8, 81):
        result = found(*beam_search(step, states, BATCH, LENGTH, width, width))
        for answers in result:
            assert len({tokens for tokens, _ in answers}) == len(answers)
            assert [p for _, p in answers] == sorted((p for _, p in answers), reverse=True)
        best.append(np.mean([answers[0][1] for answers in result]))
    assert best == sorted(best)


def test_the_search_ends_when_nothing_better_can_come():
    """A third step would fail: its position does not exist."""
    logits = np.full([BATCH, 2, VOCABULARY, VOCABULARY], -50.0, "float32")
    logits[..., 0] = 0.0
    step, states = stepping(tf.constant(logits))
    steps = []

    def counting(token, states, beam_size):
        tf.py_function(lambda: steps.append(1), [], [])
        return step(token, states, beam_size)

    ids, _ = beam_search(counting, states, BATCH, LENGTH, 3)
    assert (tf.math.count_nonzero(ids, axis=-1) == 1).numpy().all()
    assert len(steps) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "beam_size must be a whole number from 1 to 1000. Received: beam_size=0"),
        ((2.0,), "beam_size must be a whole number from 1 to 1000. Received: beam_size=2.0"),
        ((True,), "beam_size must be a whole number from 1 to 1000. Received: beam_size=True"),
        ((3, 0), "n must be a whole number from 1 to 1000. Received: n=0"),
        ((3, 4), "A beam finds as many answers as it is wide. Received: n=4, beam_size=3"),
        ((3, 1, "long"), "length_penalty must be a number from 0. Received: length_penalty='long'"),
        ((3, 1, math.nan), "length_penalty must be a number from 0. Received: length_penalty=nan"),
        ((1001,), "beam_size must be a whole number from 1 to 1000. Received: beam_size=1001"),
        ((3, 1, True), "length_penalty must be a number from 0. Received: length_penalty=True"),
        ((3, 1, -0.5), "length_penalty must be a number from 0. Received: length_penalty=-0.5"),
    ],
)
def test_a_beam_that_is_none_is_named(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        check_beam(*arguments)
