"""Pictures: any file or array becomes grey pixels of one size, and a wrong one is an error of its row."""

import io
import itertools

import matplotlib.image
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from seqzoo.pipelines import ImagePreprocessor, Vocabulary
from seqzoo.pipelines.picture_pairs import as_picture_pairs, as_pictures, encoded_picture

NUMBERS = np.random.default_rng(0)
GREY = NUMBERS.integers(0, 256, (6, 9)).astype("uint8")
PNG = encoded_picture(GREY)


@pytest.fixture(scope="module")
def preprocessor():
    return ImagePreprocessor(Vocabulary(["a", "b"], "whitespace"), height=6, width=9, target_length=3)


def levels(preprocessor, picture):
    pixels, errors = preprocessor.encode_sources([picture])
    assert errors.numpy().tolist() == [b""]
    return pixels.numpy()[0].astype(int)


def test_grey_picture_of_the_size_stays_as_it_is(preprocessor):
    np.testing.assert_array_equal(levels(preprocessor, PNG), GREY)
    np.testing.assert_array_equal(levels(preprocessor, encoded_picture(GREY[..., None])), GREY)
    np.testing.assert_array_equal(levels(preprocessor, encoded_picture(np.stack([GREY] * 3, axis=-1))), GREY)


def test_colours_are_weighed_by_how_bright_they_look(preprocessor):
    colour = np.zeros((6, 9, 3), "uint8")
    colour[..., 1] = 200
    assert set(levels(preprocessor, encoded_picture(colour)).ravel()) == {round(0.587 * 200)}


def test_what_is_transparent_is_white(preprocessor):
    colour = np.zeros((6, 9, 4), "uint8")
    colour[:, :4, 3] = 255
    read = levels(preprocessor, encoded_picture(colour))
    assert set(read[:, :4].ravel()) == {0}
    assert set(read[:, 4:].ravel()) == {255}


def test_palettes_and_16_bits_are_read(preprocessor):
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, GREY, cmap="gray", vmin=0, vmax=255, format="png")
    np.testing.assert_allclose(levels(preprocessor, buffer.getvalue()), GREY, atol=1)  # Matplotlib rounds down.
    deep = tf.io.encode_png(GREY.astype("uint16")[..., None] * 257).numpy()
    np.testing.assert_array_equal(levels(preprocessor, deep), GREY)


@pytest.mark.parametrize("colours", [2, 4, 16])
@pytest.mark.parametrize("transparent", [False, True])
def test_pictures_of_fewer_than_eight_bits_are_read(preprocessor, colours, transparent):
    picture = PIL.Image.fromarray(GREY).quantize(colours)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=colours.bit_length() - 1, **({"transparency": 0} if transparent else {}))
    assert buffer.getvalue()[24] == colours.bit_length() - 1
    expected = np.asarray(picture.convert("L"))
    if transparent:
        expected = np.where(np.asarray(picture) == 0, 255, expected)
    np.testing.assert_allclose(levels(preprocessor, buffer.getvalue()), expected, atol=1)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "YCbCr", "HSV"])
