"""Models of pictures: what they read, learn, answer, save and export."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import export, training
from seqzoo.models import ImageToText, load
from seqzoo.pipelines.picture_pairs import encoded_picture

HEIGHT, WIDTH = 8, 12


def bars(count=64, seed=0):
    """Pictures with a dark bar at the left or the right, and captions that say where: as many as `count`."""
    numbers = np.random.default_rng(seed)
    pictures = numbers.integers(200, 256, (count, HEIGHT, WIDTH)).astype("uint8")
    is_left = numbers.integers(0, 2, count).astype(bool)
    pictures[is_left, :, 1:4] //= 4
    pictures[~is_left, :, 8:11] //= 4
    return pictures, ["bar left" if left else "bar right" for left in is_left]


def trained(**options):
    keras.utils.set_random_seed(0)
    pictures, captions = bars()
    pairs = list(zip(pictures, captions, strict=True))
    options = {"filters": (4, 8), "embedding_dim": 4, "hidden_dim": 8, **options}
    model = ImageToText.from_pairs(pairs, HEIGHT, WIDTH, **options)
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    model.fit(pairs, batch_size=16, epochs=12, verbose=0)
    return model


@pytest.fixture(scope="module")
def model():
    return trained()


def test_learns_what_pictures_show(model):
    pictures, captions = bars(32, seed=1)
    assert model.generate(pictures) == captions
    assert training.evaluate(model, list(zip(pictures, captions, strict=True)))["exact_match"] == 1


def test_reads_bytes_files_and_arrays_alike(model, tmp_path):
    (picture, *_), (caption, *_) = bars(1, seed=2)
    path = tmp_path / "bar.png"
    path.write_bytes(encoded_picture(picture))
    forms = [
        path,
        str(path),
        path.read_bytes(),
        picture,
        picture / 255,
        picture[..., None],
        np.stack([picture] * 3, -1),
    ]
    assert [model.generate(form) for form in forms] == [caption] * len(forms)
    assert model.generate(forms) == [caption] * len(forms)
    assert model.generate(tf.constant(picture[None])) == [caption]
    assert model.predict(picture[None]).tolist() == [caption]


def test_no_pictures_have_no_answers_where_convolutions_are_by_onednn(model, tmp_path):
    """TensorFlow decides it by the processor, at its start; there a convolution of no rows has its input's shape."""
    model.save(tmp_path / "model.keras")
    program = f"""if True:
        import numpy as np
        import tensorflow as tf
        from seqzoo.models import load

        model = load({str(tmp_path / "model.keras")!r})
        for function in (model.answer, tf.function(model.answer)):
            print(*(part.shape for part in function(tf.constant([], tf.string))))
        for name, (function, signature) in model.serving_functions().items():
            empty = [tf.zeros([0] + [8] * (len(each.shape) - 1), each.dtype) for each in signature]
            print(name, *(part.shape[0] for part in tf.function(function)(*empty).values()))
        model.compile(shards=2, jit_compile=False)  # The second shard of one picture is empty.
        losses = model.fit([(np.zeros(({HEIGHT}, {WIDTH}), "uint8"), "bar left")], verbose=0).history["loss"]
        print("loss", len(losses), np.isfinite(losses).all())
    """
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "(0, 1) (0, 1) (0,)",
        "(0, 1) (0, 1) (0,)",
        "serving_default 0 0 0",
        "pixels 0 0 0",
        "score 0 0",
        "align 0 0 0",
        "loss 1 True",
    ], done.stderr


def test_a_wrong_picture_is_an_error_of_its_row(model, tmp_path):
    (picture, *_), (caption, *_) = bars(1)
    png = encoded_picture(picture)
    damaged = png[:40] + b"\0\0\0" + png[43:]
    wrong = [
        b"no picture",
        damaged,
        png[:-20],
        b"",
        tmp_path / "missing.png",
        np.full((2, 2), np.nan),
        np.zeros((2, 2, 5)),
    ]
    answers, errors = model.generate([png, *wrong, picture], errors="return")
    assert answers == [caption, *[""] * len(wrong), caption]
    assert errors[0] == errors[-1] == ""
    for error, text in zip(
        errors[1:], ["9 bytes", "Received", "Received", "empty", "missing.png", "floats", "5"], strict=False
    ):
        assert text in error or "Received" in error
    with pytest.raises(ValueError, match=r"row 2: the picture .*missing\.png.* cannot be read: No such file"):
        model.generate([png, tmp_path / "missing.png"])
    with pytest.raises(ValueError, match="row 1: source is no picture that can be read"):
        model.generate(b"no picture")
    assert model.generate([]) == []


