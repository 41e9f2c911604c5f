"""The page, in a real browser: what its models answer, and what it asks of whom."""

import json
import os
import pathlib
import re
import socket
import struct
import time
import urllib.parse
import urllib.request

import keras
import numpy as np
import pytest
import tensorflow as tf
from browser import (
    MISSING,
    NODE_MODULES,
    alignment_of,
    assert_accessible,
    assert_best_answers,
    choose,
    shades_of,
    wait_for_answer,
)

from seqzoo import cli
from seqzoo.export import page
from seqzoo.export.page import server
from seqzoo.models import Greedy, PeekySeq2Seq, card, from_preset, load, presets
from seqzoo.pipelines import START_ID, PairPreprocessor

ROOT = pathlib.Path(__file__).parents[2]
SUMS = "addition_peeky_reverse"
TEXT = "char_lstm_pydoc"
PHONES = "phones"
OTHERS = ["addition_baseline", "addition_5_digits", "char_lstm_tiny_shakespeare"]


def test_browser_is_there_where_it_has_to_be():
    """Continuous integration installs it; elsewhere the tests that need it say what is missing."""
    assert not (MISSING and os.environ.get("SEQZOO_NEEDS_BROWSER")), f"missing: {' and '.join(MISSING)}"


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory):
    """A folder for the page and a model's file."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(site_folder, phones, needs_browser, served):
    """The URL of a page with presets and two models of files, one with attention, in a subfolder."""
    folder = site_folder
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs([("a", "b"), ("ba", "ab")])
    model = PeekySeq2Seq(preprocessor, hidden_dim=8, num_layers=2, pass_cell_state=False)
    model.save(folder / "my 50%.keras")
    phones.save(folder / f"{PHONES}.keras")
    files = [folder / "my 50%.keras", folder / f"{PHONES}.keras"]
    names = page(folder / "deep/er", [SUMS, TEXT, *OTHERS, *files], NODE_MODULES)
    assert names == [SUMS, TEXT, *OTHERS, "my 50%", PHONES]
    return f"{served(folder)}deep/er/"


@pytest.fixture(scope="module")
def requested():
    """The URLs of all requests so far."""
    return []


@pytest.fixture(scope="module")
def opened(browser, site, requested):
    """The page in a window; its errors fail the tests."""
    context = browser.new_context(reduced_motion="reduce")
    window = context.new_page()
    window.on("request", lambda request: requested.append(request.url))
    errors = []
    window.on("pageerror", lambda error: errors.append(error))
    window.goto(site)
    yield window
    assert errors == []


def ask(window, source):
    """The page's answer and what it says of it; of a wrong source an empty answer and the error."""
    window.fill("#source", source)
    window.press("#source", "Enter")
    wait_for_answer(window, "source")
    return window.inner_text("#answer"), window.inner_text("#verdict"), window.inner_text("#source-error")


@pytest.mark.parametrize(("at", "name", "digits"), [(2, "addition_baseline", 3), (3, "addition_5_digits", 5)])
def test_200_sums_are_answered_as_in_python(opened, at, name, digits):
    choose(opened, name)
    numbers = np.random.default_rng(0).integers(0, 10**digits, (200, 2)).tolist()
    sources = [f"{a}+{b}" for a, b in numbers]
    by_step = [ask(opened, source)[0] for source in sources[:20]]
    at_once = opened.evaluate(
        """async ({sources, entry}) => {
            const {load} = await import('./models.js');
            const model = await load(entry);
            const answers = [];
            for (const source of sources) answers.push(await model.answer(source));
            return answers;
        }""",
        {
            "sources": sources,
            "entry": opened.evaluate("fetch('models.json').then(reply => reply.json())")["models"][at],
        },
    )
    expected = from_preset(name).generate(sources)
    assert at_once == expected
    assert by_step == expected[:20]