def test_pictures_of_pil_are_read_in_any_mode(preprocessor, mode):
    colours = PIL.Image.fromarray(np.stack([GREY, 255 - GREY, GREY // 2], axis=-1))
    picture = colours.convert("L").convert("LA") if mode == "LA" else colours.convert(mode)
    expected = np.asarray(picture.convert("RGB").convert("L"))
    np.testing.assert_allclose(levels(preprocessor, encoded_picture(picture)), expected, atol=2)


def test_grey_with_opacity_is_one_picture(preprocessor):
    opacity = np.where(GREY > 99, 255, 0).astype("uint8")
    array = np.stack([GREY, opacity], axis=-1)
    sources, problems, alone = as_pictures(array)
    assert (problems, alone) == ([""], True)
    np.testing.assert_array_equal(levels(preprocessor, sources[0]), np.where(GREY > 99, GREY, 255))
    pairs = as_picture_pairs(tf.data.Dataset.from_tensors((array, "a")))
    assert next(pairs.as_numpy_iterator()) == (sources[0], b"a")


def test_jpeg_is_read(preprocessor):
    smooth = np.repeat(np.linspace(60, 200, 9, dtype="uint8")[None], 6, axis=0)
    jpeg = tf.io.encode_jpeg(smooth[..., None], quality=100).numpy()
    np.testing.assert_allclose(levels(preprocessor, jpeg), smooth, atol=6)


def test_another_size_is_scaled_in_proportion_and_the_rest_is_like_the_border(preprocessor):
    tall = np.full((24, 12), 240, "uint8")
    tall[8:16, 4:8] = 0  # A dark square in the middle.
    read = levels(preprocessor, encoded_picture(tall))
    assert read.shape == (6, 9)
    np.testing.assert_allclose(read[:, :3], 240, atol=1)
    assert read[2:4, 4].max() < 130
    wide = np.full((6, 90), 100, "uint8")
    np.testing.assert_allclose(levels(preprocessor, encoded_picture(wide)), 100, atol=1)


def damaged(png):
    return png[:-25] + bytes([png[-25] ^ 255]) + png[-24:]


WRONG = {
    "empty": b"",
    "text": b"no picture",
    "cut": PNG[:-20],
    "damaged": damaged(PNG),
    "header alone": PNG[:20],
    "signature alone": PNG[:8],
    "jpeg cut": tf.io.encode_jpeg(GREY[..., None]).numpy()[:80],
    "too wide": encoded_picture(np.zeros((1, 4096), "uint8")).replace(b"\0\0\x10\0", b"\0\0\x10\x01", 1),
    "gif": b"GIF89a" + b"\0" * 40,
}


@pytest.mark.parametrize("in_graph", [False, True])
def test_a_wrong_picture_is_an_error_of_its_row_alone(preprocessor, in_graph):
    encode = tf.function(preprocessor.encode_sources) if in_graph else preprocessor.encode_sources
    rows = [*itertools.chain.from_iterable((PNG, each) for each in WRONG.values()), PNG]
    pixels, errors = encode(tf.constant(rows))
    for row, (read, error) in enumerate(zip(pixels.numpy(), errors.numpy(), strict=True)):
        if row % 2:
            assert error.decode() == ("source is empty" if rows[row] == b"" else error.decode())
            assert error
            assert not read.any()
        else:
            assert not error
            np.testing.assert_array_equal(read, GREY)
    text = errors.numpy()[3].decode()
    assert text.startswith("source is no picture that can be read: a whole PNG or JPEG file")
    assert text.endswith("Received: 10 bytes")


def test_no_picture_at_all(preprocessor):
    pixels, errors = preprocessor.encode_sources(tf.constant([], tf.string))
    assert (pixels.shape, errors.shape) == ((0, 6, 9), (0,))


def test_floats_are_read_as_the_same_pixels(preprocessor):
    pixels, errors = preprocessor.encode_pixels((GREY[None] / 255).astype("float32"))
    np.testing.assert_array_equal(pixels[0], GREY)
    assert errors.numpy().tolist() == [b""]
    big = np.kron(GREY, np.ones((2, 2))) / 255
    np.testing.assert_allclose(
        preprocessor.encode_pixels(big[None].astype("float32"))[0][0].numpy() * 1.0, GREY, atol=90
    )
    wrong = np.stack([GREY / 255, GREY / 255 + 1, np.where(GREY > 99, np.nan, 0), GREY / 255]).astype("float32")
    pixels, errors = preprocessor.encode_pixels(wrong)
    assert [bool(error) for error in errors.numpy()] == [False, True, True, False]
    np.testing.assert_array_equal(pixels[3], GREY)
    assert b"from 0 (black) to 1 (white)" in errors.numpy()[1]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 3, 5)),
        np.full((2, 2), 2.0),
        np.zeros((0, 3)),
        np.zeros((2, 2), "int64"),
        np.zeros((1, 5000)),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array):
    with pytest.raises(ValueError, match="A picture must be an array of uint8"):
        encoded_picture(array)


