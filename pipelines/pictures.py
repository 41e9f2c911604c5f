"""Pictures as TensorFlow operations: read from bytes, made grey, scaled to one size."""

import tensorflow as tf

MAX_SIDE = 4_096
"""The most pixels of a picture's width or height."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
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


def _decoded(string):
    """Grey levels float32 `[height, width, 1]` from 0 to 255 of one file; fails if it is none."""
    is_jpeg = tf.strings.substr(string, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE
    is_png = tf.strings.substr(string, 0, len(PNG_SIGNATURE)) == PNG_SIGNATURE
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
    # Where a file has fewer than eight bits and no transparency, TensorFlow gives its highest level for opaque.
    depth = tf.cast(_png_header(string, 24, 1, tf.uint8)[0], tf.float32)
    is_opaque = is_png & (depth < 8.0) & tf.reduce_all(colours[..., 3] == 2.0**depth - 1.0)
    return tf.where(is_opaque, grey, grey * share + 255.0 * (1.0 - share))


def _png_size(string):
    """`[height, width]` as the header of a PNG file says, int32; `[0, 0]` where there is no header."""
    width, height = tf.unstack(_png_header(string, 16, 8, tf.int32), num=2)
    return tf.stack([height, width])


def _png_header(string, at, count, dtype):
    """The numbers that stand in so many bytes of the header of a PNG file; 0 where there is no header."""
    header = tf.strings.substr(tf.strings.join([string, "\0" * (at + count)]), at, count)
    return tf.io.decode_raw(header, dtype, little_endian=False)


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
