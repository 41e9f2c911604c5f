"""Ensembles: probabilities averaged step by step, saved as one model; models that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import AttentionSeq2Seq, Ensemble, LanguageModel, PeekySeq2Seq, Seq2Seq, load
from seqzoo.training import evaluate


@pytest.fixture(scope="module")
def members(pairs):
    """Untrained models of three kinds, of which one reverses."""
    keras.utils.set_random_seed(4)
    return [
        AttentionSeq2Seq.from_pairs(pairs, hidden_dim=6, embedding_dim=4),
        PeekySeq2Seq.from_pairs(pairs, reverse=True, hidden_dim=5, embedding_dim=3, cell="gru"),
        Seq2Seq.from_pairs(pairs, hidden_dim=4, embedding_dim=4, cell="simple_rnn", num_layers=2),
    ]


@pytest.fixture(scope="module")
def ensemble(members):
    return Ensemble(members)


def test_probabilities_are_the_mean_of_the_members(ensemble, members, pairs):
    sources, targets = zip(*pairs, strict=True)
    inputs, _ = ensemble.preprocessor(sources, targets)
    mean = np.mean([tf.nn.softmax(model(model.preprocessor(sources, targets)[0])) for model in members], axis=0)
    np.testing.assert_allclose(tf.exp(ensemble(inputs)), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_steps_are_those_of_teacher_forcing_and_of_beams(ensemble, pairs, beam_size):
    sources, targets = zip(*pairs, strict=True)
    inputs, _ = ensemble.preprocessor(sources, targets)
    expected, states = ensemble(inputs), ensemble.initial_state(inputs["source"])
    states["layers"] = tf.nest.map_structure(lambda state: tf.repeat(state, beam_size, axis=0), states["layers"])
    for at in range(ensemble.preprocessor.target_length):
        logits, states = ensemble.step(tf.repeat(inputs["target"][:, at], beam_size), states, beam_size)
        np.testing.assert_allclose(logits[::beam_size], expected[:, at], rtol=1e-4, atol=1e-5)


def test_it_answers_evaluates_and_is_saved_as_one_model(ensemble, pairs, tmp_path):
    ensemble.save(tmp_path / "ensemble.keras")
    again = load(tmp_path / "ensemble.keras")
    sources = [source for source, _ in pairs]
    assert again.generate(sources) == ensemble.generate(sources)
    assert again.n_best("abc", 2, 4) == ensemble.n_best("abc", 2, 4)
    assert again.get_config() == ensemble.get_config()
    assert evaluate(again, pairs[:20])["rows"] == 20
    ensemble.compile()
    assert ensemble.evaluate(pairs, verbose=0, return_dict=True)["loss"] > 0


def test_members_are_copies(members, pairs):
    ensemble = Ensemble(members[:1])
    inputs, _ = ensemble.preprocessor(*zip(*pairs, strict=True))
    before = ensemble(inputs).numpy()
    weights = members[0].get_weights()
    members[0].set_weights([weight + 1 for weight in weights])
    np.testing.assert_array_equal(ensemble(inputs), before)
    members[0].set_weights(weights)


def test_models_that_do_not_fit_are_named(members, ensemble, pairs):
    other = Seq2Seq.from_pairs([("abc", "x")], hidden_dim=2)
    with pytest.raises(
        ValueError,
        match="Model 3 has another source_vocabulary than model 1: tokens such as 'x', not tokens such as 'A'",
    ):
        Ensemble([*members[:2], other])
    longer = Seq2Seq.from_pairs([*pairs, ("abcd", "DCBA")], hidden_dim=2)
    with pytest.raises(ValueError, match="Model 2 has another source_length than model 1: 4, not 3"):
        Ensemble([members[0], longer])
    with pytest.raises(ValueError, match="at least one model"):
        Ensemble([])
    for wrong in (LanguageModel.from_text("abc abc", hidden_dim=2), ensemble, "model.keras"):
        with pytest.raises(ValueError, match=f"Received: {type(wrong).__name__} as number 2"):
            Ensemble([members[0], wrong])


def test_it_does_not_go_to_litert(ensemble):
    with pytest.raises(ValueError, match="An ensemble of 3 models is not exported to LiteRT"):
        ensemble.token_functions()
