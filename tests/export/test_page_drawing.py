"""Pictures on the page, in a real browser: what is drawn or opened, and what the model reads of it."""

import base64
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from browser import NODE_MODULES, alignment_of, assert_accessible, assert_best_answers, choose, wait_for_answer

from seqzoo.export import page
from seqzoo.models import ImageToText
from seqzoo.pipelines import HandwrittenNumbersData
from seqzoo.pipelines.picture_pairs import encoded_picture

SUMS = "addition_peeky_reverse"
BARS = "bars"
HEIGHT, WIDTH = 8, 12
NO_PICTURE = "There is no picture yet: draw one, or choose a file"
# Digits as a hand draws them: strokes of (x, y), in shares of the digit's width and height.
DIGITS = {
    "0": [[(0.5, 0), (0.1, 0.2), (0, 0.5), (0.1, 0.8), (0.5, 1), (0.9, 0.8), (1, 0.5), (0.9, 0.2), (0.5, 0)]],
    "1": [[(0.2, 0.3), (0.6, 0), (0.6, 1)]],
    "4": [[(0.6, 0), (0, 0.6), (1, 0.6)], [(0.75, 0.3), (0.75, 1)]],
    "7": [[(0, 0), (1, 0), (0.4, 1)]],
}


@pytest.fixture(scope="module")
def bars():
    """A model of pictures with something dark at the left or the right, or at both, that says where."""
    keras.utils.set_random_seed(0)
    numbers = np.random.default_rng(0)
    pictures = numbers.integers(200, 256, (96, HEIGHT, WIDTH)).astype("uint8")
    captions = np.array(["dark left", "dark right", "dark left right"])[numbers.integers(0, 3, len(pictures))]
    for picture, caption in zip(pictures, captions, strict=True):
        for word, first in (("left", 1), ("right", 7)):
            if word in caption:
                top, left = numbers.integers(0, 3), first + numbers.integers(0, 3)
                picture[top : top + 5, left : left + numbers.integers(1, 3)] //= 6
    pairs = list(zip(pictures, captions.tolist(), strict=True))
    model = ImageToText.from_pairs(pairs, HEIGHT, WIDTH, filters=(4, 8), embedding_dim=4, hidden_dim=12)
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    model.fit(pairs, batch_size=16, epochs=25, verbose=0)
    assert np.mean(np.array(model.generate(pictures)) == captions) > 0.9
    return model


@pytest.fixture(scope="module")
def site(bars, needs_browser, served, tmp_path_factory):
    """The URL of a page with a preset, and then the model of pictures."""
    folder = tmp_path_factory.mktemp("site")
    bars.save(folder / f"{BARS}.keras")
    page(folder / "page", [SUMS, folder / f"{BARS}.keras"], NODE_MODULES)
    return f"{served(folder)}page/"


@pytest.fixture
def opened(browser, site):
    """`opened(**options)` is the page in a new window, with the model of pictures chosen; errors fail the tests."""
    errors, contexts = [], []

    def opened(drawn_digits=None, **options):
        contexts.append(browser.new_context(**{"reduced_motion": "reduce", **options}))
        window = contexts[-1].new_page()
        window.on("pageerror", lambda error: errors.append(error))
        if drawn_digits:

            def change(route):
                content = route.fetch().json()
                content["models"][1]["drawn_digits"] = drawn_digits
                route.fulfill(json=content)

            window.route("**/models.json", change)
        window.goto(site)
        window.wait_for_function("document.getElementById('verdict').textContent")
        choose(window, BARS)
        return window

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def strokes_of(digit, left, top, width, height):
    """The strokes of a digit in a box, in shares of the canvas."""
    return [[(left + width * x, top + height * y) for x, y in stroke] for stroke in DIGITS[digit]]


def canvas_point(window, point):
    window.locator("#canvas").scroll_into_view_if_needed()
    box = window.locator("#canvas").bounding_box()
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


