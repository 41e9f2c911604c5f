"""Models whose layers or surroundings are changed: answers follow, and what could not be read back is refused."""

import copy
import re

import keras
import numpy as np
import pytest
from model_tasks import PAIR_TASK, PAIRS, SMALL, TEXT, TEXT_TASK, both

from seqzoo import models
from seqzoo.models import AttentionSeq2Seq, Ensemble, LanguageModel, Seq2Seq

ANSWERING = {"embedding_dim": 4, "hidden_dim": 4}
LAST_DENSE = {
    "seq2seq": (lambda: Seq2Seq.from_pairs(PAIRS, **SMALL), lambda model: model.decoder.dense),
    "attention": (lambda: AttentionSeq2Seq.from_pairs(PAIRS, **SMALL), lambda model: model.decoder.attention.query),
    "a layer's own layer": (
        lambda: AttentionSeq2Seq.from_pairs(PAIRS, **SMALL),
        lambda model: model.decoder.attention.value,
    ),
    "ensemble": (lambda: Ensemble([Seq2Seq.from_pairs(PAIRS, **SMALL)]), lambda model: model.members[0].decoder.dense),
    "text": (lambda: LanguageModel.from_text(TEXT, **SMALL), lambda model: model.dense),
}


def answers(model):
    if isinstance(model, LanguageModel):
        return model.generate(["the ", "a dog"], 30, models.Greedy())
    return model.generate([source for source, _ in PAIRS])


def disturb(layer):
    """A change by LoRA that shows in the answers."""
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(5 * np.random.default_rng(0).normal(size=layer.lora_kernel_b.shape))


@pytest.mark.parametrize("kind", [kind for kind in LAST_DENSE if kind != "attention"])
def test_answers_follow_lora(kind, tmp_path):
    keras.utils.set_random_seed(0)
    build, layer_of = LAST_DENSE[kind]
    model = build()
    before = answers(model)
    disturb(layer_of(model))
    after = answers(model)
    assert after != before
    model.save(tmp_path / "model.keras")
    assert answers(models.load(tmp_path / "model.keras")) == after


def test_keras_functions_follow_lora():
    model = PAIR_TASK.model(jit_compile=False, run_eagerly=False)
    (x, _), *_ = model.preprocessor.batches(PAIRS, len(PAIRS))
    before = [model.evaluate(PAIRS, verbose=0), model.predict(x, verbose=0)]
    disturb(model.decoder.dense)
    after = [model.evaluate(PAIRS, verbose=0), model.predict(x, verbose=0)]
    assert abs(before[0][0] - after[0][0]) > 1e-3
    assert np.abs(before[1] - after[1]).max() > 1e-3
    np.testing.assert_allclose(after[1], model(x, training=False), atol=1e-5)


def test_answers_follow_the_quantisation_of_a_layer():
    keras.utils.set_random_seed(0)
    model = Seq2Seq.from_pairs(PAIRS, **ANSWERING)
    before = answers(model)
    model.decoder.dense.quantize("int8")
    model.decoder.dense.kernel_scale.assign(-model.decoder.dense.kernel_scale)
    assert answers(model) != before


@pytest.mark.parametrize("asked", [True, False])
def test_a_layer_in_anothers_place_is_refused(asked):
    """Keras evaluates and saves the model that it was made as."""
    model = Seq2Seq.from_pairs(PAIRS, **ANSWERING)
    model.compile(run_eagerly=True)
    if asked:
        answers(model)
    other = keras.layers.Dense(model.decoder.dense.units, dtype="float32", name="other")
    other.build((None, 4))
    model.decoder.dense = other
    for call in (answers, lambda model: model.fit(PAIRS, verbose=0), lambda model: model.evaluate(PAIRS, verbose=0)):
        with pytest.raises(ValueError, match=r"Another layer was put in the place of '.*', with which a functional"):
            call(model)


def test_a_further_layer_is_the_users_own(tmp_path):
    model = Seq2Seq.from_pairs(PAIRS, **ANSWERING)
    model.compile(run_eagerly=True)
    before = answers(model)
    model.teacher = Seq2Seq.from_pairs(PAIRS, **ANSWERING)
    assert answers(model) == before
    model.fit(PAIRS, verbose=0)


def test_an_ensemble_and_other_copies_have_what_lora_learnt():
    keras.utils.set_random_seed(0)
    model = Seq2Seq.from_pairs(PAIRS, **SMALL)
    disturb(model.decoder.dense)
    assert answers(Ensemble([model])) == answers(model.copy_with(name="copy")) == answers(model)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_dtype_that_is_not_that_of_keras_is_not_trained(dtype):
    model = Seq2Seq.from_pairs(PAIRS, **SMALL).with_dtype(dtype)
    assert len(answers(model)) == len(PAIRS)
    model.compile()
    message = rf"keras.config.set_floatx\('{dtype}'\); .* Received: dtype='{dtype}'"
    with pytest.raises(ValueError, match=message):
        model.fit(PAIRS, verbose=0)