def highest_shares(name, source):
    """The four highest probabilities of an answer's first character, in percent, by the model in Python."""
    model = from_preset(name)
    states = model.encoder.read(model.preprocessor.encode_sources([source])[0])
    logits, _ = model.decoder.step(tf.constant([START_ID]), model.decoder.initial_state(states))
    return sorted((100 * tf.nn.softmax(logits[0]).numpy()).tolist(), reverse=True)[:4]


def test_answer_is_judged(opened):
    choose(opened, SUMS)
    answer, verdict, error = ask(opened, "628+521")
    assert (answer, verdict, error) == ("1149", "right: 628+521 = 1149", "")
    assert opened.locator("#steps li").count() == 4
    shares = opened.locator("#steps li:first-child .bar span").all_inner_texts()
    assert [float(share.rstrip("%")) for share in shares] == pytest.approx(highest_shares(SUMS, "628+521"), abs=0.2)
    # Beyond what it has learnt.
    answer, verdict, _ = ask(opened, "1234+56")
    assert verdict == f"{'right' if answer == '1290' else 'wrong'}: 1234+56 = 1290"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1000+1000", "source '1000+1000' has 9 characters, the model takes at most 7"),
        ("5×7", "source '5×7' has the character '×', which is not in the vocabulary"),
        ("", "source is empty"),
    ],
)
def test_wrong_source_is_told_next_to_the_field_as_python_tells_it(opened, source, message):
    choose(opened, SUMS)
    assert ask(opened, source) == ("", "", message)
    assert opened.get_attribute("#source", "aria-invalid") == "true"
    with pytest.raises(ValueError, match=re.escape(f"row 1: {message}")):
        from_preset(SUMS).generate(source)
    assert ask(opened, "57+5") == ("62", "right: 57+5 = 62", "")
    assert opened.get_attribute("#source", "aria-invalid") is None


def test_a_thousand_sums_in_a_row(opened):
    choose(opened, SUMS)
    opened.click("#many")
    opened.wait_for_function("document.getElementById('many-result').textContent.includes('of 1,000 right')")
    right = int(opened.inner_text("#many-result").split(" of ")[0].replace(",", ""))
    assert right >= 998
    assert opened.locator("#many-wrong li").count() == 1000 - right


def write(window, prompt, **options):
    window.fill("#prompt", prompt)
    for name, value in options.items():
        window.fill(f"#{name.replace('_', '-')}", str(value))
    window.click("#write-button")


@pytest.mark.parametrize(("name", "prompt"), [(TEXT, "The é"), (TEXT, ""), ("char_lstm_tiny_shakespeare", "ROMEO:\n")])
def test_most_probable_text_is_pythons(opened, name, prompt):
    choose(opened, name)
    write(opened, prompt, temperature=0, length=60)
    opened.wait_for_function("document.getElementById('speed').textContent")
    expected = from_preset(name).generate(prompt, 60, Greedy())
    assert opened.evaluate("document.getElementById('written').textContent") == prompt + expected


def test_wrong_prompt_is_told_next_to_the_field(opened):
    choose(opened, "char_lstm_tiny_shakespeare")
    write(opened, "né", temperature=0, length=60)
    message = "the prompt has the character 'é', which is not in the vocabulary"
    opened.wait_for_function("document.getElementById('prompt-error').textContent")
    assert opened.inner_text("#prompt-error") == message
    with pytest.raises(ValueError, match=message):
        from_preset("char_lstm_tiny_shakespeare").generate("né")


def test_drawn_text_streams_and_stops(opened):
    choose(opened, TEXT)
    write(opened, "", temperature=0.8, top_k=5, length=10_000)
    opened.wait_for_function("document.getElementById('written').textContent.length > 40")
    opened.click("#stop")
    opened.wait_for_function("document.getElementById('speed').textContent")
    assert 40 < len(opened.evaluate("document.getElementById('written').textContent")) < 10_000
    assert opened.is_disabled("#stop")
    assert opened.inner_text("#speed").startswith("Stopped after ")


