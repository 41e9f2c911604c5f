"""The decoders: steps against teacher forcing, and what the peeky one sees."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import Decoder, PeekyDecoder, PeekySeq2Seq, Seq2Seq
from seqzoo.pipelines import PairPreprocessor, Vocabulary


@pytest.fixture(scope="module")
def sums():
    return PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=True)


def ids(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 13, shape).astype("int32")


@pytest.mark.parametrize("model", [Seq2Seq, PeekySeq2Seq])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("unroll", [True, False])
def test_stepping_gives_the_logits_of_teacher_forcing(sums, model, cell, unroll):
    keras.utils.set_random_seed(1)
    whole = model(sums, embedding_dim=5, hidden_dim=9, cell=cell, num_layers=2, dropout=0.3, unroll=unroll)
    source, target = ids((6, 7)), ids((6, 4), seed=1)
    at_once = whole({"source": source, "target": target})
    encoded = whole.encoder(source)
    for mine, expected in zip(tf.nest.flatten(whole.encoder.read(source)), tf.nest.flatten(encoded), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5)
    states = whole.decoder.initial_state(encoded)
    for position in range(4):
        logits, states = whole.decoder.step(target[:, position], states)
        np.testing.assert_allclose(logits, at_once[:, position], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("model", "reads_source"), [(Seq2Seq, False), (PeekySeq2Seq, True)], ids=["baseline", "peeky"])
def test_only_the_peeky_decoder_sees_the_source_past_its_states(sums, model, reads_source):
    decoder = model(sums, hidden_dim=9).decoder
    start = decoder.initial_state({"states": [[tf.ones([1, 9]), tf.ones([1, 9])]]})
    forgotten = {**start, "layers": [[tf.zeros([1, 9]), tf.zeros([1, 9])]]}
    other = decoder.initial_state({"states": [[tf.zeros([1, 9]), tf.zeros([1, 9])]]})
    same = np.allclose(decoder.step(tf.constant([1]), forgotten)[0], decoder.step(tf.constant([1]), other)[0])
    assert same is not reads_source


@pytest.mark.parametrize("kind", [Decoder, PeekyDecoder])
def test_a_decoder_is_remade_from_its_configuration(kind):
    decoder = kind(13, 5, 9, 4, "gru", num_layers=2, dropout=0.1, unroll=True, name="writer")
    again = kind.from_config(decoder.get_config())
    assert again.get_config() == decoder.get_config()
    again.set_weights(decoder.get_weights())
    inputs = {"target": tf.constant(ids((3, 4))), "states": [[tf.ones([3, 9])], [tf.zeros([3, 9])]]}
    np.testing.assert_array_equal(again(inputs), decoder(inputs))
