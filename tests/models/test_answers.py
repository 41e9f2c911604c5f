"""Answers of a trained attention model: greedy, by beams, n best, aligned; bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import AttentionSeq2Seq


@pytest.fixture(scope="module")
def attending(pairs):
    """An attention model that has learnt the small task, reading sources in reverse."""
    keras.utils.set_random_seed(0)
    model = AttentionSeq2Seq.from_pairs(pairs, reverse=True, hidden_dim=24, cell="gru", unroll=False)
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    model.fit(pairs, batch_size=28, epochs=40, verbose=0)
    return model


def test_it_answers_greedily_and_by_beams(attending, pairs):
    sources, targets = map(list, zip(*pairs, strict=True))
    assert attending.generate(sources) == targets
    assert attending.generate(sources, beam_size=4) == attending.generate(sources, beam_size=1) == targets
    assert attending.generate("abc", beam_size=2, length_penalty=1.0) == "CBA"
    assert list(attending.generate_each(iter(sources), batch_size=10, beam_size=3)) == targets


def test_a_beam_finds_no_less_probable_answers_than_greedy_search(attending, pairs):
    inputs, _ = attending.preprocessor(*zip(*pairs, strict=True))
    greedy_ids, greedy = attending.decode(inputs["source"])
    ids, log_probabilities = attending.decode(inputs["source"], 4, 4)
    assert ids.shape[1:] == (4, attending.preprocessor.target_length)
    assert (log_probabilities[:, :1] >= greedy - 1e-4).numpy().all()
    assert (ids[:, 0] == greedy_ids[:, 0]).numpy().all()


def test_n_best_are_sorted_different_and_as_probable_as_teacher_forcing_says(attending):
    answers = attending.n_best(["abc", "d"], 4)
    assert [each[0][0] for each in answers] == ["CBA", "D"]
    for source, each in zip(["abc", "d"], answers, strict=True):
        assert len({text for text, _ in each}) == len(each) == 4
        assert [p for _, p in each] == sorted((p for _, p in each), reverse=True)
        score, _ = attending.serving_functions()["score"]
        written = [(text, p) for text, p in each if text]
        expected = score(tf.constant([source] * len(written)), tf.constant([text for text, _ in written]))
        np.testing.assert_allclose([p for _, p in written], expected["log_probability"], rtol=1e-3, atol=1e-4)
    assert [text for text, _ in attending.n_best("abc", 2)] == [text for text, _ in answers[0][:2]]
    assert [[text for text, _ in each] for each in attending.n_best_each(iter(["d"]), 1)] == [["D"]]
    assert attending.n_best([], 3) == []


def test_a_row_of_a_padded_batch_is_answered_as_alone(attending):
    together = attending.n_best(["abc", "d", "bb"], 3)
    for source, expected in zip(["abc", "d", "bb"], together, strict=True):
        alone = attending.n_best(source, 3)
        assert [text for text, _ in alone] == [text for text, _ in expected]
        np.testing.assert_allclose([p for _, p in alone], [p for _, p in expected], rtol=1e-4, atol=1e-5)


def test_alignment_finds_each_letter_where_it_stands(attending):
    answer, alignment = attending.align("abd")
    assert answer == "DBA"
    assert alignment.shape == (3, 3)
    np.testing.assert_allclose(alignment.sum(axis=1), 1, rtol=1e-5)
    assert attending.align("c")[1].shape == (1, 1)
    with pytest.raises(ValueError, match="row 1: source 'x' has the character 'x'"):
        attending.align("x")


def test_a_wrong_row_is_named_or_returned_with_beams_too(attending):
    with pytest.raises(ValueError, match="row 2: source is empty"):
        attending.generate(["a", ""], beam_size=2)
    with pytest.raises(ValueError, match="row 2: source is empty"):
        attending.n_best(["a", ""], 2)
    answers, errors = attending.generate(["a", "", "b"], beam_size=2, errors="return")
    assert (answers, errors) == (["A", "", "B"], ["", "source is empty", ""])
    lists, errors = attending.n_best(["a", "", "b"], 2, errors="return")
    assert [each and each[0][0] for each in lists] == ["A", [], "B"]
    assert errors == ["", "source is empty", ""]
    assert attending.n_best("", 2, errors="return") == ([], "source is empty")
    assert attending.n_best([], 2, errors="return") == ([], [])
    with pytest.raises(ValueError, match=r"errors must be 'raise' or 'return'\. Received: errors='no'"):
        attending.n_best("a", errors="no")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.generate("a", beam_size=0), "beam_size must be a whole number from 1"),
        (lambda model: model.generate_each(["a"], beam_size=-1), "beam_size must be a whole number from 1"),
        (lambda model: model.n_best("a", 0), "n must be a whole number from 1"),
        (lambda model: model.n_best("a", 3, 2), "A beam finds as many answers as it is wide"),
        (lambda model: model.generate("a", beam_size=2, length_penalty="x"), "length_penalty must be a number"),
    ],
)
def test_beams_that_are_none_are_errors_at_the_call(attending, call, message):
    with pytest.raises(ValueError, match=message):
        call(attending)


def test_a_model_without_attention_does_not_align(trained):
    with pytest.raises(ValueError, match=r"Only a model with attention aligns.*Received: PeekySeq2Seq"):
        trained.align("abc")
    assert "align" not in trained.serving_functions()


def test_weights_that_are_no_numbers_are_answered_all_the_same(pairs):
    model = AttentionSeq2Seq.from_pairs(pairs, embedding_dim=2, hidden_dim=2, cell="simple_rnn", unroll=False)
    model.set_weights([np.full(weight.shape, np.nan) for weight in model.get_weights()])
    assert isinstance(model.generate("abc"), str)
    assert model.n_best("abc", 2) == []
