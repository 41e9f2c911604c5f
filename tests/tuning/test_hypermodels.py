"""Hypermodels: what they search, that KerasTuner takes them as they are, and which values they refuse."""

import dataclasses

import keras_tuner
import pytest

from seqzoo import pipelines, tuning
from seqzoo.training import recipe


@pytest.mark.slow(minutes=1)
def test_hypermodel_of_pairs_works_with_plain_keras_tuner(pairs, tmp_path):
    base = dataclasses.replace(recipe("pairs_peeky_reverse"), epochs=1)
    training, validation = pipelines.hold_out(pairs)
    hypermodel = tuning.Seq2SeqHyperModel(
        base,
        training,
        validation,
        base.preprocessor(pairs),
        {"hidden_dim": [4, 8]},
        {"cell": "gru", "batch_size": 16},
        compile_options={"jit_compile": False},
    )
    tuner = keras_tuner.RandomSearch(
        hypermodel, hypermodel.objective, max_trials=1, seed=1, directory=tmp_path, tune_new_entries=True
    )
    tuner.search(verbose=0)
    (best,) = tuner.get_best_models()
    values = tuner.get_best_hyperparameters()[0].values
    assert set(values) == set(hypermodel.SPACE) - {"pass_cell_state"}  # A GRU has none.
    assert type(best).__name__ == values["model"]
    assert best.get_config()["bidirectional"] is values["bidirectional"]
    assert best.loss.label_smoothing == values["label_smoothing"]
    assert best.preprocessor.reverse is values["reverse"]
    assert best.get_config()["cell"] == "gru"
    assert best.get_config()["hidden_dim"] == values["hidden_dim"] in (4, 8)
    assert not best.jit_compile


def test_values_that_do_not_count_are_neither_searched_nor_reported(small_search, scored_at_once, pair_file, capsys):
    base = dataclasses.replace(recipe("pairs_baseline"), epochs=1)
    space = {"cell": ["lstm", "gru"], "pass_cell_state": [True, False], "hidden_dim": [4]}
    fixed = {name: values[0] for name, values in tuning.Seq2SeqHyperModel.SPACE.items() if name not in space}
    small_search(recipe=base, data=pair_file, tuner="grid", max_trials=None, space=space, fixed=fixed, verbose=2)
    assert [(row["cell"], row["pass_cell_state"]) for row in small_search.rows()] == [
        ("lstm", "True"),
        ("lstm", "False"),
        ("gru", ""),
    ]
    reports = [line.split("; ")[1] for line in capsys.readouterr().err.splitlines() if line.startswith("trial ")]
    assert reports == ["cell=lstm, pass_cell_state=True", "cell=lstm, pass_cell_state=False", "cell=gru"]


def test_recipes_own_values_are_searched_first_beside_the_default_ones():
    base = dataclasses.replace(recipe("pairs_peeky_reverse"), hidden_dim=100)
    space = tuning.Seq2SeqHyperModel.whole_space(base, {"cell": ["gru", "lstm"]}, {"num_layers": 2})
    assert space["hidden_dim"] == [100, 64, 128, 256]
    assert space["model"] == ["PeekySeq2Seq", "Seq2Seq", "AttentionSeq2Seq"]
    assert space["bidirectional"] == [False, True]
    assert space["cell"] == ["lstm", "gru"]
    assert space["num_layers"] == [2]


def test_attention_is_searched_in_both_directions_first():
    space = tuning.Seq2SeqHyperModel.whole_space(recipe("pairs_attention"))
    assert space["model"][0] == "AttentionSeq2Seq"
    assert space["bidirectional"] == [True, False]
    assert (space["label_smoothing"][0], space["dropout"]) == (0.1, [0.4, 0.0, 0.1, 0.3])


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"model": "Transformer"}, "model must be one of Seq2Seq, PeekySeq2Seq, AttentionSeq2Seq. Received: 'Tra"),
        ({"label_smoothing": 1.0}, "label_smoothing must be below 1"),
        ({"dropout": 1.0}, "dropout must be below 1"),
    ],
)
def test_values_outside_their_range_are_an_error(fixed, message):
    with pytest.raises(ValueError, match=message):
        tuning.Seq2SeqHyperModel.whole_space(recipe("pairs_baseline"), fixed=fixed)


def test_answers_that_copy_words_are_searched_with_attention_alone():
    words = {"source_split": "words", "target_split": "words", "max_tokens": 9, "copy_unknown": True}
    copying = dataclasses.replace(recipe("pairs_attention"), **words)
    assert tuning.Seq2SeqHyperModel.whole_space(copying)["model"] == ["AttentionSeq2Seq"]
    assert len(tuning.Seq2SeqHyperModel.whole_space(recipe("pairs_attention"))["model"]) == 3
    space = tuning.Seq2SeqHyperModel.whole_space(copying, space={"model": ["Seq2Seq", "AttentionSeq2Seq"]})
    assert space["model"] == ["AttentionSeq2Seq", "Seq2Seq"]  # As it was asked for.


def test_parts_of_a_training_pass_over_few_data_as_often_an_epoch_as_the_whole(pairs):
    base = dataclasses.replace(recipe("pairs_baseline"), epochs=6, batch_size=28, min_steps=36)
    hypermodel = tuning.Seq2SeqHyperModel(
        base, pairs, pairs, base.preprocessor(pairs), fixed={"hidden_dim": 2, "batch_size": 28}
    )
    hp = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(hp)
    hp.values |= {"tuner/epochs": 3, "tuner/initial_epoch": 1}
    assert hypermodel.recipe(hp).epochs == 2
    assert hypermodel._steps_per_epoch(hypermodel.recipe(hp)) == 6


def test_tied_embeddings_have_the_size_of_the_hidden_layers():
    words = recipe("word_lstm")
    assert "embedding_dim" not in tuning.LanguageHyperModel.whole_space(words)
    with pytest.raises(ValueError, match="embedding_dim is hidden_dim"):
        tuning.LanguageHyperModel.whole_space(words, fixed={"embedding_dim": 8})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hidden_dim", "128", 128),
        ("learning_rate", "4e-3", 4e-3),
        ("dropout", "0", 0.0),
        ("bidirectional", "True", True),
        ("reverse", "false", False),
        ("model", "AttentionSeq2Seq", "AttentionSeq2Seq"),
        ("cell", "gru", "gru"),
        ("size", "4", "4"),
    ],
)
def test_values_are_read_from_text(name, text, value):
    parsed = tuning.Seq2SeqHyperModel.parsed(name, text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [("hidden_dim", "8.5", "a whole number"), ("dropout", "x", "a number"), ("reverse", "1", "true or false")],
)
def test_text_that_is_no_value_is_an_error(name, text, kind):
    with pytest.raises(ValueError, match=f"{name} must be {kind}. Received: '{text}'"):
        tuning.Seq2SeqHyperModel.parsed(name, text)
