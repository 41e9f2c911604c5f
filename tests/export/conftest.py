"""Models to export: of sums, and of text, with weights that make them answer something; and one that was built."""

import contextlib
import dataclasses
import threading

import keras
import numpy as np
import pytest
from browser import CHROMIUM, MISSING

from seqzoo.export import build
from seqzoo.export.page import server
from seqzoo.models import AttentionSeq2Seq, LanguageModel, PeekySeq2Seq, Seq2Seq
from seqzoo.pipelines import START_ID, AdditionData, PairPreprocessor, TextPreprocessor, Vocabulary
from seqzoo.training import RECIPES

TEXT = "the cat sat on the mat.\nthe hen sat on the cat.\n" * 8


def _sums_model(cell="lstm", peeky=True, reverse=True, **options):
    """A model of three-digit sums whose answers differ from source to source, though they are wrong."""
    keras.utils.set_random_seed(3)
    preprocessor = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=reverse)
    options = {"embedding_dim": 6, "hidden_dim": 24, "cell": cell, **options}
    model = (PeekySeq2Seq if peeky else Seq2Seq)(preprocessor, **options)
    numbers = np.random.default_rng(0)
    model.set_weights([numbers.normal(0, 1.0, weight.shape) for weight in model.get_weights()])
    assert len(set(model.generate([f"{a}+{999 - 7 * a}" for a in range(100)]))) > 10
    return model


@pytest.fixture(scope="session")
def sums_model():
    """Makes a model of sums, from `cell`, `peeky`, `reverse` and options of `Seq2Seq`."""
    return _sums_model


@pytest.fixture(scope="session")
def sums():
    """One model of sums."""
    return _sums_model()


PHONES = ["t͡ʃ", "æ", "t", "h", "k", "p", "ʌ", "s"]


@pytest.fixture(scope="session")
def pronunciations():
    """60 pairs of a word, some of its letters capitals, and phones in words of one to five characters."""
    numbers = np.random.default_rng(2)

    def drawn(tokens, separator):
        return separator.join(tokens[i] for i in numbers.integers(0, len(tokens), numbers.integers(1, 6)))

    return [(drawn("achkptusACH", ""), drawn(PHONES, " ")) for _ in range(60)]


def _phones_model(pronunciations, cell):
    """A model with attention that reads letters in lower case, in reverse, and writes phones, wrong ones."""
    keras.utils.set_random_seed(3)
    options = {"reverse": True, "target_split": "whitespace", "lower_case": True}
    model = AttentionSeq2Seq.from_pairs(pronunciations, **options, embedding_dim=6, hidden_dim=8, cell=cell)
    numbers = np.random.default_rng(4)
    model.set_weights([numbers.normal(0, 1.5, weight.shape) for weight in model.get_weights()])
    bias = model.decoder.dense.bias.numpy()
    bias[START_ID] = -20.0  # No training makes a model write it.
    model.decoder.dense.bias.assign(bias)
    sources = [source for source, _ in pronunciations]
    greedy, best = model.generate(sources), model.generate(sources, beam_size=4)
    assert len(set(greedy)) > 15
    assert sum(one != other for one, other in zip(greedy, best, strict=True)) > 10
    return model


@pytest.fixture(scope="session")
def phones(pronunciations):
    """A model with attention, a bidirectional LSTM."""
    return _phones_model(pronunciations, "lstm")


@pytest.fixture(scope="session")
def gru_phones(pronunciations):
    """The same with a bidirectional GRU."""
    return _phones_model(pronunciations, "gru")


def _text_model(unknown=False, **options):
    """A language model with some inclination."""
    keras.utils.set_random_seed(3)
    preprocessor = TextPreprocessor.from_text(TEXT, unknown=unknown)
    model = LanguageModel(preprocessor, **{"embedding_dim": 8, "hidden_dim": 32, **options})
    model.set_weights([2.0 * weight for weight in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def text_model():
    """Makes a language model, from `unknown` and options of `LanguageModel`."""
    return _text_model


@pytest.fixture(scope="session")
def writer():
    """One language model."""
    return _text_model()


@pytest.fixture(scope="session")
def three_digit_sums():
    """5,000 sources that a model of sums takes."""
    numbers = np.random.default_rng(1).integers(0, 1000, (5000, 2)).tolist()
    return [f"{a}+{b}" for a, b in numbers]


@pytest.fixture(scope="session")
def sums_recipe():
    """Makes a recipe of sums of up to two digits, two epochs, from options of `PairRecipe`."""
    dataset = AdditionData(2, commute=True, short_sums=3)
    sizes = {"hidden_dim": 12, "embedding_dim": 4, "cell": "simple_rnn"}
    small = {"dataset": dataset, **sizes, "epochs": 2, "batch_size": 500}
    return lambda **options: dataclasses.replace(RECIPES["addition_peeky_reverse"], **{**small, **options})


@pytest.fixture(scope="session")
def built(sums_recipe, tmp_path_factory):
    """`(folder, card)` of a model of sums, trained with XLA: without it the last bits would differ.

    The small recipe stands for the one of its name, so that its card has the command.
    """
    folder = tmp_path_factory.mktemp("build") / "sums"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "addition_peeky_reverse", sums_recipe())
        return folder, build(sums_recipe(), folder, verbose=0)


@pytest.fixture(scope="module")
def needs_browser():
    """Skips where there is no browser, before anything is made for it."""
    if MISSING:
        pytest.skip(f"the page's tests need {' and '.join(MISSING)}")


@pytest.fixture(scope="module")
def served():
    """`served(folder)` is the URL of a folder."""
    with contextlib.ExitStack() as stack:

        def serve(folder):
            serving = stack.enter_context(server(folder))
            stack.callback(serving.shutdown)
            threading.Thread(target=serving.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{serving.server_port}/"

        yield serve


@pytest.fixture(scope="module")
def browser(needs_browser):
    """Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, as in containers, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def runtime(tmp_path):
    """A folder that has the runtime's files, with nothing in them."""
    folder = tmp_path / "node_modules/@litertjs"
    for name in ("core/dist/index.js", "wasm-utils/dist/index.js"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    (folder / "core/wasm").mkdir()
    for name in ("", "_compat"):
        for ending in ("js", "wasm"):
            (folder / f"core/wasm/litert_wasm{name}_internal.{ending}").touch()
    (folder / "core/package.json").write_text('{"version": "2.5.3"}')
    return folder.parent
