"""The encoder: what it hands over, and that it reads the same at once and by looking tokens up."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import Encoder, Seq2Seq
from seqzoo.pipelines import PairPreprocessor, Vocabulary


@pytest.fixture(scope="module")
def sums():
    return PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=True)


def ids(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 13, shape).astype("int32")


def test_sources_of_one_token_are_read_and_answered():
    model = Seq2Seq(PairPreprocessor(Vocabulary("0123456789+"), source_length=1, target_length=4), num_layers=2)
    source = ids((6, 1))
    pairs = zip(*map(tf.nest.flatten, (model.encoder.read(source), model.encoder(source))), strict=True)
    for mine, expected in pairs:
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5)
    assert len(model.generate(["1", "+"])) == 2


def test_without_the_cell_state_the_decoder_starts_from_zeros(sums):
    source = ids((3, 7))
    (h, c), (h2, c2) = Seq2Seq(sums, hidden_dim=9, num_layers=2, pass_cell_state=False).encoder(source)["states"]
    assert np.abs(c).max() == np.abs(c2).max() == 0
    assert np.abs(h).min() > 0
    assert np.abs(h2).min() > 0
    ((_, passed),) = Seq2Seq(sums, hidden_dim=9).encoder(source)["states"]
    assert np.abs(passed).min() > 0


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("unroll", [True, False])
def test_reading_by_tables_gives_the_states_of_a_call(cell, unroll):
    keras.utils.set_random_seed(1)
    encoder = Encoder(13, 5, 9, 7, cell, num_layers=2, dropout=0.3, unroll=unroll)
    source = ids((6, 7))
    expected = tf.nest.flatten(encoder(source)["states"])
    for states in (encoder.read(source), encoder.read(source, encoder.tables())):
        for mine, state in zip(tf.nest.flatten(states), expected, strict=True):
            np.testing.assert_allclose(mine, state, rtol=1e-5, atol=1e-5)


def test_an_encoder_is_remade_from_its_configuration():
    encoder = Encoder(13, 5, 9, 7, "gru", num_layers=2, dropout=0.1, pass_cell_state=False, unroll=True, name="reader")
    again = Encoder.from_config(encoder.get_config())
    assert again.get_config() == encoder.get_config()
    again.set_weights(encoder.get_weights())
    for mine, expected in zip(*(tf.nest.flatten(each(ids((3, 7)))) for each in (again, encoder)), strict=True):
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_tables_have_no_saturated_gates_which_would_spoil_int8_weights(cell):
    encoder = Encoder(13, 5, 4, length=7, cell=cell, bidirectional=True, unroll=True)
    for table in encoder.tables():
        assert np.abs(table["projected"]).max() < 10