@both
def test_a_model_is_not_quantised(task):
    model = task.build()
    with pytest.raises(ValueError, match=re.escape('seqzoo.export.litert(model, path, quantize="dynamic_int8"). Rece')):
        model.quantize("int8")
    answers(model)


@pytest.mark.parametrize("kind", ["seq2seq", "a layer's own layer", "text"])
def test_a_model_with_a_quantised_layer_is_not_saved(kind, tmp_path):
    build, layer_of = LAST_DENSE[kind]
    model = build()
    layer_of(model).quantize("int8")
    assert answers(model)
    path = "logits" if kind == "text" else r"decoder/[\w/]+"
    with pytest.raises(ValueError, match=f"The layer {path} is quantised, and could not be read back from a file: use"):
        model.save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model", "model.tf"])
@both
def test_a_model_is_saved_as_keras_file(task, name, tmp_path):
    with pytest.raises(ValueError, match=rf"A model is saved as one .keras file. Received: '.*{name}'"):
        task.build().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 33}, "the layers must be at most 32. Received: 33"),
        ({"num_layers": 25, "unroll": True, "length": 200}, "the unrolled steps must be at most 4096. Received: 5025"),
        ({"length": 2**15}, None),
        ({"length": 2**15 + 1}, "the length must be at most 32768. Received: 32769"),
    ],
    ids=str,
)
def test_what_can_be_made_can_be_read_back(options, message, tmp_path):
    length = options.get("length", 3)
    pairs = [("ab" * (length // 2) + "a" * (length % 2), "b")]
    options = {name: value for name, value in options.items() if name != "length"}

    def build():
        return Seq2Seq.from_pairs(pairs, **{**SMALL, "embedding_dim": 1, "hidden_dim": 1, **options})

    if message:
        with pytest.raises(ValueError, match=re.escape(message)):
            build()
    else:
        build().save(tmp_path / "model.keras")
        assert models.load(tmp_path / "model.keras").count_params() == build().count_params()


def test_texts_have_the_same_limit():
    with pytest.raises(ValueError, match=r"the layers must be at most 32\. Received: 33"):
        LanguageModel.from_text(TEXT, **SMALL, num_layers=33)


# === Keras' global float type ===


@pytest.fixture
def set_floatx():
    before = keras.config.floatx()
    yield keras.config.set_floatx
    keras.config.set_floatx(before)


@pytest.mark.parametrize(
    ("preset", "floatx", "source", "target"),
    [
        ("addition_reverse", "float16", "628+521", "1149"),
        ("dates", "float16", "3 May 1999", "1999-05-03"),
        pytest.param("dates", "bfloat16", "3 May 1999", "1999-05-03", marks=pytest.mark.slow(minutes=1)),
        pytest.param("dates", "float64", "3 May 1999", "1999-05-03", marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_presets_answer_alike_whatever_the_float_type_of_keras(preset, floatx, source, target, set_floatx):
    set_floatx(floatx)
    model = models.from_preset(preset)
    assert model.generate([source] * 2) == [target] * 2
    assert model.n_best(source, 2)[0][0] == target
    if model.attends:
        assert model.align(source)[0] == target
    model.compile(run_eagerly=True)
    assert model.evaluate([(source, target)], verbose=0)[1] == 1.0


def test_texts_are_written_alike_whatever_the_float_type_of_keras(set_floatx):
    texts = []
    for floatx in ("float32", "float16"):
        set_floatx(floatx)
        texts.append(models.from_preset("char_lstm_pydoc").generate("def ", 40, models.Greedy()))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("task", "floatx"),
    [
        pytest.param(PAIR_TASK, "float16", id="pairs-float16"),
        pytest.param(PAIR_TASK, "bfloat16", id="pairs-bfloat16"),
        pytest.param(PAIR_TASK, "float64", id="pairs-float64", marks=pytest.mark.slow(minutes=1)),
        pytest.param(TEXT_TASK, "float16", id="text-float16", marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_models_of_every_float_type_train_answer_and_are_saved(task, floatx, set_floatx, tmp_path):
    set_floatx(floatx)
    model = task.model()
    history = model.fit(task.data, verbose=0, epochs=1).history
    assert 0 < float(history["loss"][0]) < 10
    model.save(tmp_path / "model.keras")
    options = {"max_length": 5} if model.task == "text" else {}
    expected = model.generate(task.questions, **options)
    for again in (models.load(tmp_path / "model.keras"), copy.deepcopy(model)):
        assert again.generate(task.questions, **options) == expected
