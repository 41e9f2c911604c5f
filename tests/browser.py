"""What tests in a real browser need, and what of it is missing."""

import math
import os
import pathlib
import shutil

from seqzoo.export.page import RUNTIME

ROOT = pathlib.Path(__file__).parents[1]
NODE_MODULES = pathlib.Path(os.environ.get("SEQZOO_NODE_MODULES", ROOT / "node_modules"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [
    text
    for text, is_there in (
        ("Chromium (Debian: apt-get install chromium)", CHROMIUM),
        (f"the LiteRT runtime (npm install {RUNTIME})", NODE_MODULES.is_dir()),
    )
    if not is_there
]


def choose(window, name):
    """Chooses a model on the page, and waits until it is ready."""
    window.select_option("#model", name)
    window.wait_for_function(f"document.getElementById('status').textContent === '{name} is ready.'")


def wait_for_answer(window, field):
    """Waits until the page has answered, or said what is wrong with what is in a field."""
    window.wait_for_function(
        "field => document.getElementById('verdict').textContent"
        " || document.getElementById(`${field}-error`).textContent",
        arg=field,
    )


def assert_best_answers(window, model, source):
    """Fails if what the page lists is not what the model finds in Python; its weights are in float16 on the page."""
    window.wait_for_selector("#best", state="visible")
    rows = [row.locator("th, td").all_text_contents() for row in window.locator("#best tbody tr").all()]
    expected = model.n_best(source, 5)
    assert [answer for answer, _ in rows] == [answer for answer, _ in expected]
    for (_, share), (_, log_probability) in zip(rows, expected, strict=True):
        assert abs(float(share.removesuffix("%")) - 100 * math.exp(log_probability)) < 1


def alignment_of(window):
    """The alignment that the page shows, a table of texts, its first row and column the headings; `None` without."""
    if window.locator("#aligned").is_hidden():
        return None
    rows = window.locator("#alignment tr").all()
    return [[cell.text_content() for cell in row.locator("th, td").all()] for row in rows]


def shades_of(window):
    """What is behind each cell of the alignment, as the browser computes it: a list for each row."""
    return window.evaluate(
        """() => [...document.querySelectorAll('#alignment tbody tr')].map(
            row => [...row.querySelectorAll('td')].map(cell => {
                const {backgroundColor, backgroundImage} = getComputedStyle(cell);
                return backgroundColor + backgroundImage;
            }))"""
    )


def assert_accessible(window):
    """Fails for what hinders users of assistive technology, and if the page is wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(window).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")