def draw(window, *strokes, **options):
    """Draws with the mouse."""
    for first, *others in strokes:
        window.mouse.move(*canvas_point(window, first))
        window.mouse.down(**options)
        for point in others:
            window.mouse.move(*canvas_point(window, point), steps=3)
        window.mouse.up(**options)


def answer_of(window):
    """The answer, or the error, once one of them is there."""
    wait_for_answer(window, "picture")
    return window.inner_text("#answer"), window.inner_text("#picture-error")


def seen(window):
    """The picture that the page says its model has read, the bytes of a PNG file."""
    picture = window.evaluate("document.getElementById('alignment').style.getPropertyValue('--picture')")
    return base64.b64decode(picture.split("base64,")[1].rstrip('")'))


def levels(png):
    return tf.io.decode_png(png, channels=1).numpy()[..., 0]


def is_white(window):
    return window.evaluate(
        """() => {
            const {width, height} = document.getElementById('canvas');
            const {data} = document.getElementById('canvas').getContext('2d').getImageData(0, 0, width, height);
            return data.every(level => level === 255);
        }"""
    )


@pytest.mark.parametrize(
    ("digit", "left"), [("1", 0.1), ("7", 0.6), ("4", 0.1), ("0", 0.6)], ids=lambda value: str(value)
)
def test_drawn_strokes_are_read_as_python_reads_the_same_pixels(opened, bars, digit, left):
    window = opened()
    draw(window, *strokes_of(digit, left, 0.2, 0.25, 0.6))
    answer, error = answer_of(window)
    caption, alignment = bars.align(seen(window))
    assert (answer, error) == (caption, "")
    assert caption.startswith("dark ")
    assert window.inner_text("#verdict") == f"picture → {caption}"
    read = levels(seen(window))
    assert read.shape == (HEIGHT, WIDTH)
    # A pen of an eighth of the height, where it was drawn.
    columns = np.nonzero(read.min(axis=0) < 128)[0]
    assert WIDTH * left - 1.5 < columns.min() <= columns.max() < WIDTH * (left + 0.25) + 1
    assert read.min() < 60

    # === Attention ===
    (empty, *columns), *rows = alignment_of(window)
    assert (empty, columns) == ("", [f"column {at}" for at in range(1, alignment.shape[1] + 1)])
    assert [row[0] for row in rows] == caption.split()
    shares = np.array([[float(cell.removesuffix("%")) for cell in row[1:]] for row in rows])
    np.testing.assert_allclose(shares, 100 * alignment, atol=2)
    np.testing.assert_allclose(shares.sum(axis=1), 100, atol=0.5 * len(columns))
    assert window.locator("#steps li b").all_inner_texts() == [*caption.split(), "end"]
    chosen = window.locator("#steps li .bar:first-of-type code").all_inner_texts()
    assert chosen == [*caption.split(), "end"]

    assert_best_answers(window, bars, seen(window))


