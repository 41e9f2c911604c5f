"""The language model: stepping against reading, what it writes, samplers and seeds, saving."""

import collections
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import runtime
from seqzoo.models import Greedy, LanguageModel, Temperature, TopK, language_model, load
from seqzoo.models.decoding.samplers import uniform_numbers
from seqzoo.pipelines import TextPreprocessor

HELLO = "you say goodbye and I say hello"
RHYME = "the cat sat on the mat.\nthe rat sat on the hat.\n" * 20
NEAR_TIE = 1e-4


def compiled(model, learning_rate, run_eagerly=False):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, jit_compile=False, run_eagerly=run_eagerly)
    return model


@pytest.fixture(scope="module")
def hello():
    """A word-level model of one sentence."""
    keras.utils.set_random_seed(0)
    preprocessor = TextPreprocessor.from_text(HELLO, split="whitespace")
    rate = keras.optimizers.schedules.CosineDecay(0.03, 200)
    model = compiled(LanguageModel(preprocessor, 16, 32), rate)
    model.fit(preprocessor.windows(HELLO, 32, length=2, steps=200), verbose=0)
    return model


@pytest.fixture(scope="module")
def rhyme():
    """A character-level model, half trained: it knows words and errs."""
    keras.utils.set_random_seed(0)
    preprocessor = TextPreprocessor.from_text(RHYME)
    model = compiled(LanguageModel(preprocessor, 8, 32), 0.01)
    model.fit(preprocessor.windows(RHYME, 16, length=16, steps=80), verbose=0)
    return model


def random_model(cell="lstm", **options):
    keras.utils.set_random_seed(1)
    return LanguageModel(TextPreprocessor.from_text(RHYME), 9, 9, cell=cell, **options)


def ids(shape, size=10, seed=0):
    return np.random.default_rng(seed).integers(2, size, shape).astype("int32")


def test_the_sentence_is_learnt(hello):
    assert hello.generate("I", max_length=1, sampler=Greedy()) == "say"
    assert hello.generate("", max_length=3, sampler=Greedy()) == "you say goodbye"


def test_after_say_alone_both_words_are_drawn_about_equally_often(hello):
    drawn = collections.Counter(hello.generate(["say"] * 1000, max_length=1, seed=range(1000)))
    assert 400 <= drawn["goodbye"] <= 600
    assert 400 <= drawn["hello"] <= 600


def test_a_run_stops_at_the_end_symbol(hello):
    assert hello.generate("I say hello", max_length=50, sampler=Greedy()) == ""
    texts = hello.generate(["say"] * 50, max_length=200, seed=range(50))
    assert all(text.endswith("hello") for text in texts)
    assert len({len(text.split()) for text in texts}) > 1


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_stepping_reading_in_parts_and_teacher_forcing_give_the_same_logits(cell, tie_embeddings):
    model = random_model(cell, num_layers=2, dropout=0.3, tie_embeddings=tie_embeddings)
    tokens = ids((5, 12))
    at_once = model(tokens).numpy()
    states = model.initial_state(5)
    first, states = model.read(tokens[:, :4], states)
    np.testing.assert_allclose(first, at_once[:, :4], rtol=1e-5, atol=1e-5)
    for position in range(4, 12):
        logits, states = model.step(tokens[:, position], states)
        np.testing.assert_allclose(logits, at_once[:, position], rtol=1e-5, atol=1e-5)


def test_tying_shares_the_embedding_with_the_output():
    tied, free = random_model(tie_embeddings=True), random_model()
    size = tied.preprocessor.vocabulary.size
    assert free.count_params() - tied.count_params() == 9 * size + size
    with pytest.raises(ValueError, match="Received: embedding_dim=4, hidden_dim=8"):
        LanguageModel(TextPreprocessor.from_text("ab"), 4, 8, tie_embeddings=True)


def test_dropout_is_active_in_training_only():
    model = random_model(dropout=0.5, num_layers=2)
    tokens = ids((2, 5))
    np.testing.assert_array_equal(model(tokens), model(tokens))
    assert np.abs(model(tokens, training=True) - model(tokens, training=True)).max() > 0