def test_captions_with_other_words_are_refused(model):
    (picture, *_), _ = bars(1)
    with pytest.raises(
        ValueError, match="row 1: target 'bar above' has the word 'above', which is not in the vocabulary"
    ):
        model.fit([(picture, "bar above")], verbose=0)


def test_without_attention_it_answers_and_does_not_align():
    pictures, captions = bars(8, seed=3)
    model = ImageToText.from_pairs(list(zip(pictures, captions, strict=True)), HEIGHT, WIDTH, attention=False)
    assert len(model.generate(pictures)) == 8
    with pytest.raises(ValueError, match="attention"):
        model.align(pictures[0])


@pytest.mark.parametrize("attention", [True, pytest.param(False, marks=pytest.mark.slow(minutes=1))])
def test_saves_aligns_and_exports(model, tmp_path, attention):
    model = model if attention else trained(attention=False)
    pictures, captions = bars(8, seed=3)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.generate(pictures) == model.generate(pictures) == captions
    assert again.get_config() == model.get_config()
    best = model.n_best(pictures[0], n=2, beam_size=3)
    assert best[0][0] == captions[0]
    if attention:
        caption, alignment = model.align(pictures[0])
        assert caption == captions[0]
        assert alignment.shape == (2, model.encoder.output["outputs"].shape[1])
        np.testing.assert_allclose(alignment.sum(axis=1), 1, rtol=1e-5)
    else:
        with pytest.raises(ValueError, match="attention"):
            model.align(pictures[0])
    report = export.saved_model(model, tmp_path / "served", beam_size=2)
    names = {"serving_default", "pixels", "score", "n_best", *(["align"] if attention else [])}
    assert set(report["signatures"]) == names
    assert report["different"] == 0
    assert all(each["different"] == 0 for each in report["other_signatures"].values())
    served = tf.saved_model.load(report["path"]).signatures
    answer = served["serving_default"](image=tf.constant([encoded_picture(pictures[0]), b"?"]))
    assert [text.decode() for text in answer["answer"].numpy()] == [captions[0], ""]
    assert b"no picture" in answer["error"].numpy()[1]
    floats = tf.constant(pictures[:1] / 255, tf.float32)
    assert served["pixels"](image=floats)["answer"].numpy()[0].decode() == captions[0]
    report = export.litert(model, tmp_path / "model.tflite")
    assert report["different"] == 0
    assert report["inputs"]["serving_default"]["source"] == [-1, HEIGHT, WIDTH]


def test_pictures_of_any_iterable_are_answered_one_by_one(model, tmp_path):
    pictures, captions = bars(5, seed=4)
    assert list(model.generate_each(iter(pictures))) == captions
    assert [answers[0][0] for answers in model.n_best_each(map(encoded_picture, pictures), n=1)] == captions
    with pytest.raises(FileNotFoundError):
        list(model.generate_each([tmp_path / "missing.png"]))
    with pytest.raises(ValueError, match="row 2: the picture"):
        model.predict([encoded_picture(pictures[0]), tmp_path / "missing.png"])


def test_wide_pictures_are_exported_too(tmp_path):
    """They have more columns than are unrolled, in which a loop reads them that LiteRT has not."""
    keras.utils.set_random_seed(0)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 4, 68), "uint8")
    model = ImageToText.from_pairs(
        list(zip(pictures, ["a", "b", "a b", "b"], strict=True)), 4, 140, filters=(2, 2), hidden_dim=4
    )
    assert not model.unroll
    report = export.litert(model, tmp_path / "model.tflite", data=list(zip(pictures, ["a"] * 4, strict=True)))
    assert report["rows"] == report["equal"] == 4


def test_unrolled_steps_are_those_of_columns():
    pairs = [(np.zeros((2, 2), "uint8"), "a b")]
    model = ImageToText.from_pairs(pairs, 4, 200, filters=(1,) * 20, hidden_dim=2, cell="simple_rnn", unroll=True)
    assert model.encoder.output["outputs"].shape[1] == 50
    with pytest.raises(ValueError, match=r"the unrolled steps must be at most 4096. Received: 800"):
        ImageToText.from_pairs(pairs, 4, 4_000, filters=(1,), unroll=True)


def test_a_picture_is_convolved_at_least_once():
    with pytest.raises(ValueError, match="filters must have a number for each convolution"):
        ImageToText.from_pairs([(np.zeros((2, 2), "uint8"), "a")], 4, 4, filters=())
