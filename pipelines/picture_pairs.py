"""Pictures and their captions in any form that users have them, as the bytes of files and strings."""

import pathlib

import numpy as np
import tensorflow as tf

from seqzoo.pipelines.pairs import as_pairs
from seqzoo.pipelines.pictures import JPEG_SIGNATURE, MAX_SIDE, PNG_SIGNATURE

# Grey, grey and opacity, red, green and blue, those and opacity.
_CHANNELS = (1, 2, 3, 4)
# Of pictures of PIL, what is not levels of grey or of red, green and blue: what it is converted to.
_OTHER_MODES = {"1": "L", "P": "RGBA", "PA": "RGBA", "LA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"}


def encoded_picture(picture):
    """A picture as the bytes of a PNG file.

    Args:
        picture: array of uint8, or of floats from 0 to 1, `[height, width]` or `[height, width, 1 to 4]`.

    Raises:
        ValueError: for any other array.
    """
    if getattr(picture, "mode", "RGB") in _OTHER_MODES:
        picture = picture.convert(_OTHER_MODES[picture.mode])
    array = np.asarray(picture)
    is_picture = array.ndim in (2, 3) and array.size and (array.ndim == 2 or array.shape[2] in _CHANNELS)
    if array.dtype.kind == "f" and is_picture and bool((array >= 0).all() and (array <= 1).all()):
        array = np.round(255 * array).astype("uint8")
    if not is_picture or array.dtype != np.uint8 or max(array.shape[:2]) > MAX_SIDE:
        raise ValueError(
            "A picture must be an array of uint8, or of floats from 0 to 1, [height, width] or [height, width, "
            f"channels] with 1 to 4 channels and at most {MAX_SIDE:,} pixels a side. Received: {array.dtype} "
            f"{list(array.shape)}"
        )
    return tf.io.encode_png(array if array.ndim == 3 else array[..., None]).numpy()


def as_pictures(pictures):
    """Pictures in any of the forms that `ImageToText` takes, as the bytes of files.

    Args:
        pictures: a picture: `bytes`, the name of a file as `str` or `pathlib.Path`, or an array as `encoded_picture`
            takes it, or what NumPy makes one of, such as a picture of PIL; or a sequence of them, an array or a tensor
            of several, or a `tf.data.Dataset`.

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
    is_one_array = is_array and (pictures.ndim <= 2 or (pictures.ndim == 3 and pictures.shape[2] in _CHANNELS))
    is_of_pil = hasattr(pictures, "__array_interface__") and not hasattr(pictures, "__iter__")
    alone = isinstance(pictures, str | bytes | pathlib.Path) or is_one_array or is_of_pil
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
            of dictionaries of `image` and `caption`, where a picture is the bytes of a file or a tensor of uint8 or of
            floats from 0 to 1; or, with `y`, several pictures.
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
                    f"Pair {number} must be a (picture, caption) tuple, such as those of zip(pictures, captions). "
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
    is_pair = isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(each, tf.TensorSpec) for each in spec)
    if not is_pair or not _may_be_picture(spec[0]) or spec[1].dtype != tf.string:
        raise ValueError(
            "A data set of pictures must have (picture, caption) elements, not batches, or dictionaries of 'image' and "
            "'caption': bytes of files, or [height, width] or [height, width, channels] of uint8 or of floats from 0 "
            "to 1; and a string. Labels become captions by a map, such as .map(lambda image, label: (image, "
            f"tf.gather(names, label))). Received: {spec}"
        )
    return as_pairs(pairs if spec[0].dtype == tf.string else pairs.map(_as_png, tf.data.AUTOTUNE))


def _may_be_picture(spec):
    """Whether tensors of that `tf.TensorSpec` may be one picture each: the bytes of a file, or levels."""
    if spec.dtype == tf.string:
        return True
    if not (spec.dtype == tf.uint8 or spec.dtype.is_floating) or spec.shape.rank not in (2, 3) or 0 in spec.shape:
        return False
    return spec.shape.rank == 2 or spec.shape[2] in (None, *_CHANNELS)


def _as_png(image, caption):
    """A picture of uint8, or of floats from 0 to 1, as the bytes of a PNG file, with its caption."""
    tf.debugging.Assert(tf.size(image) > 0, ["A picture has no pixels"])
    if image.dtype.is_floating:
        is_picture = tf.reduce_all((image >= 0) & (image <= 1))
        tf.debugging.Assert(is_picture, ["A picture of floats must have levels from 0 to 1; divide those up to 255"])
        image = tf.cast(tf.round(255 * image), tf.uint8)
    return tf.io.encode_png(image[..., None] if image.shape.rank == 2 else image), caption


def as_file(picture):
    """One picture, `bytes`, the name of a file or an array, as the bytes of a file; an `OSError` where it has none."""
    if isinstance(picture, str | pathlib.Path):
        content = pathlib.Path(picture).read_bytes()
        if not content.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
            raise ValueError(f"the picture {str(picture)!r} is no PNG or JPEG file. Received: {len(content):,} bytes")
        return content
    return picture if isinstance(picture, bytes) else encoded_picture(picture)