def test_model_of_a_file_answers_as_in_python_and_is_not_judged(opened, site_folder):
    choose(opened, "my 50%")
    assert opened.locator("#sums").is_hidden()
    model = load(site_folder / "my 50%.keras")
    for source in ("a", "b", "ab", "ba"):
        answer, verdict, _ = ask(opened, source)
        assert answer == model.generate(source)
        assert verdict == f"{source} → {answer}"


def test_alignment_is_a_table_of_the_shares_that_the_model_aligns(browser, site, phones):
    """With the file's weights in float16."""
    window = browser.new_context(viewport={"width": 360, "height": 800}, reduced_motion="reduce").new_page()
    window.goto(site)
    choose(window, PHONES)
    for source in ("CHAtk", "hatch"):
        answer, alignment = phones.align(source)
        assert ask(window, source)[:2] == (answer, f"{source} → {answer}")
        (empty, *characters), *rows = alignment_of(window)
        assert (empty, characters) == ("", list(source.lower()))
        assert [row[0] for row in rows] == answer.split()
        shown = [[float(cell.removesuffix("%")) for cell in row[1:]] for row in rows]
        np.testing.assert_allclose(shown, 100 * alignment, atol=2)
        for shares, shades in zip(shown, shades_of(window), strict=True):
            assert len(set(shades)) == len(set(shares)) > 1
    expected = "source 'caX' has the character 'x', which is not in the vocabulary"
    assert ask(window, "caX") == ("", "", expected)
    assert alignment_of(window) is None
    ask(window, "CHAtk")
    assert_accessible(window)
    choose(window, SUMS)
    window.wait_for_function("document.getElementById('verdict').textContent")
    assert alignment_of(window) is None


def test_answer_that_was_learnt_backwards_is_shown_forwards(browser, served, tmp_path):
    model = from_preset("addition_9_digits")
    assert model.preprocessor.reverse_target
    page(tmp_path / "page", ["addition_9_digits"], NODE_MODULES)
    window = browser.new_context(reduced_motion="reduce").new_page()
    window.goto(f"{served(tmp_path)}page/")
    for source, answer in (("57+5", "62"), ("123456789+1", "123456790")):
        assert ask(window, source)[0] == answer
        assert_best_answers(window, model, source)


def test_best_answers_are_pythons(opened, phones):
    choose(opened, PHONES)
    for source in ("CHAtk", "hatch", "c", "tap"):
        ask(opened, source)
        assert_best_answers(opened, phones, source)
    ask(opened, "x")
    assert opened.locator("#best").is_hidden()


def test_alignment_grows_with_the_answer(browser, site, phones):
    window = browser.new_context().new_page()
    window.goto(site)
    choose(window, PHONES)
    assert len(phones.generate("chatk").split()) > 2
    window.fill("#source", "chatk")
    window.press("#source", "Enter")
    is_answering = "document.getElementById('verdict').textContent === ''"
    for count in (1, 2):
        window.wait_for_function(
            f"document.querySelectorAll('#alignment tbody tr').length === {count} && {is_answering}"
        )


def test_who_changes_the_model_in_haste_gets_the_last_one(browser, site):
    """With the pauses between an answer's characters, during which models come and go."""
    window = browser.new_context().new_page()
    errors = []
    window.on("pageerror", lambda error: errors.append(error))
    window.goto(site)
    window.wait_for_function("document.getElementById('answer').textContent")
    window.select_option("#model", OTHERS[0])  # While the first model answers.
    window.select_option("#model", TEXT)  # While that one loads.
    window.wait_for_function("document.getElementById('text').hidden === false")
    window.select_option("#model", OTHERS[1])
    window.wait_for_function("document.getElementById('answer').textContent")
    window.select_option("#model", SUMS)
    window.select_option("#model", OTHERS[0])
    window.wait_for_function("document.getElementById('verdict').textContent")
    assert window.inner_text("#status") == f"{OTHERS[0]} is ready."
    assert window.inner_text("#source-error") == ""
    choose(window, TEXT)
    write(window, "", temperature=0.7, length=10_000)
    window.wait_for_function("document.getElementById('written').textContent.length > 20")
    choose(window, SUMS)
    window.wait_for_function("document.getElementById('verdict').textContent")
    assert window.inner_text("#answer") == "62"
    assert window.evaluate("document.getElementById('speed').textContent") == ""
    assert errors == []