def teacher_forced(model, prompt, text):
    """The logits of each token of `text` after `prompt`."""
    prompt_ids, *_ = model.preprocessor.encode_prompts([prompt])
    written = model.preprocessor.encode(text)[:-1].astype("int32")
    tokens = np.concatenate([prompt_ids[0], written])[None]
    logits = model(tokens[:, :-1]).numpy()[0, len(prompt_ids[0]) - 1 :]
    logits[:, 1] = -np.inf
    return logits, written


def test_greedy_text_is_the_argmax_of_the_teacher_forced_logits(rhyme):
    for prompt in ("the", "", "m", "hat.\n"):
        text = rhyme.generate(prompt, max_length=60, sampler=Greedy())
        assert len(text) == 60
        logits, written = teacher_forced(rhyme, prompt, text)
        best = np.sort(logits, axis=-1)
        wrong = logits.argmax(axis=-1) != written
        assert not np.any(wrong & (best[:, -1] - best[:, -2] > NEAR_TIE))


def test_the_same_seed_gives_the_same_text_alone_and_in_a_shared_batch_but_for_near_ties(rhyme, monkeypatch):
    monkeypatch.setattr(runtime, "processors", lambda: 3)
    monkeypatch.setattr(language_model, "_MIN_PROMPTS_PER_THREAD", 7)
    prompts = ["the", "", "m", "the cat sat", "hat.\n", "the"] * 4
    together = rhyme.generate(prompts, max_length=50, seed=range(24))
    near_ties = 0
    for seed, (prompt, text) in enumerate(zip(prompts, together, strict=True)):
        alone = rhyme.generate(prompt, max_length=50, seed=seed)
        if alone != text:
            at = next(i for i, (a, b) in enumerate(zip(alone, text, strict=False)) if a != b)
            logits, _ = teacher_forced(rhyme, prompt, text[: at + 1])
            uniform = tf_uniform(seed, at)
            probability = np.exp(logits[-1] - logits[-1].max())
            borders = np.cumsum(probability) / probability.sum()
            assert np.abs(borders - uniform).min() < NEAR_TIE
            near_ties += 1
    assert near_ties <= 2
    assert together[0] != together[5]


def tf_uniform(seed, position):
    return float(uniform_numbers(tf.constant([seed], tf.int64), position, 1))


def test_one_seed_for_all_is_each_prompts_seed(rhyme):
    assert rhyme.generate(["the", "m"], 30, seed=3) == rhyme.generate(["the", "m"], 30, seed=[3, 3])
    assert rhyme.generate("the", 30, seed=3) != rhyme.generate("the", 30, seed=4)


@pytest.mark.parametrize("options", [{}, {"stop": "mat"}, {"sampler": TopK(2), "skip": "m"}, {"max_length": 3}])
def test_stream_yields_the_text_that_generate_returns(rhyme, options):
    options = {"max_length": 100, "seed": 5, **options}
    pieces = list(rhyme.stream("the ", **options))
    assert "".join(pieces) == rhyme.generate("the ", **options)
    assert len(pieces) > 1 or options["max_length"] == 3


def test_stream_of_words_keeps_the_spaces(hello):
    words = "".join(hello.stream("you", max_length=30, seed=2, skip=[]))
    assert words == hello.generate("you", max_length=30, seed=2)
    assert len(words.split()) > 3


def test_text_ends_with_the_stop_string(rhyme, hello):
    text = rhyme.generate("the ", max_length=200, sampler=Greedy(), stop="at")
    assert text.endswith("at")
    assert text.count("at") == 1
    texts = rhyme.generate(["the", "mat"], max_length=60, seed=1, stop="\n")
    assert all("\n" not in text[:-1] for text in texts)
    assert hello.generate("you", 9, Greedy(), stop="say goodbye") == "say goodbye"


def test_skipped_tokens_are_not_written(rhyme, hello):
    assert "t" in rhyme.generate("the", 80)
    assert not set("th") & set(rhyme.generate("the", 80, skip="th"))
    assert "say" not in hello.generate("I", 20, skip=["say"]).split()


def test_unknown_tokens_are_read_and_never_written():
    preprocessor = TextPreprocessor.from_text("a b c d", "whitespace", unknown=True)
    keras.utils.set_random_seed(0)
    model = LanguageModel(preprocessor, 4, 4)
    texts = model.generate(["a x", "y"] * 20, max_length=10, seed=range(40))
    assert {word for text in texts for word in text.split()} == set("abcd")