def test_one_picture_and_several(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    for one in (PNG, path, str(path), GREY, GREY[..., None], tf.constant(GREY), PIL.Image.fromarray(GREY)):
        assert as_pictures(one) == ([PNG], [""], True)
    several = np.stack([GREY, GREY])
    for many in (
        [PNG, path],
        several,
        several[..., None],
        tf.constant(several),
        tf.data.Dataset.from_tensors(PNG).repeat(2),
        [PIL.Image.fromarray(GREY)] * 2,
    ):
        assert as_pictures(many) == ([PNG, PNG], ["", ""], False)


def test_pairs_in_any_form(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    images = tf.data.Dataset.from_tensors((GREY[..., None], "a b"))
    named = images.map(lambda image, caption: {"image": image, "caption": caption})
    forms = [
        ([(path, "a b")],), ([(GREY, "a b")],), (GREY[None], ["a b"]), ([PNG], ["a b"]), (images,), (named,),
        (tf.data.Dataset.from_tensors((PNG, "a b")),), (tf.data.Dataset.from_tensors((GREY, "a b")),),
        (tf.data.Dataset.from_tensors((GREY.astype("float32") / 255, "a b")),),
    ]  # fmt: skip
    for form in forms:
        assert list(as_picture_pairs(*form).as_numpy_iterator()) == [(PNG, b"a b")]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (([PNG],), r"Pair 1 must be a \(picture, caption\) tuple"),
        (([(PNG, "a"), ("missing.png", "b")],), r"Pair 2: the picture 'missing.png' cannot be read: No such file"),
        (([PNG, PNG], ["a"]), "There must be a caption for each picture. Received: 2 pictures"),
        (([PNG], "a"), "There must be a caption for each picture"),
        (([(np.zeros(3), "a")],), "Pair 1: A picture must be an array"),
    ],
)
def test_pairs_of_another_form_are_refused(form, message):
    with pytest.raises(ValueError, match=message):
        as_picture_pairs(*form)


def test_data_sets_of_labels_and_of_levels_up_to_255_say_what_to_do():
    labels = tf.data.Dataset.from_tensors((GREY, 3))
    with pytest.raises(ValueError, match=r"Labels become captions by a map, such as \.map\(lambda image, label"):
        as_picture_pairs(labels)
    pairs = as_picture_pairs(labels.map(lambda image, label: (image, tf.gather(["a", "b", "c", "d"], label))))
    assert list(pairs.as_numpy_iterator()) == [(PNG, b"d")]
    for shape in ((0, 9, 1), (6, 9, 5), (2, 6, 9, 1), (6,)):
        with pytest.raises(ValueError, match="A data set of pictures must have"):
            as_picture_pairs(tf.data.Dataset.from_tensors((np.zeros(shape, "uint8"), "a")))
    levels = as_picture_pairs(tf.data.Dataset.from_tensors((GREY.astype("float32"), "a b")))
    with pytest.raises(tf.errors.InvalidArgumentError, match="levels from 0 to 1; divide those up to 255"):
        list(levels)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("a b")
    assert as_pictures([PNG, path]) == (
        [PNG, b""], ["", f"the picture '{path}' is no PNG or JPEG file. Received: 3 bytes"], False,
    )  # fmt: skip


def test_preprocessor_of_pairs_has_their_words_and_comes_back_from_its_configuration():
    pairs = as_picture_pairs([(PNG, "left bar"), (PNG, "a bar"), (PNG, "bar")])
    preprocessor = ImagePreprocessor.from_pairs(pairs, 6, 9)
    assert preprocessor.vocabulary.tokens == ["a", "bar", "left"]
    assert (preprocessor.target_length, preprocessor.source_shape) == (2, (6, 9))
    again = ImagePreprocessor.from_config(preprocessor.get_config())
    assert again == preprocessor
    inputs, answer = again([PNG], ["left bar"])
    assert inputs["source"].dtype == tf.uint8
    assert again.decode(answer).numpy().tolist() == [b"left bar"]
    with pytest.raises(ValueError, match="row 1: target 'up' has the word 'up'"):
        again([PNG], ["up"])
    with pytest.raises(ValueError, match="name no file"):
        again.read("pairs.tsv")


@pytest.mark.parametrize("sizes", [(0, 9, 3), (6, 5000, 3), (6, 9, 0)])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(ValueError, match="Received: "):
        ImagePreprocessor(Vocabulary(["a"], "whitespace"), *sizes)


def test_pairs_without_captions_are_refused():
    with pytest.raises(ValueError, match="Pair 1 has an empty caption"):
        ImagePreprocessor.from_pairs(as_picture_pairs([(PNG, " ")]), 6, 9)
    with pytest.raises(ValueError, match="There are no pairs"):
        ImagePreprocessor.from_pairs(as_picture_pairs([(PNG, "a")]).take(0), 6, 9)
