"""The functions that models offer to exports: the same answers as the models', and errors a row."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import AttentionSeq2Seq, Chain, LanguageModel, PeekySeq2Seq, Seq2Seq, Temperature, TopK
from seqzoo.models.serving.string_functions import MAX_TEXT_TOKENS
from seqzoo.pipelines import PADDING_ID, START_ID

PAIRS = [("abc", "CBA"), ("d", "D"), ("ca", "AC")]
TEXT = "the cat sat on the mat.\nthe rat sat on the hat.\n" * 3


@pytest.fixture(scope="module")
def functions(trained):
    """The string functions of a seq2seq model, by name."""
    return {name: function for name, (function, _) in trained.serving_functions().items()}


@pytest.fixture(scope="module")
def writer():
    """A language model that has not learnt anything, and so writes all kinds of texts."""
    keras.utils.set_random_seed(0)
    return LanguageModel.from_text(TEXT, embedding_dim=4, hidden_dim=8, num_layers=2)


@pytest.fixture(scope="module")
def writing(writer):
    """Its string functions, by name."""
    return {name: function for name, (function, _) in writer.serving_functions().items()}


def sample(writing, rows):
    """The texts and errors of rows of prompt, length, temperature, k and seed."""
    *columns, seeds = zip(*rows, strict=True)
    return writing["sample"](*map(tf.constant, columns), tf.constant(seeds, tf.int64))


def texts(strings):
    return [string.decode() for string in strings.numpy()]


@pytest.mark.parametrize("name", ["trained", "writer"])
def test_functions_take_batches_of_named_tensors(name, request):
    model = request.getfixturevalue(name)
    for functions in (model.serving_functions(), model.token_functions()):
        assert "serving_default" in functions
        for function, specs in functions.values():
            assert all(isinstance(spec, tf.TensorSpec) for spec in specs)
            inspect.signature(function).bind(**{spec.name: spec for spec in specs})


# === Answers ===


def test_sources_are_answered_as_the_model_answers(trained, functions):
    sources = [source for source, _ in PAIRS]
    results = functions["serving_default"](tf.constant(sources))
    assert texts(results["answer"]) == trained.generate(sources) == [target for _, target in PAIRS]
    assert texts(results["error"]) == ["", "", ""]
    assert (results["log_probability"].numpy() > np.log(0.5)).all()


def test_ids_are_answered_as_their_strings(trained, functions):
    sources = [source for source, _ in PAIRS]
    vocabulary = trained.preprocessor.vocabulary
    expected = functions["serving_default"](tf.constant(sources))
    results = functions["ids"](vocabulary.lookup(sources).to_tensor())
    assert texts(trained.preprocessor.decode(results["answer"])) == texts(expected["answer"])
    np.testing.assert_allclose(results["log_probability"], expected["log_probability"], rtol=1e-4, atol=1e-5)


def test_the_score_of_the_answer_is_its_log_probability(functions):
    sources = tf.constant([source for source, _ in PAIRS])
    expected = functions["serving_default"](sources)
    scores = functions["score"](sources, expected["answer"])
    np.testing.assert_allclose(scores["log_probability"], expected["log_probability"], rtol=1e-4, atol=1e-5)
    others = functions["score"](sources, tf.constant(["AAA", "A", "CAB"]))
    assert (others["log_probability"].numpy() < expected["log_probability"].numpy() - 1).all()


def test_wrong_rows_have_their_error_and_leave_their_neighbours_alone(trained, functions):
    fine = functions["serving_default"](tf.constant(["abc", "ca"]))
    results = functions["serving_default"](tf.constant([b"abc", b"xyz", b"", b"\xff", b"ca"]))
    assert texts(results["answer"]) == ["CBA", "", "", "", "AC"]
    assert texts(results["error"]) == [
        "",
        "source 'xyz' has the character 'x', which is not in the vocabulary",
        "source is empty",
        "source is not valid UTF-8: \\xff",
        "",
    ]
    np.testing.assert_allclose(results["log_probability"].numpy()[[0, 4]], fine["log_probability"], rtol=1e-4)
    assert not results["log_probability"].numpy()[1:4].any()
    ids = trained.preprocessor.vocabulary.lookup(["abc"]).to_tensor()
    results = functions["ids"](tf.concat([ids, [[START_ID] * 3], ids], axis=0))
    assert not results["answer"].numpy()[1].any()
    assert texts(results["error"])[1].startswith("source has the id 1; ")
    scores = functions["score"](tf.constant(["x", "abc", "abc", ""]), tf.constant(["A", "", "CBA", "A"]))
    assert [bool(error) for error in texts(scores["error"])] == [True, True, False, True]
    assert texts(scores["error"])[1] == "target is empty"
    assert not scores["log_probability"].numpy()[[0, 1, 3]].any()


# === Texts ===


def test_a_prompt_is_continued_as_the_model_continues_it(writer, writing):
    prompts = ["the ", "", "m"]
    results = writing["serving_default"](tf.constant(prompts))
    assert texts(results["text"]) == writer.generate(prompts, 100, seed=0)
    assert texts(results["error"]) == ["", "", ""]


def test_each_row_is_written_by_its_own_options(writer, writing):
    rows = [("the ", 20, 0.5, 3, 1), ("", 3, 1.0, 99, 7), ("m", 0, 1.0, 1, 7), ("the ", 20, 2.0, 5, 2)]
    results = sample(writing, rows)
    expected = [
        writer.generate(prompt, length, Chain([Temperature(temperature), TopK(k)]), seed)
        for prompt, length, temperature, k, seed in rows
    ]
    assert texts(results["text"]) == expected
    assert len({*expected}) == 4


def test_wrong_requests_have_their_error_and_leave_their_neighbours_alone(writer, writing):
    fine = ("the ", 9, 0.5, 3, 1)
    rows = [
        (fine, ""),
        (("thx", 9, 0.5, 3, 1), "the prompt has the character 'x', which is not in the vocabulary"),
        (("the ", -1, 0.5, 3, 1), "length must not be negative. Received: -1"),
        (("the ", 10**6, 0.5, 3, 1), f"length must be at most {MAX_TEXT_TOKENS}. Received: 1000000"),
        (("the ", 9, 0.0, 3, 1), "temperature must be a number above 0. Received: 0"),
        (("the ", 9, float("nan"), 3, 1), "temperature must be a number above 0. Received: nan"),
        (("the ", 9, 0.5, 0, 1), "top_k must be at least 1. Received: 0"),
        (fine, ""),
    ]
    results = sample(writing, [row for row, _ in rows])
    for error, (_, message) in zip(texts(results["error"]), rows, strict=True):
        assert error == "" if not message else error.startswith(message)
    expected = writer.generate("the ", 9, Chain([Temperature(0.5), TopK(3)]), 1)
    assert texts(results["text"]) == [expected, *[""] * 6, expected]


def test_a_prompt_that_is_too_long_has_an_error(writer, writing):
    results = writing["serving_default"](tf.constant(["t" * (MAX_TEXT_TOKENS + 1), "the "]))
    message = f"the prompt must have at most {MAX_TEXT_TOKENS} tokens. Received: {MAX_TEXT_TOKENS + 1}"
    assert texts(results["error"]) == [message, ""]
    assert texts(results["text"]) == ["", writer.generate("the ", 100)]


# === Ids to ids ===


@pytest.mark.parametrize("kind", [Seq2Seq, PeekySeq2Seq, AttentionSeq2Seq])
@pytest.mark.parametrize(
    ("reverse", "options"), [(False, {"num_layers": 2, "pass_cell_state": False}), (True, {"cell": "gru"})], ids=str
)
def test_ids_are_answered_at_once_and_step_by_step(kind, reverse, options):
    keras.utils.set_random_seed(0)
    model = kind.from_pairs([("abcd", "DCBAA"), ("c", "C")], reverse=reverse, embedding_dim=4, hidden_dim=8, **options)
    functions = {name: function for name, (function, _) in model.token_functions().items()}
    sources = ["abcd", "c", "ba", "dd"]
    source = model.preprocessor.vocabulary.lookup(sources).to_tensor(PADDING_ID, shape=[None, 4])
    expected = model.decode(model.preprocessor.encode_sources(sources)[0])[0][:, 0]
    np.testing.assert_array_equal(functions["serving_default"](source)["answer"], expected)
    for row in range(len(sources)):
        np.testing.assert_array_equal(functions["batch_1"](source[row : row + 1])["answer"], expected[row : row + 1])
        state, token = functions["encode"](source[row : row + 1]), tf.constant([START_ID])
        fixed = {name: value for name, value in state.items() if not name.startswith("state")}
        for wanted in expected.numpy()[row]:
            results = functions["decode_step"](token, **state)
            np.testing.assert_allclose(tf.reduce_sum(results["probabilities"]), 1, rtol=1e-5)
            assert int(tf.argmax(results["probabilities"][0])) == int(results["next"][0]) == wanted
            token = results["next"]
            state = {**fixed, **{name: value for name, value in results.items() if name.startswith("state")}}
            if wanted == PADDING_ID:
                break


@pytest.fixture(scope="module")
def aligning():
    """A model with attention that has not learnt anything, with answers of more steps than are unrolled."""
    keras.utils.set_random_seed(0)
    model = AttentionSeq2Seq.from_pairs(
        [("abcd", "x yy z yy z x x yy z yy"), ("c", "z")],
        reverse=True,
        target_split="whitespace",
        embedding_dim=4,
        hidden_dim=8,
    )
    numbers = np.random.default_rng(0)
    model.set_weights([numbers.normal(0, 1.5, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize(("beam_size", "length_penalty"), [(1, 0.0), (3, 0.0), (3, 1.0)])
def test_ids_are_answered_by_the_search_in_steps_of_any_number(aligning, beam_size, length_penalty):
    functions = aligning.token_functions(beam_size=beam_size, length_penalty=length_penalty)
    sources = tf.constant(["abcd", "c", "ba", "dd", "cab"])
    source = aligning.preprocessor.source_vocabulary.lookup(sources).to_tensor(PADDING_ID, shape=[None, 4])
    encoded, _ = aligning.preprocessor.encode_sources(sources)
    expected = aligning.decode(encoded, beam_size, 1, length_penalty)[0][:, 0]
    assert len({*map(tuple, expected.numpy().tolist())}) > 2
    np.testing.assert_array_equal(functions["serving_default"][0](source)["answer"], expected)
    np.testing.assert_array_equal(functions["batch_1"][0](source[:1])["answer"], expected[:1])


def test_alignments_are_in_the_order_of_the_source(aligning):
    align, _ = aligning.serving_functions()["align"]
    results = align(tf.constant(["cab", "x", "abcd"]))
    assert texts(results["error"]) == ["", "source 'x' has the character 'x', which is not in the vocabulary", ""]
    answer, expected = aligning.align("cab")
    assert texts(results["answer"]) == [answer, "", aligning.align("abcd")[0]]
    np.testing.assert_allclose(results["alignment"][0, : len(expected), :3], expected, atol=1e-5)
    assert not results["alignment"].numpy()[0, :, 3].any()
    assert not results["alignment"].numpy()[1].any()
    functions = {name: function for name, (function, _) in aligning.token_functions().items()}
    source = aligning.preprocessor.source_vocabulary.lookup(["cab"]).to_tensor(PADDING_ID, shape=[None, 4])
    step = functions["decode_step"](tf.constant([START_ID]), **functions["encode"](source))
    np.testing.assert_allclose(step["alignment"][0, :3], expected[0], atol=1e-5)


def test_a_beam_adds_the_best_answers(aligning):
    assert sorted(aligning.serving_functions()) == ["align", "ids", "score", "serving_default"]
    functions = aligning.serving_functions(beam_size=3, length_penalty=0.5)
    assert sorted(functions) == ["align", "ids", "n_best", "score", "serving_default"]
    sources = ["cab", "abcd"]
    best = functions["n_best"][0](tf.constant(sources))
    for row, expected in enumerate(aligning.n_best(sources, 3, 3, 0.5)):
        assert texts(best["answers"][row]) == [text for text, _ in expected]
        np.testing.assert_allclose(best["log_probabilities"][row], [number for _, number in expected], rtol=1e-4)
    first = functions["serving_default"][0](tf.constant(sources))
    np.testing.assert_array_equal(first["answer"], best["answers"][:, 0])


@pytest.mark.parametrize("options", [{"beam_size": 4}, {"length_penalty": 0.5}])
def test_a_language_model_has_no_beam(writer, options):
    for functions in (writer.serving_functions, writer.token_functions):
        with pytest.raises(ValueError, match="A LanguageModel continues prompts and searches for no answers: leave"):
            functions(**options)


def test_token_functions_name_all_that_a_step_takes(trained):
    functions = trained.token_functions()
    encode, _ = functions["encode"]
    _, specs = functions["decode_step"]
    state = encode(tf.ones([1, 3], tf.int32))
    assert [spec.name for spec in specs] == ["token", *state]
    assert all(spec.shape == state[spec.name].shape for spec in specs[1:])


def test_a_language_model_steps_as_it_reads(writer):
    (step, specs), (any_batch, any_specs) = (writer.token_functions()[name] for name in ("step", "serving_default"))
    assert [spec.name for spec in specs] == [spec.name for spec in any_specs]
    assert [spec.shape[0] for spec in specs] == [1] * len(specs)
    assert [spec.shape[0] for spec in any_specs] == [None] * len(specs)
    states = {spec.name: tf.zeros(spec.shape, spec.dtype) for spec in specs[1:]}
    tokens = tf.constant([[2, 5, 3, 4]])
    expected = writer(tokens)
    for at in range(4):
        results = step(tokens[:, at], **states)
        np.testing.assert_allclose(results["logits"], expected[:, at], rtol=1e-5, atol=1e-5)
        states = {name: value for name, value in results.items() if name != "logits"}
    both = any_batch(tf.constant([2, 5]), **{spec.name: tf.zeros([2, *spec.shape[1:]]) for spec in any_specs[1:]})
    np.testing.assert_allclose(both["logits"][0], expected[0, 0], rtol=1e-5, atol=1e-5)
