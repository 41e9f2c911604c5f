"""Pictures as TensorFlow operations: read from bytes, made grey, scaled to one size."""

import pathlib

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.pairs import as_pairs

MAX_SIDE = 4_096
"""The most pixels of a picture's width or height."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_GREY = (0.299, 0.587, 0.114)


def decoded_pictures(strings, height, width):
    """The pictures in PNG or JPEG files; see `ImagePreprocessor.encode_sources`.

    A file that cannot be read would fail the whole batch in a plain operation. A `tf.data.Dataset` leaves out the
    elements that fail, in a graph too.
    """
    strings = tf.convert_to_tensor(strings, tf.string)
    rows = tf.size(strings, tf.int64)

    def read(row, string):
        return row, _fitted(_decoded(string), height, width)

    # A last row that is always there: a batch of none could not be taken out of the data set.
    last = tf.data.Dataset.from_tensors((rows, tf.zeros([height, width], tf.uint8)))
    pictures = tf.data.Dataset.from_tensor_slices((tf.range(rows), strings)).map(read).ignore_errors()
    found, pixels = pictures.concatenate(last).batch(rows + 1).get_single_element()
    pixels = tf.scatter_nd(found[:-1, None], pixels[:-1], [rows, height, width])
    is_read = tf.scatter_nd(found[:-1, None], tf.ones_like(found[:-1]), rows[None]) > 0
    sizes = tf.strings.as_string(tf.strings.length(strings))
    wrong = tf.strings.join(
        [f"source is no picture that can be read: a whole PNG or JPEG file of at most {MAX_SIDE:,} × {MAX_SIDE:,} "
         "pixels. Received: ", sizes, " bytes"]
    )  # fmt: skip
    errors = tf.where(is_read, "", tf.where(strings == "", "source is empty", wrong))
    return tf.ensure_shape(pixels, [None, height, width]), errors


def grey_pictures(pixels, height, width):
    """Grey pictures of any one size, float32 from 0 to 1, as `decoded_pictures` returns them."""
    pixels = tf.convert_to_tensor(pixels, tf.float32)
    is_fine = tf.reduce_all((pixels >= 0) & (pixels <= 1), axis=[1, 2])  # No NaN is.
    is_fine &= tf.reduce_all((tf.shape(pixels)[1:] > 0) & (tf.shape(pixels)[1:] <= MAX_SIDE))
    greys = tf.where(is_fine[:, None, None], pixels, 0.0)
    frame = tf.zeros([tf.shape(pixels)[0], height, width], tf.uint8)
    has_pixels = tf.reduce_any(is_fine)
    fitted = tf.cond(has_pixels, lambda: _fitted(255.0 * greys[..., None], height, width), lambda: frame)
    wrong = f"image must have pixels from 0 (black) to 1 (white), and at most {MAX_SIDE:,} a side"
    return tf.ensure_shape(fitted, [None, height, width]), tf.where(is_fine, "", wrong)


def encoded_picture(picture):
    """A picture as the bytes of a PNG file.

    Args:
        picture: array of uint8, or of floats from 0 to 1, `[height, width]` or `[height, width, 1, 3 or 4]`.

    Raises:
        ValueError: for any other array.
    """
    array = np.asarray(picture)
    is_picture = array.ndim in (2, 3) and array.size and (array.ndim == 2 or array.shape[2] in (1, 3, 4))
    if array.dtype.kind == "f" and is_picture and bool((array >= 0).all() and (array <= 1).all()):
        array = np.round(255 * array).astype("uint8")
    if not is_picture or array.dtype != np.uint8 or max(array.shape[:2]) > MAX_SIDE:
        raise ValueError(
            "A picture must be an array of uint8, or of floats from 0 to 1, [height, width] or [height, width, "
            f"channels] with 1, 3 or 4 channels and at most {MAX_SIDE:,} pixels a side. Received: {array.dtype} "
            f"{list(array.shape)}"
        )
    return tf.io.encode_png(array if array.ndim == 3 else array[..., None]).numpy()


def as_pictures(pictures):
    """Pictures in any of the forms that `ImageToText` takes, as the bytes of files.

    Args:
        pictures: a picture: `bytes`, the name of a file as `str` or `pathlib.Path`, or an array as `encoded_picture`
            takes it; or a sequence of them, an array or a tensor of several, or a `tf.data.Dataset`.

    Returns:
        `(sources, problems, alone)`: a list of `bytes`; a list of what is wrong with each picture, `""` where it could
        be read, else its bytes are `b""`; and whether there was one picture and no sequence.
    """
    if isinstance(pictures, tf.data.Dataset):
        pictures = list(pictures.as_numpy_iterator())
    if isinstance(pictures, tf.Tensor | tf.Variable):
        pictures = pictures.numpy()
    is_array = isinstance(pictures, np.ndarray) and pictures.dtype.kind not in "OSU"
    # One picture may have channels; several have a dimension more, the last of which are the channels then.
    is_one_array = is_array and (pictures.ndim <= 2 or (pictures.ndim == 3 and pictures.shape[2] in (1, 3, 4)))
    alone = isinstance(pictures, str | bytes | pathlib.Path) or is_one_array
    sources, problems = [], []
    for picture in [pictures] if alone else pictures:
        source, problem = b"", ""
        try:
            source = as_file(picture)
        except OSError as error:
            problem = f"the picture {str(picture)!r} cannot be read: {error.strerror}"
        except ValueError as error:
            problem = str(error)
        sources.append(source)
        problems.append(problem)
    return sources, problems, alone


def as_picture_pairs(x, y=None):
    """Pairs of a picture and its caption as a `tf.data.Dataset` of string scalars: the bytes of a file, the caption.

    Args:
        x: a sequence of `(picture, caption)`, pictures as `as_pictures` takes them; a `tf.data.Dataset` of the two, or
            of dictionaries of `image` and `caption`, where a picture is a string or a tensor of uint8; or, with `y`,
            several pictures.
        y: a list of captions.

    Raises:
        ValueError: naming the first pair of another form or whose picture cannot be read.
    """
    if isinstance(x, tf.data.Dataset):
        return _dataset_of_pairs(x)
    if y is None:
        rows = list(x)
        for number, row in enumerate(rows, 1):
            if not isinstance(row, tuple | list) or len(row) != 2 or not isinstance(row[1], str | bytes):
                raise ValueError(
                    f"Pair {number} must be a (picture, caption) tuple, or pictures and captions two lists. "
                    f"Received: {row!r:.60}"
                )
        x, y = [row[0] for row in rows], [row[1] for row in rows]
    sources, problems, _ = as_pictures(x)
    for number, problem in enumerate(problems, 1):
        if problem:
            raise ValueError(f"Pair {number}: {problem}")
    return as_pairs(list(zip(sources, _captions(y, len(sources)), strict=True)))


def _captions(captions, count):
    captions = captions.numpy() if isinstance(captions, tf.Tensor) else captions
    if isinstance(captions, str | bytes) or len(captions) != count:
        raise ValueError(f"There must be a caption for each picture. Received: {count} pictures, {captions!r:.60}")
    return list(captions)


def _dataset_of_pairs(pairs):
    spec = pairs.element_spec
    if isinstance(spec, dict) and {"image", "caption"} <= set(spec):
        pairs = pairs.map(lambda row: (row["image"], row["caption"]))
        spec = pairs.element_spec
    if isinstance(spec, tuple) and len(spec) == 2 and getattr(spec[0], "dtype", None) == tf.uint8:
        rank = spec[0].shape.rank
        add = (lambda image: image[..., None]) if rank == 2 else (lambda image: image)
        pairs = pairs.map(lambda image, caption: (tf.io.encode_png(add(image)), caption), tf.data.AUTOTUNE)
    return as_pairs(pairs)


def as_file(picture):
    """One picture, `bytes`, the name of a file or an array, as the bytes of a file; an `OSError` where it has none."""
    if isinstance(picture, str | pathlib.Path):
        return pathlib.Path(picture).read_bytes()
    return picture if isinstance(picture, bytes) else encoded_picture(picture)


def _decoded(string):
    """Grey levels float32 `[height, width, 1]` from 0 to 255 of one file; fails if it is none."""
    is_jpeg = tf.strings.substr(string, 0, len(_JPEG_SIGNATURE)) == _JPEG_SIGNATURE
    is_png = tf.strings.substr(string, 0, len(_PNG_SIGNATURE)) == _PNG_SIGNATURE
    size = tf.cond(is_jpeg, lambda: tf.io.extract_jpeg_shape(string)[:2], lambda: _png_size(string))
    fits = tf.reduce_all((size >= 1) & (size <= MAX_SIDE))
    with tf.control_dependencies([tf.debugging.Assert((is_jpeg | is_png) & fits, ["no picture"])]):
        string = tf.identity(string)
    # Four channels; a JPEG file has no transparency.
    colours = tf.cond(
        is_jpeg,
        lambda: tf.pad(tf.io.decode_jpeg(string, channels=3), [(0, 0), (0, 0), (0, 1)], constant_values=255),
        lambda: tf.io.decode_png(string, channels=4),
    )
    colours = tf.cast(colours, tf.float32)
    grey = tf.reduce_sum(colours[..., :3] * _GREY, axis=-1, keepdims=True)
    share = colours[..., 3:] / 255.0
    return grey * share + 255.0 * (1.0 - share)


def _png_size(string):
    """`[height, width]` as the header of a PNG file says, int32; `[0, 0]` where there is no header."""
    header = tf.strings.substr(tf.strings.join([string, "\0" * 24]), 16, 8)
    width, height = tf.unstack(tf.io.decode_raw(header, tf.int32, little_endian=False), num=2)
    return tf.stack([height, width])


def _fitted(grey, height, width):
    """Grey levels `[…, height, width, 1]` of any size, scaled into a frame: uint8 `[…, height, width]`."""
    given = tf.shape(grey)[-3:-1]
    scale = tf.reduce_min([height, width] / tf.cast(given, tf.float64))
    scaled_size = tf.maximum(tf.cast(tf.round(tf.cast(given, tf.float64) * scale), tf.int32), 1)

    def scaled():
        borders = (grey[..., :1, :, :], grey[..., -1:, :, :], grey[..., :, :1, :], grey[..., :, -1:, :])
        paper = tf.add_n([tf.reduce_mean(border, [-3, -2, -1], keepdims=True) for border in borders]) / 4.0
        image = tf.image.resize(grey, scaled_size, antialias=True)
        before = ([height, width] - scaled_size) // 2
        after = [height, width] - scaled_size - before
        around = tf.pad(tf.stack([before, after], axis=1), [(grey.shape.rank - 3, 1), (0, 0)])
        return tf.pad(image - paper, around) + paper

    levels = tf.cond(tf.reduce_all(given == [height, width]), lambda: grey, scaled)
    levels = tf.cast(tf.clip_by_value(tf.round(levels), 0.0, 255.0), tf.uint8)
    return tf.ensure_shape(levels[..., 0], [*grey.shape[:-3], height, width])