def test_a_file_is_read_as_python_reads_it(opened, bars, tmp_path):
    """Of the model's size, and of another one, in colours, with a grey border, partly transparent."""
    window = opened()
    numbers = np.random.default_rng(1)
    small = numbers.integers(150, 256, (HEIGHT, WIDTH)).astype("uint8")
    small[1:7, 1:3] = 20
    large = np.full((90, 50, 4), (200, 210, 220, 255), "uint8")
    large[20:60, 19:26] = (10, 60, 0, 255)
    large[30:70, 26:31] = (0, 0, 0, 60)
    wide = np.full((60, 200, 3), 255, "uint8")
    wide[23:37, 120:150] = (90, 0, 40)
    half = np.full((10, 48), 250, "uint8")  # Becomes two and a half rows: two, as halves go to the even number.
    half[:, 30:40] = 30
    captions = set()
    for name, picture in (("small", small), ("large", large), ("wide", wide), ("half", half)):
        path = tmp_path / f"{name}.png"
        path.write_bytes(encoded_picture(picture))
        window.click("#clear")
        window.set_input_files("#picture", path)
        captions.add(bars.generate(path))
        assert answer_of(window) == (bars.generate(path), "")
        expected = bars.preprocessor.encode_sources([path.read_bytes()])[0][0].numpy()
        np.testing.assert_allclose(levels(seen(window)).astype(int), expected.astype(int), atol=1)
        shown = window.evaluate(
            """() => {
                const canvas = document.getElementById('canvas');
                return [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
            }"""
        )
        assert shown[0] == pytest.approx(int(expected[HEIGHT // 2, WIDTH // 2]), abs=1)
    assert len(captions) > 1


def test_a_jpeg_file_is_read_too(opened, bars, tmp_path):
    window = opened()
    picture = np.full((40, 60, 3), 240, "uint8")
    picture[5:35, 40:52] = 10
    path = tmp_path / "bar.jpg"
    path.write_bytes(tf.io.encode_jpeg(picture, quality=95).numpy())
    window.set_input_files("#picture", path)
    assert answer_of(window) == (bars.generate(path), "")
    expected = bars.preprocessor.encode_sources([path.read_bytes()])[0][0].numpy()
    np.testing.assert_allclose(levels(seen(window)).astype(int), expected.astype(int), atol=8)  # Decoders differ.


def test_what_is_drawn_on_a_file_is_added_to_it(opened, bars, tmp_path):
    window = opened()
    picture = np.full((HEIGHT, WIDTH), 230, "uint8")
    picture[1:7, 2:4] = 20
    path = tmp_path / "left.png"
    path.write_bytes(encoded_picture(picture))
    window.set_input_files("#picture", path)
    alone, _ = answer_of(window)
    draw(window, *strokes_of("1", 0.65, 0.1, 0.2, 0.7))
    window.wait_for_function("alone => document.getElementById('answer').textContent.length > alone.length", arg=alone)
    answer, _ = answer_of(window)
    assert (alone, answer) == ("dark left", "dark left right")
    np.testing.assert_array_equal(levels(seen(window))[:, :6], picture[:, :6])


def test_a_file_that_is_no_picture_is_told_next_to_the_choice(opened, tmp_path):
    window = opened()
    path = tmp_path / "text.png"
    path.write_text("no picture")
    window.set_input_files("#picture", path)
    message = "text.png is no picture that can be read: a whole PNG or JPEG file"
    assert answer_of(window) == ("", message)
    assert window.get_attribute("#picture", "aria-invalid") == "true"
    huge = tmp_path / "huge.png"
    huge.write_bytes(tf.io.encode_png(tf.zeros([1, 4097, 1], tf.uint8)).numpy())
    window.set_input_files("#picture", huge)
    window.wait_for_function("document.getElementById('picture-error').textContent.startsWith('huge')")
    assert answer_of(window) == ("", "huge.png has 4097 × 1 pixels, the model takes at most 4096 × 4096")
    draw(window, *strokes_of("1", 0.1, 0.1, 0.2, 0.7))
    window.wait_for_function("document.getElementById('verdict').textContent")
    assert answer_of(window)[1] == ""
    assert window.get_attribute("#picture", "aria-invalid") is None


def test_an_empty_canvas_is_not_read(opened):
    window = opened()
    assert is_white(window)
    window.click("#draw-form button:text('Read')")
    assert answer_of(window) == ("", NO_PICTURE)
    assert alignment_of(window) is None
    draw(window, [(0.3, 0.5)], button="right")
    assert is_white(window)
    window.click("#draw-form button:text('Read')")
    assert answer_of(window) == ("", NO_PICTURE)


def test_clear_leaves_nothing(opened, tmp_path):
    window = opened()
    draw(window, *strokes_of("7", 0.5, 0.2, 0.2, 0.6))
    path = tmp_path / "left.png"
    path.write_bytes(encoded_picture(np.zeros((HEIGHT, WIDTH), "uint8")))
    window.set_input_files("#picture", path)
    answer_of(window)
    assert not is_white(window)
    draw(window, [(0.2, 0.5), (0.8, 0.5)])  # After which it would be read again.
    window.click("#clear")
    window.wait_for_timeout(1000)
    assert is_white(window)
    assert window.inner_text("#answer") == window.inner_text("#verdict") == window.inner_text("#picture-error") == ""
    assert window.locator("#steps li").count() == 0
    assert alignment_of(window) is None
    assert window.input_value("#picture") == ""
    window.click("#draw-form button:text('Read')")
    assert answer_of(window) == ("", NO_PICTURE)
    window.click("#clear")
    assert window.inner_text("#picture-error") == ""


def test_nothing_is_read_before_the_pen_is_up_for_a_while(opened):
    window = opened(reduced_motion="no-preference")
    window.mouse.move(*canvas_point(window, (0.2, 0.2)))
    window.mouse.down()
    window.mouse.move(*canvas_point(window, (0.2, 0.8)))
    window.wait_for_timeout(1200)
    assert window.inner_text("#answer") == ""
    window.mouse.up()
    answer, _ = answer_of(window)
    assert answer
    # The next stroke ends what is being said of the first one.
    draw(window, [(0.7, 0.2), (0.7, 0.8)])
    choose(window, SUMS)
    window.wait_for_timeout(1200)
    assert window.locator("#draw-form").is_hidden()
    assert window.inner_text("#answer") == "62"


def touch(session, kind, *points):
    session.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]},
    )