def test_model_that_cannot_be_loaded_says_so_and_another_one_can(browser, site):
    window = browser.new_context(reduced_motion="reduce").new_page()
    window.route("**/addition_baseline.tflite", lambda route: route.fulfill(status=404, body="gone"))
    window.goto(site)
    window.wait_for_function("document.getElementById('verdict').textContent")
    window.select_option("#model", "addition_baseline")
    window.wait_for_function("document.getElementById('status').textContent.includes('could not be loaded: 404')")
    assert window.locator("#pairs").is_hidden()
    choose(window, SUMS)
    assert ask(window, "57+5")[0] == "62"


def test_nothing_is_asked_of_another_host(opened, site, requested):
    opened.reload()
    opened.wait_for_function("document.getElementById('verdict').textContent")
    assert len(requested) > 5
    assert all(url.startswith(site) for url in requested)


# In place of the page's own program: the runtime alone, with the model of the page's first answer.
BARE = """
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';
const file = fetch('models/NAME.tflite').then(reply => reply.arrayBuffer());
await loadLiteRt('./litert/');
const model = await loadAndCompile(new Uint8Array(await file), {accelerator: 'wasm'});
window.answer = async () => {
  const source = new Tensor(Int32Array.from('628+521', character => character.codePointAt(0)), [1, 7]);
  const {answer, error} = await model.run('batch_1', {source});
  const points = (await answer.data()).slice();
  [source, answer, error].forEach(tensor => tensor.delete());
  return String.fromCodePoint(...points.filter(point => point > 0));
};
document.getElementById('verdict').textContent = await answer();
""".replace("NAME", SUMS)


@pytest.mark.slow(minutes=1)
def test_first_answer_and_later_ones_take_little_longer_than_the_runtime_alone(browser, site):
    """Opened in turn, each time with an empty cache, the best of three: the machine may be running other tests."""

    def opened(program=None):
        window = browser.new_context(reduced_motion="reduce").new_page()
        files = []
        window.on("request", lambda request: files.append(request.url.rsplit("/", 1)[1]))
        if program:
            window.route("**/page.js", lambda route: route.fulfill(content_type="text/javascript", body=program))
        started = time.perf_counter()
        window.goto(site)
        window.wait_for_function("document.getElementById('verdict').textContent")
        return time.perf_counter() - started, window, files

    pages, bare = zip(*((opened(), opened(BARE)) for _ in range(3)), strict=True)
    assert min(seconds for seconds, *_ in pages) < 3 * min(seconds for seconds, *_ in bare)
    _, window, files = pages[-1]
    # Nothing but the model that answers.
    assert [name for name in files if name.endswith(".tflite")] == [f"{SUMS}.tflite"]
    _, runtime_alone, _ = bare[-1]
    assert runtime_alone.inner_text("#verdict") == "1149"

    window.click("#many")
    window.wait_for_function("document.getElementById('many-result').textContent.includes('of 1,000 right')")
    each = float(window.inner_text("#many-result").split("right, ")[1].split(" ms")[0])
    alone = runtime_alone.evaluate(
        """async () => {
            const started = performance.now();
            for (let asked = 0; asked < 1000; asked++) await answer();
            return (performance.now() - started) / 1000;
        }"""
    )
    assert each < 5 * alone


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(browser, site, scheme):
    """On a wide screen and on a narrow one."""
    window = browser.new_context(color_scheme=scheme, reduced_motion="reduce").new_page()
    window.goto(site)
    window.wait_for_function("document.getElementById('verdict').textContent")
    for name in (SUMS, TEXT):
        choose(window, name)
        for width in (1200, 360):
            window.set_viewport_size({"width": width, "height": 800})
            assert_accessible(window)


