"""The seq2seq models: sizes, answers to strings, saving, mixed precision."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import runtime
from seqzoo.models import ExactMatch, PeekySeq2Seq, Seq2Seq, SequenceCrossentropy, answers, load
from seqzoo.models.decoding import greedy
from seqzoo.pipelines import PADDING_ID, START_ID, PairPreprocessor, Vocabulary


@pytest.fixture(scope="module")
def sums():
    return PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=True)


def ids(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 13, shape).astype("int32")


@pytest.mark.parametrize(("model", "parameters"), [(Seq2Seq, 150_573), (PeekySeq2Seq, 217_773)])
def test_parameters_are_the_books(sums, model, parameters):
    assert model(sums, embedding_dim=16, hidden_dim=128).count_params() == parameters


def test_generate_answers_what_was_learnt(trained, pairs):
    assert trained.generate([source for source, _ in pairs]) == [target for _, target in pairs]


def test_generate_takes_one_string_a_tensor_a_generator_and_nothing(trained):
    assert trained.generate("abc") == "CBA"
    assert trained.generate(tf.constant(["ab", "c"])) == trained.generate(tf.Variable(["ab", "c"])) == ["BA", "C"]
    assert list(trained.generate_each((text for text in ["ab", "c", "d"]), batch_size=2)) == ["BA", "C", "D"]
    assert trained.generate([]) == []


def test_parts_that_processors_share_come_in_order(trained, pairs, monkeypatch):
    monkeypatch.setattr(runtime, "processors", lambda: 3)
    sources = [source for source, _ in pairs] * 20
    assert len(sources) > 4 * answers._MIN_ROWS_PER_THREAD
    assert trained.generate(sources) == [target for _, target in pairs] * 20
    with pytest.raises(ValueError, match=f"row {len(sources) + 1}: source is empty"):
        trained.generate([*sources, ""])


def test_the_first_wrong_source_is_named_whatever_comes_after(trained, pairs):
    sources = [source for source, _ in pairs] * 20
    sources[100], sources[200] = "", 12
    with pytest.raises(ValueError, match="row 101: source is empty"):
        trained.generate(sources, batch_size=64)
    sources[100] = "abc"
    with pytest.raises(ValueError, match="Sources must be strings"):
        trained.generate(sources, batch_size=64)
    assert trained.generate("abc") == "CBA"


def test_long_answers_and_large_vocabularies_are_decoded_alike(trained, pairs, monkeypatch):
    """By a loop that asks whether all have ended, and without tables."""
    source, _ = trained.preprocessor.encode_sources([source for source, _ in pairs])
    expected = trained.decode(source)
    monkeypatch.setattr(greedy, "_MAX_UNROLLED_STEPS", 0)
    trained._reads_tables = False
    try:
        answers, log_probabilities = trained.decode(source)
    finally:
        trained._reads_tables = True
    assert (answers.numpy() == expected[0].numpy()).all()
    np.testing.assert_allclose(log_probabilities, expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("", "row 3: source is empty"),
        ("abcd", "row 3: source 'abcd' has 4 characters, the model takes at most 3"),
        (
            "abé",
            "row 3: source 'abé' has the character 'é', which is not in the vocabulary"
            " (U+00E9 LATIN SMALL LETTER E WITH ACUTE)",
        ),
        (b"a\xff", r"row 3: source is not valid UTF-8: a\xff"),
    ],
)
def test_generate_names_the_wrong_string(trained, wrong, message):
    with pytest.raises(ValueError, match="row 3") as error:
        trained.generate(["a", "b", wrong, "c"], batch_size=2)
    assert str(error.value) == message


def test_a_wrong_row_leaves_its_neighbours_answers_alone(trained):
    answers, log_probabilities, errors = trained.answer(tf.constant(["abc", "x", "", "ca"]))
    assert answers.numpy().tolist() == [[b"CBA"], [b""], [b""], [b"AC"]]
    assert (errors.numpy() == b"").tolist() == [True, False, False, True]
    assert (log_probabilities.numpy() == 0).tolist() == [[False], [True], [True], [False]]


def test_log_probability_is_the_teacher_forced_one(trained):
    source, _ = trained.preprocessor.encode_sources(["abc", "d"])
    answer, log_probability = (each[:, 0] for each in trained.decode(source))
    target = tf.concat([[[START_ID]] * 2, answer[:, :-1]], axis=1)
    log_probabilities = tf.nn.log_softmax(trained({"source": source, "target": target}))
    expected = tf.gather(log_probabilities, answer, batch_dims=2).numpy()
    expected[1, 2:] = 0  # "D" and its end
    np.testing.assert_allclose(log_probability, expected.sum(axis=1), rtol=1e-4, atol=1e-5)


def test_answers_end_at_the_first_padding():
    keras.utils.set_random_seed(3)
    sums = PairPreprocessor(Vocabulary("0123456789+"), 7, 12)
    answers = Seq2Seq(sums, hidden_dim=8).decode(ids((200, 7)))[0][:, 0]
    ended = np.cumsum(answers.numpy() == PADDING_ID, axis=1) > 0
    assert (answers.numpy()[ended] == PADDING_ID).all()


def test_exact_match_of_teacher_forcing_equals_that_of_greedy_decoding(pairs):
    """On a half-trained model, whose answers are right and wrong."""
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs(pairs)
    model = Seq2Seq(preprocessor, hidden_dim=24, cell="simple_rnn")
    model.compile(keras.optimizers.Adam(0.02), SequenceCrossentropy(), metrics=[ExactMatch()], jit_compile=False)
    model.fit(preprocessor.batches(pairs, 28, shuffle_seed=0), epochs=10, verbose=0)
    teacher_forced = model.evaluate(preprocessor.batches(pairs, 32), verbose=0, return_dict=True)["exact_match"]
    answers = model.generate([source for source, _ in pairs])
    greedy = np.mean([answer == target for answer, (_, target) in zip(answers, pairs, strict=True)])
    assert 0 < greedy < 1
    assert teacher_forced == pytest.approx(greedy)


def test_saved_model_answers_after_loading_with_its_preprocessor_and_training_state(trained, tmp_path, pairs):
    trained.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert model.preprocessor == trained.preprocessor
    assert model.generate(["abc", "dd"]) == ["CBA", "DD"]
    assert type(model) is PeekySeq2Seq
    assert int(model.optimizer.iterations) == int(trained.optimizer.iterations)
    model.fit(model.preprocessor.batches(pairs, 28), epochs=1, verbose=0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_every_option_survives_saving(sums, cell, tmp_path):
    model = Seq2Seq(sums, 4, 6, cell=cell, num_layers=2, dropout=0.1, pass_cell_state=False, unroll=False)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    inputs = {"source": ids((3, 7)), "target": ids((3, 4))}
    np.testing.assert_array_equal(model(inputs), again(inputs))


def test_config_makes_the_same_model_with_new_weights(trained):
    model = PeekySeq2Seq.from_config(trained.get_config())
    assert model.get_config() == trained.get_config()
    assert model.generate("abc") != "CBA"
    model.set_weights(trained.get_weights())
    assert model.generate("abc") == "CBA"
    assert copy.deepcopy(model).generate("abc") == pickle.loads(pickle.dumps(model)).generate("abc") == "CBA"


@pytest.mark.parametrize("wrong", [12, None, ["a"]])
def test_what_is_no_string_is_an_error_and_harms_no_later_call(trained, wrong):
    with pytest.raises(ValueError, match="Sources must be strings"):
        trained.generate(["a", wrong])
    assert trained.generate(tf.constant("abc")) == "CBA"


def test_generate_refuses_an_empty_batch_size(trained):
    with pytest.raises(ValueError, match=r"batch_size must be at least 1\. Received: batch_size=0"):
        trained.generate(["a"], batch_size=0)


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow(minutes=1))])
def test_mixed_precision_trains_saves_and_answers(policy, tmp_path, pairs):
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs(pairs)
    model = PeekySeq2Seq(preprocessor, 8, 16, dtype=policy)
    model.compile(keras.optimizers.Adam(0.02), SequenceCrossentropy(), run_eagerly=True)
    losses = model.fit(preprocessor.batches(pairs, 28), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) is (policy == "mixed_float16")
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.encoder.embedding.dtype_policy.name == policy
    assert again.generate(["abc"]) == model.generate(["abc"])


def test_a_model_is_made_from_pairs_and_the_options_of_both_classes(pairs):
    dataset = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*pairs, strict=True))))
    for data in (pairs, dataset):
        model = PeekySeq2Seq.from_pairs(data, reverse=True, unknown=True, embedding_dim=4, hidden_dim=6, cell="gru")
        assert type(model) is PeekySeq2Seq
        assert model.preprocessor == PairPreprocessor.from_pairs(pairs, reverse=True, unknown=True)
        assert (model.get_config()["hidden_dim"], model.get_config()["cell"]) == (6, "gru")
    words = Seq2Seq.from_pairs([("a b", "c")], source_split="whitespace", target_split="whitespace", hidden_dim=4)
    assert words.preprocessor.vocabulary == Vocabulary("abc", "whitespace")
    with pytest.raises(ValueError, match="Pair 2 has an empty target"):
        Seq2Seq.from_pairs([("a", "b"), ("a", "")])
    with pytest.raises(ValueError, match="There are no pairs"):
        Seq2Seq.from_pairs([])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"cell": "rnn"}, r"cell must be one of .*Received: cell='rnn'"),
        ({"hidden_dim": 0}, "hidden_dim must be at least 1. Received: hidden_dim=0"),
        ({"num_layers": 0}, "num_layers must be at least 1. Received: num_layers=0"),
        ({"initializer": "zeros"}, r"initializer must be one of .*Received: initializer='zeros'"),
    ],
)
def test_options_that_no_model_has_are_named(sums, option, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(sums, **option)
