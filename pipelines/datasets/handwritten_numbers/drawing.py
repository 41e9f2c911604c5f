"""Pictures of handwritten numbers: scanned digits, slanted, stretched and put side by side on grey paper."""

import functools

import numpy as np

HEIGHT, WIDTH = 16, 80
"""The size of the pictures in pixels."""

_INK = 0.05
# The widest digit that is drawn, in pixels, its slant included.
_WINDOW = 24
_MARGIN = 1.0
_CHUNK = 2_048


@functools.cache
def scanned_digits():
    """The digits that scikit-learn carries: `(images, labels)`, float32 `[1797, 8, 8]` from 0 to 1 (ink), and int.

    Raises:
        ValueError: without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ValueError("Handwritten digits come with scikit-learn: pip install 'seqzoo[pictures]'") from error
    digits = load_digits()
    return (digits.images / 16).astype("float32"), digits.target.astype("int64")


def draw_numbers(images, rows, bits, varied=False):
    """Draws numbers, given for each digit the image that it is drawn from.

    Args:
        images: float32 `[images, 8, 8]`, ink from 0 to 1.
        rows: int `[pictures, digits]`, which image stands at each place; -1 after the last one.
        bits: function from a shape to float64 numbers of it in [0, 1), each from raw random bits.
        varied: bool, whether each digit is also bent, turned, and written with a thinner or broader pen.

    Returns:
        uint8 `[pictures, HEIGHT, WIDTH]`, dark ink on light paper.
    """
    chunks = [_draw(images, rows[start : start + _CHUNK], bits, varied) for start in range(0, len(rows), _CHUNK)]
    return np.concatenate(chunks)


def _draw(images, rows, bits, varied):
    count, places = rows.shape
    is_digit = rows >= 0

    def uniform(low, high, *shape):
        return low + (high - low) * bits(shape or (count, 1))

    # === Layout ===
    first, last = _ink_columns(images)
    first, last = first[rows], last[rows]
    scale_y = uniform(1.15, 1.8) * uniform(0.95, 1.05, count, places)
    scale_x = scale_y * uniform(0.8, 1.1) * uniform(0.9, 1.1, count, places)
    slant = uniform(-0.3, 0.3) + uniform(-0.1, 0.1, count, places)
    widths = np.where(is_digit, (last - first) * scale_x, 0)
    gaps = np.where(is_digit, uniform(0.5, 4.0) * uniform(0.3, 1.3, count, places), 0)
    gaps[:, 0] = 0
    total = (widths + gaps).sum(axis=1, keepdims=True)
    room = WIDTH - 2 * _MARGIN
    fit = np.minimum(1, room / total)
    scale_x, widths, gaps, total = scale_x * fit, widths * fit, gaps * fit, total * fit
    left = _MARGIN + uniform(0, 1) * (room - total)
    left = left + np.cumsum(widths + gaps, axis=1) - widths
    heights = 8 * scale_y
    top = uniform(0, 1) * (HEIGHT - heights.max(axis=1, keepdims=True)) + uniform(-0.7, 0.7, count, places)

    # === Hand ===
    if varied:
        turn, pen = uniform(-0.15, 0.15, count, places), uniform(0.6, 1.6, count, places)
        up_by, side_by = uniform(0.0, 0.6, 2, count, places)
        up_from, side_from = uniform(0.0, 2 * np.pi, 2, count, places)

    # === Ink ===
    ink = np.zeros((count, HEIGHT, WIDTH + _WINDOW), "float32")
    y = np.arange(HEIGHT)[:, None] + 0.5
    x = np.arange(_WINDOW)[None] + 0.5
    for place in range(places):
        (drawn,) = np.nonzero(is_digit[:, place])
        each = [values[drawn, place, None, None] for values in (scale_y, scale_x, slant, left, top, first, heights)]
        sy, sx, lean, start, up, column, height = each
        corner = np.floor(start - (_WINDOW - widths[drawn, place, None, None]) / 2).astype(int)
        from_y = (y - up) / sy - 0.5
        from_x = column + (x + corner - start + lean * (y - up - height / 2)) / sx - 0.5
        if varied:
            each = [values[drawn, place, None, None] for values in (turn, up_by, up_from, side_by, side_from)]
            slope, high, high_from, wide, wide_from = each
            # Bent by half a wave over a digit, upwards and sideways.
            bent_y = from_y + slope * (from_x - 3.5) + high * np.sin(np.pi * from_x / 8 + high_from)
            from_y, from_x = bent_y, from_x + wide * np.sin(np.pi * from_y / 8 + wide_from)
        sampled = _bilinear(images, rows[drawn, place], from_y, from_x)
        if varied:
            sampled = sampled ** pen[drawn, place, None, None]
        columns = corner + np.arange(_WINDOW)
        inside = (columns >= 0) & (columns < WIDTH)
        at = drawn[:, None, None], np.arange(HEIGHT)[:, None], np.where(inside, columns, WIDTH)
        ink[at] = np.maximum(ink[at], np.where(inside, sampled, 0))
    ink = ink[..., :WIDTH]

    # === Paper ===
    one = (count, 1, 1)
    paper, darkness, grain = uniform(0.75, 1.0, *one), uniform(0.6, 1.0, *one), uniform(0.0, 0.06, *one)
    noise = (bits(ink.shape) + bits(ink.shape) + bits(ink.shape) - 1.5) * 2  # Nearly normal, of a variance of 1.
    grey = paper * (1 - darkness * ink) + grain * noise
    return np.clip(np.round(255 * grey), 0, 255).astype("uint8")


def _ink_columns(images):
    """The first column of each image that has ink, and the one after the last, float `[images]`."""
    has_ink = images.max(axis=1) > _INK
    return has_ink.argmax(axis=1).astype("float64"), (8 - has_ink[:, ::-1].argmax(axis=1)).astype("float64")


def _bilinear(images, which, y, x):
    """Images `[which]` at fractional places, `[drawn, height, 1]` and `[drawn, height, width]`; 0 outside."""
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    y, x = np.clip(y + 1, 0, 8.999), np.clip(x + 1, 0, 8.999)
    row, column = y.astype(int), x.astype(int)
    down, right = y - row, x - column
    which = which[:, None, None]
    upper = framed[which, row, column] * (1 - right) + framed[which, row, column + 1] * right
    lower = framed[which, row + 1, column] * (1 - right) + framed[which, row + 1, column + 1] * right
    return upper * (1 - down) + lower * down
