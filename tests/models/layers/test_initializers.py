"""How weights start: as the stock layers do, or as in the book."""

import keras
import numpy as np
import pytest

from seqzoo.models import Seq2Seq
from seqzoo.models.layers.initializers import initializer_options
from seqzoo.pipelines import PairPreprocessor, Vocabulary

SUMS = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4)


def test_the_books_weights_are_normal_by_their_inputs_and_its_biases_zero():
    keras.utils.set_random_seed(0)
    model = Seq2Seq(SUMS, embedding_dim=16, hidden_dim=128, initializer="book")
    lstm = model.encoder.recurrent[0].rnn.cell
    expected = {
        "embedding": (model.encoder.embedding.embeddings, 0.01),
        "kernel": (lstm.kernel, 16**-0.5),
        "recurrent_kernel": (lstm.recurrent_kernel, 128**-0.5),
        "dense": (model.decoder.dense.kernel, 128**-0.5),
    }
    for name, (weight, deviation) in expected.items():
        assert np.std(weight) == pytest.approx(deviation, rel=0.15), name
        assert abs(np.mean(weight)) < 0.2 * deviation, name
    assert not np.any(lstm.bias)
    assert not np.any(model.decoder.dense.bias)


def test_stock_weights_are_those_of_the_stock_layers():
    for layer in ("embedding", "lstm", "gru", "simple_rnn", "dense"):
        assert initializer_options("keras", layer) == {}
    lstm = Seq2Seq(SUMS, hidden_dim=8).encoder.recurrent[0].rnn.cell
    assert np.asarray(lstm.bias)[8:16].tolist() == [1.0] * 8  # The forget gate's.


def test_an_unknown_initializer_is_refused():
    with pytest.raises(
        ValueError, match=r"initializer must be one of \['book', 'keras'\]\. Received: initializer='he'"
    ):
        initializer_options("he", "lstm")
