"""What other models of the zoo do as Keras models, models of pictures do too."""

import copy
import pickle
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import models
from seqzoo.models import ImageToText
from seqzoo.pipelines.picture_pairs import encoded_picture

NUMBERS = np.random.default_rng(0)
PICTURES = NUMBERS.integers(0, 256, (12, 8, 12), "uint8")
CAPTIONS = ["one", "one two", "two"] * 4
PAIRS = list(zip(PICTURES, CAPTIONS, strict=True))


def make(**options):
    keras.utils.set_random_seed(0)
    return ImageToText.from_pairs(PAIRS, 8, 12, filters=(4, 4, 4), embedding_dim=4, hidden_dim=8, **options)


def fitted(model, *data, epochs=1, **options):
    keras.utils.set_random_seed(1)
    model.compile(run_eagerly=True, jit_compile=False)
    history = model.fit(*(data or (PAIRS,)), batch_size=4, epochs=epochs, verbose=0, **options)
    return history.history, model.get_weights()


def assert_equal(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_fit_is_the_same_on_pairs_columns_files_and_batches(tmp_path):
    _, expected = fitted(make())
    paths = []
    for number, picture in enumerate(PICTURES):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(encoded_picture(picture))
    dataset = tf.data.Dataset.from_tensor_slices((PICTURES[..., None], CAPTIONS))
    for data in [(PICTURES, CAPTIONS), (dataset,), (zip(paths, CAPTIONS, strict=True),)]:
        assert_equal(fitted(make(), *data)[1], expected)


def test_validation_and_evaluation_take_pictures():
    model = make()
    history, _ = fitted(model, validation_data=(PICTURES, CAPTIONS))
    results = model.evaluate(PICTURES, CAPTIONS, verbose=0, return_dict=True)
    assert results["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    history, _ = fitted(make(), validation_split=0.3)
    assert "val_exact_match" in history


def test_rows_have_weights():
    ones, _ = fitted(make(), sample_weight=np.ones(12))
    plain, _ = fitted(make())
    assert ones["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    # What captions rows of weight 0 have does not matter.
    weights = np.array([1.0, 0.0, 0.0] * 4)
    others = [caption if weight else "two" for caption, weight in zip(CAPTIONS, weights, strict=True)]
    assert_equal(fitted(make(), sample_weight=weights)[1], fitted(make(), PICTURES, others, sample_weight=weights)[1])
    with pytest.raises(AssertionError):
        assert_equal(fitted(make())[1], fitted(make(), PICTURES, others)[1])
    model = make()
    model.compile(jit_compile=False)
    with pytest.raises(ValueError, match="class_weight is for models with one label a row"):
        model.fit(PAIRS, class_weight={0: 1.0}, verbose=0)


def test_frozen_parts_stay_frozen_in_a_file_and_in_copies(tmp_path):
    model = make()
    model.encoder.trainable = False
    model.compile(jit_compile=False)
    model.save(tmp_path / "model.keras")
    number = len(model.trainable_variables)
    for again in (models.load(tmp_path / "model.keras"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert len(again.trainable_variables) == number
        assert again.generate(PICTURES) == model.generate(PICTURES)


def test_changed_layers_give_new_captions():
    model = make()
    before = model.n_best(PICTURES[0], 3)
    model.decoder.dense.enable_lora(2)
    (model.decoder.dense.lora_kernel_b).assign(
        tf.random.stateless_normal(model.decoder.dense.lora_kernel_b.shape, [1, 2])
    )
    after = model.n_best(PICTURES[0], 3)
    assert after != before
    merged = model.copy_with().n_best(PICTURES[0], 3)
    assert [text for text, _ in merged] == [text for text, _ in after]
    with pytest.raises(ValueError, match="Only what is exported is quantised"):
        model.quantize("int8")


@pytest.mark.parametrize("floatx", ["float16", "bfloat16", "float64"])
def test_every_floatx_reads_pictures(floatx):
    keras.config.set_floatx(floatx)
    try:
        model = make()
        assert len(model.generate(PICTURES)) == 12
        assert model.align(PICTURES[0])[1].dtype == np.float32
    finally:
        keras.config.set_floatx("float32")


def test_shards_and_mixed_precision_train():
    model = make(dtype="mixed_float16")
    model.compile(shards=2, run_eagerly=True, jit_compile=False)
    history = model.fit(PAIRS, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_generate_in_a_graph_names_answer():
    model = make()
    pngs = tf.data.Dataset.from_tensor_slices([encoded_picture(picture) for picture in PICTURES]).batch(6)
    with pytest.raises(ValueError, match=r"use model\.answer"):
        pngs.map(model.generate)
    answers = [text.decode() for batch in pngs.map(lambda png: model.answer(png)[0][:, 0]) for text in batch.numpy()]
    assert answers == model.generate(PICTURES)


def test_files_that_ask_for_too_much_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    make().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new, message in [
        (b'"filters": [4, 4, 4]', b'"filters": [4, 9000, 9000]', "too few weights for"),
        (b'"filters": [4, 4, 4]', b'"filters": [0]', "must be whole numbers from 1"),
        (b'"height": 8', b'"height": 100000', "the length must be at most"),
    ]:
        assert old in parts["config.json"]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content.replace(old, new) if name == "config.json" else content)
        with pytest.raises(ValueError, match=message):
            models.load(path)


def test_models_too_deep_to_be_read_back_are_refused():
    with pytest.raises(ValueError, match="the layers must be at most 32"):
        make(num_layers=40)