def test_shares_are_seen_in_colours_of_the_system(browser, site):
    """As in the high contrast of Windows, which takes backgrounds away."""
    shown = []
    for colours in ("none", "active"):
        window = browser.new_context(forced_colors=colours).new_page()
        window.goto(site)
        window.wait_for_selector(".bar i")
        shown.append(window.evaluate("getComputedStyle(document.querySelector('.bar i')).backgroundColor"))
    assert shown[0] == shown[1]


def test_any_temperature_may_be_given(browser, site):
    window = browser.new_context().new_page()
    window.goto(site)
    choose(window, TEXT)
    for value, is_valid in (("0.75", True), ("1e-3", True), ("-0.1", False)):
        window.fill("#temperature", value)
        assert window.evaluate("document.getElementById('temperature').checkValidity()") == is_valid


def test_page_works_by_keyboard(browser, site):
    window = browser.new_context(reduced_motion="reduce").new_page()
    window.goto(site)
    window.wait_for_selector("#best", state="visible")
    visited = []
    for _ in range(6):
        window.keyboard.press("Tab")
        visited.append(window.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert visited == ["model", "source", "Answer", "best-table", "many", "The numbers"]


def test_page_opens_with_the_model_that_is_named_first_or_else_makes_the_fewest_errors(runtime, tmp_path):
    errors = {name: card(name).get("sums", {}).get("errors") for name in presets()}
    names = page(tmp_path / "all", runtime=runtime)
    assert names[0] == SUMS
    assert errors[SUMS] == 0
    assert sorted(names) == presets()
    page(tmp_path / "two", ["addition_peeky", SUMS], runtime)
    for folder, expected in (("all", names), ("two", ["addition_peeky", SUMS])):
        listed = json.loads((tmp_path / folder / "models.json").read_text("utf-8"))["models"]
        assert [each["name"] for each in listed] == expected


def test_page_without_a_runtime_says_how_to_get_it(tmp_path):
    with pytest.raises(
        ValueError, match=r"holds no LiteRT runtime for browsers: run npm install @litertjs/core@2\.5\.3"
    ):
        page(tmp_path / "page", [SUMS], tmp_path)
    package = tmp_path / "@litertjs/core/package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "2.0.0"}')
    with pytest.raises(ValueError, match=r"holds version 2\.0\.0 of the LiteRT runtime; the page needs 2\.5\.3"):
        page(tmp_path / "page", [SUMS], tmp_path)
    package.write_text('{"version": "2.5.3"}')
    with pytest.raises(ValueError, match=r"lacks core/dist/index\.js of the LiteRT runtime: remove .*npm install"):
        page(tmp_path / "page", [SUMS], tmp_path)
    assert not (tmp_path / "page").exists()


def test_two_models_of_one_name_are_refused(runtime, tmp_path):
    with pytest.raises(ValueError, match="Two models are called addition_baseline"):
        page(tmp_path / "page", [SUMS, "addition_baseline", tmp_path / "addition_baseline.keras"], runtime)
    assert not (tmp_path / "page").exists()


def test_one_model_may_stand_for_a_list(runtime, tmp_path):
    assert page(tmp_path / "page", SUMS, runtime) == [SUMS]


def test_port_of_a_page_that_is_not_served_is_refused(tmp_path, capsys):
    assert cli.main(["page", "--output", str(tmp_path / "page"), "--port", "8080"]) == 2
    assert capsys.readouterr().err == "error: --port is where --serve serves: leave it out, or give --serve\n"


def test_browser_that_leaves_while_a_file_loads_is_no_error(served, tmp_path, capsys):
    (tmp_path / "large").write_bytes(bytes(20_000_000))
    url = urllib.parse.urlsplit(served(tmp_path))
    for _ in range(3):
        with socket.create_connection((url.hostname, url.port)) as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.recv(100)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # Resets.
    with urllib.request.urlopen(f"{served(tmp_path)}large") as reply:
        assert len(reply.read()) == 20_000_000
    assert capsys.readouterr().err == ""


def test_server_is_reached_from_this_machine_only(tmp_path):
    with server(tmp_path) as serving:
        assert serving.server_address[0] == "127.0.0.1"