def test_nothing_is_written_for_no_prompt_and_no_length(rhyme):
    assert rhyme.generate([], 5) == []
    assert rhyme.generate(["a", "the"], 0) == ["", ""]
    assert list(rhyme.stream("the", 0)) == []


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ("thé", {}, "the prompt has the character 'é', which is not in the vocabulary"),
        (b"\xff", {}, "the prompt is not valid UTF-8"),
        ("the", {"max_length": -1}, "max_length must not be negative. Received: max_length=-1"),
        ("the", {"stop": ""}, "stop must be text of tokens that the model can write. Received: stop=''"),
        ("the", {"stop": "é"}, "stop must be text of tokens that the model can write. Received: stop='é'"),
        ("the", {"skip": "é"}, "skip has the token 'é', which is not in the vocabulary"),
        ("the", {"skip": "\n .acehmnorst"}, "skip leaves no token to write"),
        ("the", {"sampler": "greedy"}, "sampler must be a Sampler. Received: 'greedy'"),
        ("the", {"seed": [1, 2]}, "There must be one seed, or one a prompt (1). Received: 2"),
    ],
)
@pytest.mark.parametrize("method", ["generate", "stream"])
def test_wrong_arguments_are_named_at_the_call(rhyme, method, prompt, options, message):
    with pytest.raises(ValueError, match=r".") as error:
        getattr(rhyme, method)(prompt, **options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_every_option_survives_saving(cell, tmp_path):
    model = random_model(cell, num_layers=2, dropout=0.1, tie_embeddings=True)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert again.preprocessor == model.preprocessor
    np.testing.assert_array_equal(model(ids((3, 7))), again(ids((3, 7))))
    assert again.generate("the", 20, seed=1) == model.generate("the", 20, seed=1)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_repeats_with_or_without_xla(jit_compile):
    def losses():
        model = random_model("simple_rnn")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=jit_compile)
        windows = model.preprocessor.windows(RHYME, 8, 12, steps=5)
        return model.fit(windows, epochs=2, verbose=0).history["loss"]

    first = losses()
    assert first[1] < first[0]
    np.testing.assert_allclose(losses(), first, rtol=1e-6)


@pytest.mark.parametrize("policy", [pytest.param("mixed_bfloat16", marks=pytest.mark.slow(minutes=1)), "mixed_float16"])
def test_mixed_precision_trains_and_writes(policy):
    model = compiled(random_model(dtype=policy, num_layers=2), 0.01)
    windows = model.preprocessor.windows(RHYME, 8, 12, steps=20)
    losses = model.fit(windows, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    assert len(model.generate("the", 10, Temperature(0.5))) == 10
    assert math.isfinite(model.evaluate(RHYME, verbose=0, return_dict=True)["loss"])


def test_prompt_of_many_that_does_not_fit_is_named_by_its_row(rhyme):
    with pytest.raises(ValueError, match=r"^row 2: the prompt has the character 'é'"):
        rhyme.generate(["the", "thé"], 3)


def test_seed_may_be_any_whole_number(rhyme):
    assert rhyme.generate("the", 20, seed=np.int64(3)) == rhyme.generate("the", 20, seed=3)


def test_a_model_is_made_from_a_text_and_the_options_of_both_classes():
    for text in (RHYME, RHYME.splitlines(keepends=True), tf.data.Dataset.from_tensors(RHYME)):
        model = LanguageModel.from_text(text, lines=True, unknown=True, embedding_dim=4, hidden_dim=6, cell="gru")
        assert model.preprocessor == TextPreprocessor.from_text(RHYME, lines=True, unknown=True)
        assert (model.get_config()["hidden_dim"], model.get_config()["cell"]) == (6, "gru")
    words = LanguageModel.from_text("b a b c c d", split="whitespace", unknown=True, max_tokens=2, hidden_dim=4)
    assert words.preprocessor.vocabulary.tokens == ["b", "c"]
    with pytest.raises(ValueError, match="The text has no tokens"):
        LanguageModel.from_text("")


def test_a_text_shorter_than_a_window_trains():
    model = compiled(LanguageModel.from_text("hello", embedding_dim=4, hidden_dim=8), 0.1, run_eagerly=True)
    losses = model.fit("hello", epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    assert math.isfinite(model.evaluate("hello", verbose=0, return_dict=True)["loss"])