def test_a_finger_draws_and_does_not_scroll(opened, bars):
    window = opened(viewport={"width": 360, "height": 500}, has_touch=True, is_mobile=True)
    session = window.context.new_cdp_session(window)
    at = [canvas_point(window, (0.2, y)) for y in (0.15, 0.4, 0.6, 0.85)]
    before = window.evaluate("scrollY")
    touch(session, "touchStart", at[0])
    for point in at[1:]:
        touch(session, "touchMove", point)
    second = canvas_point(window, (0.8, 0.5))
    touch(session, "touchStart", at[-1], second)
    touch(session, "touchMove", at[-1], canvas_point(window, (0.8, 0.9)))
    touch(session, "touchEnd")
    answer, error = answer_of(window)
    assert (answer, error) == (bars.generate(seen(window)), "")
    read = levels(seen(window))
    assert read[:, :6].min() < 60
    assert read[:, 6:].min() == 255  # One finger draws.
    assert (read[:, 2] < 128).sum() >= 5
    assert window.evaluate("scrollY") == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawing_is_accessible_and_fits_a_phone(opened, scheme):
    window = opened(color_scheme=scheme)
    assert_accessible(window)
    window.click("#draw-form button:text('Read')")
    answer_of(window)
    assert_accessible(window)
    draw(window, *strokes_of("4", 0.1, 0.2, 0.25, 0.6))
    window.wait_for_function("document.getElementById('verdict').textContent")
    for width in (1200, 360):
        window.set_viewport_size({"width": width, "height": 800})
        assert_accessible(window)
        box = window.locator("#canvas").bounding_box()
        assert box["width"] / box["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.03)
        assert box["height"] < 800
        assert not is_white(window)


def test_all_but_drawing_works_by_keyboard(opened):
    window = opened()
    window.focus("#model")
    visited = []
    for _ in range(3):
        window.keyboard.press("Tab")
        visited.append(window.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert visited == ["Read", "clear", "picture"]
    window.keyboard.press("Shift+Tab")
    window.keyboard.press("Shift+Tab")
    window.keyboard.press("Enter")
    assert answer_of(window) == ("", NO_PICTURE)


# === Numbers ===


def ink(picture):
    """The box of a picture's ink: `(top, bottom, left, right)`, the ends excluded."""
    rows, columns = (np.nonzero((picture < 128).any(axis=axis))[0] for axis in (1, 0))
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


@pytest.mark.parametrize("size", [0.15, 0.5, 0.9])
def test_digits_of_any_size_are_scaled_to_one_height(opened, bars, size):
    window = opened({"most": 5, "ink": 6, "gap": 1, "margin": 1, "greys": [0.2, 0.8]})
    assert "up to 5 digits" in window.inner_text("#draw-hint")
    draw(window, *strokes_of("1", 0.1, 0.9 - size, size / 3, size))
    answer, _ = answer_of(window)
    assert answer == bars.generate(seen(window))
    read = levels(seen(window))
    assert ink(read)[:2] == (1, 7)
    assert read.max() == 0.8 * 255
    assert read.min() == pytest.approx(0.2 * 255, abs=30)


def arranged(window, strokes, **frame):
    """`arranged` of `strokes.js`, of strokes of (x, y)."""
    strokes = [[{"x": x, "y": y} for x, y in stroke] for stroke in strokes]
    made = window.evaluate(
        """async ({strokes, frame}) => (await import('./strokes.js')).arranged(strokes, frame)""",
        {"strokes": strokes, "frame": {"width": 80, "height": 16, "pen": 2, "ink": 12, "gap": 3, "margin": 1, **frame}},
    )
    return [np.array([[point["x"], point["y"]] for point in stroke]) for stroke in made]


def test_digits_that_stand_apart_are_brought_together(opened):
    window = opened()
    # A 4 of two strokes, and far from it a 1, drawn before.
    *four, one = arranged(window, [[(70, 3), (70, 8)], [(12, 3), (10, 6), (15, 6)], [(14, 4), (14, 8)]])
    assert np.ptp(np.concatenate([*four, one])[:, 1]) == pytest.approx(10)  # And the pen.
    assert one[:, 0].min() - np.concatenate(four)[:, 0].max() == pytest.approx(2 + 3)
    assert [len(stroke) for stroke in four] == [3, 2]
    # Those that are closer stay as they were drawn, in proportion.
    near, far = arranged(window, [[(10, 3), (10, 8)], [(12, 3), (12, 8)]])
    assert far[0, 0] - near[0, 0] == pytest.approx(2 * 10 / 5)


def test_a_number_that_would_be_too_wide_becomes_lower(opened):
    window = opened()
    strokes = arranged(window, [[(x, 7), (x + 12, 9)] for x in range(2, 70, 13)])
    points = np.concatenate(strokes)
    assert points[:, 0].min() == pytest.approx(1 + 1)
    assert points[:, 0].max() == pytest.approx(80 - 1 - 1)
    assert np.ptp(points[:, 1]) < 10
    assert points[:, 1].mean() == pytest.approx(8)


def test_a_dot_and_a_line_stay_in_the_picture(opened):
    window = opened()
    for strokes in ([[(79, 15)]], [[(1, 2), (60, 2)]], [[(0, 0), (0, 15.9)]]):
        points = np.concatenate(arranged(window, strokes))
        assert np.isfinite(points).all()
        assert (points >= 1).all()
        assert (points <= [79, 15]).all()


def test_entries_say_what_the_page_has_to_know(bars, runtime, tmp_path, monkeypatch):
    def write(model, path, quantize):
        for file in (path, path.with_suffix(".tflite.json")):
            file.touch()

    monkeypatch.setattr(sys.modules["seqzoo.export.page"], "litert", write)
    numbers = ImageToText(HandwrittenNumbersData().preprocessor(), filters=(2,), embedding_dim=2, hidden_dim=2)
    for name, model in (("numbers", numbers), (BARS, bars)):
        model.save(tmp_path / f"{name}.keras")
    page(tmp_path / "page", [tmp_path / "numbers.keras", tmp_path / f"{BARS}.keras", SUMS], runtime)
    of_numbers, of_bars, of_sums = json.loads((tmp_path / "page/models.json").read_text("utf-8"))["models"]
    assert of_bars == {
        "name": BARS,
        "file": "models/bars.tflite",
        "about": f"{bars.count_params():,} parameters.",
        "kind": "pictures",
        "digits": None,
        "drawn_digits": None,
        "height": HEIGHT,
        "width": WIDTH,
        "target_length": 3,
        "mean_target_length": of_bars["mean_target_length"],
    }
    assert of_numbers["drawn_digits"]["most"] == 5
    assert of_numbers["drawn_digits"]["ink"] < of_numbers["height"] == 16
    assert "drawn_digits" not in of_sums
    assert of_sums["tokens"]
