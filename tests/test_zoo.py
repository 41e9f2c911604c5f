"""The presets that ship: each is run, in every form it ships in, and held against its card."""

import argparse
import dataclasses
import os
import pathlib
import re

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo.export.cards.content import weights_sha256
from seqzoo.export.cards.markdown import card_page
from seqzoo.export.clients import answers_of_litert, loaded
from seqzoo.export.verification import verification_of
from seqzoo.models import Greedy, LanguageModel, PeekySeq2Seq, Seq2Seq, card, from_preset, load, presets
from seqzoo.pipelines import load_addition, load_python_topics, load_test_rows
from seqzoo.pipelines.pairs import decoded
from seqzoo.training import RECIPES, evaluate, evaluate_all_sums, evaluate_sums
from seqzoo.training.evaluation.sums import all_operands

SUMS = [
    "addition_baseline", "addition_reverse", "addition_peeky", "addition_peeky_reverse", "addition_5_digits",
    "addition_9_digits",
]  # fmt: skip
TEXTS = ["char_lstm_pydoc", "char_lstm_tiny_shakespeare"]
OTHERS = ["dates", "read_numbers"]
DOWNLOADED = ["pronounce_english"]
EVERY = [*SUMS, *TEXTS, *OTHERS, *DOWNLOADED]
# Minutes of processor time that all sums take, or those held out, and all of the text held out.
MODEL_MINUTES = {
    "addition_baseline": 0.3, "addition_reverse": 0.3, "addition_peeky": 0.3, "addition_peeky_reverse": 0.5,
    "addition_5_digits": 0.2, "addition_9_digits": 1.0, "char_lstm_pydoc": 0.3, "char_lstm_tiny_shakespeare": 0.5,
    "dates": 0.5, "read_numbers": 0.5, "pronounce_english": 1.0,
}  # fmt: skip
LITERT_MINUTES = {
    "addition_baseline": 0.7, "addition_reverse": 0.7, "addition_peeky": 0.8, "addition_peeky_reverse": 1.3,
    "addition_5_digits": 0.3, "addition_9_digits": 2.0,
}  # fmt: skip
ROOT = pathlib.Path(__file__).parents[1] / "saved_models"
FILES = {"model.keras", "model.tflite", "1", "card.md", "card.json", "curve.png", "NOTICE.txt"}
# What rounding may change on another processor.
NEAR_TIES = 2


def slow(minutes, names):
    """Runs a slow test for each preset: in parts, by `-k` or the test's name with the preset's."""
    marked = [pytest.param(name, marks=pytest.mark.slow(minutes=minutes[name])) for name in names]
    return pytest.mark.parametrize("name", marked)


@pytest.fixture(scope="module", params=SUMS)
def sums_card(request):
    """The card of a model of sums."""
    return card(request.param)


@pytest.fixture(scope="module", params=TEXTS)
def text_card(request):
    """The card of a language model."""
    return card(request.param)


def sums(digits, rows, seed=0):
    """int64 `[rows, 2]`: operands of one to `digits` digits, each length as often."""
    numbers = np.random.default_rng(seed)
    lengths = numbers.integers(0, digits, (rows, 2))
    return numbers.integers(np.where(lengths, 10**lengths, 0), 10 ** (lengths + 1))


def operands_held_out(digits):
    """int64 `[rows, 2]`: those of the test split."""
    batches = load_addition(digits, "test").batch(8192).as_numpy_iterator()
    return np.array([source.decode().split("+") for batch, _ in batches for source in batch], "int64")


def as_texts(operands):
    """`(sources, targets)` of operands."""
    return [f"{a}+{b}" for a, b in operands.tolist()], [str(a + b) for a, b in operands.tolist()]


def test_those_that_ship_are_these_and_fit_into_90_mib():
    assert presets() == sorted(EVERY)
    assert sum(file.stat().st_size for name in EVERY for file in shipped_files(name)) <= 90 * 2**20


def shipped_files(name):
    paths = [path for kind in FILES for path in (ROOT / name).glob(f"{kind}/**/*" if kind == "1" else kind)]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("name", EVERY)
def test_card_is_of_this_model(name):
    about, model = card(name), from_preset(name)
    assert about["weights_sha256"] == weights_sha256(model)
    assert about["parameters"] == model.count_params()
    file = about["data"]["name"] if about["data"]["name"] != RECIPES[name].data_name else None
    recipe = RECIPES[name].for_data(file)
    assert type(recipe).from_config(about["recipe"]) == recipe
    sizes = {file.relative_to(ROOT / name).as_posix(): file.stat().st_size for file in shipped_files(name)}
    assert {file: size for file, size in sizes.items() if file in about["bytes"]} == about["bytes"]
    assert (ROOT / name / "card.md").read_text("utf-8") == card_page(about)


@pytest.mark.parametrize("name", EVERY)
def test_saved_model_is_served_by_the_presets_name(name):
    version = ROOT / name / "1"
    assert (version / "README.md").read_text("utf-8").startswith(f"# {name}\n")
    assert name.encode() in (version / "assets.extra" / "tf_serving_warmup_requests").read_bytes()


def test_sums_have_the_errors_that_the_card_states(sums_card):
    """It lists all of them, so that every other sum, of all or of those held out, must be right."""
    model, stated = from_preset(sums_card["preset"]), sums_card["sums"]
    asked = sums(sums_card["digits"], 5_000) if stated["all"] else operands_held_out(sums_card["digits"])[:5_000]
    listed = {each["source"]: each["answer"] for each in stated["wrong"]}
    assert stated["errors"] == len(listed)
    assert (
        sum(listed.get(each["source"]) != each["answer"] for each in evaluate_sums(model, asked)["wrong"]) <= NEAR_TIES
    )
    again = model.generate(listed) if listed else []
    assert sum(one != other for one, other in zip(again, listed.values(), strict=True)) <= NEAR_TIES


def test_exports_of_sums_answer_as_the_model(sums_card):
    name = sums_card["preset"]
    model, (sources, targets) = from_preset(name), as_texts(sums(sums_card["digits"], 2_000, seed=1))
    verification = verification_of(model, list(zip(sources, targets, strict=True)))
    with loaded(ROOT / name / "1") as run:
        assert verification.verify_saved_model(run)["different"] == 0
    found = verification.verify_litert(Interpreter(str(ROOT / name / "model.tflite")))
    expected = sums_card["litert"]["float16"]
    assert found["rows"] - found["equal"] <= NEAR_TIES + 10 * found["rows"] * (1 - expected["equal"] / expected["rows"])


def test_texts_are_predicted_as_the_card_states(text_card):
    model = from_preset(text_card["preset"])
    excerpt = text_card["excerpt"]
    assert evaluate(model, excerpt["text"])["nats_per_token"] == pytest.approx(excerpt["nats_per_token"], abs=1e-3)
    greedy = text_card["examples"][0]
    assert greedy["sampler"] == "Greedy()"
    assert model.generate(greedy["prompt"], 50, Greedy()) == greedy["text"][:50]


def test_exports_of_language_models_write_as_the_model(text_card):
    name = text_card["preset"]
    verification = verification_of(from_preset(name), text_card["excerpt"]["text"])
    assert len(verification.prompts) > 3
    with loaded(ROOT / name / "1") as run:
        assert verification.verify_saved_model(run)["different"] == 0
    found = verification.verify_litert(Interpreter(str(ROOT / name / "model.tflite")))
    assert found["score"]["export"] == pytest.approx(found["score"]["model"], abs=0.01)


@pytest.mark.parametrize("name", OTHERS)
def test_exports_of_other_answers_are_the_models(name):
    """On test rows, whose figures the card states."""
    model, about = from_preset(name), card(name)
    rows = list(decoded(load_test_rows(model.preprocessor).shard(10, 0), model.preprocessor.reads_text))
    verification = verification_of(model, rows)
    expected = len(rows) * (1 - about["held_out"]["exact_match"])
    wrong = sum(map(str.__ne__, verification.own_answers, [target for _, target in rows]))
    assert wrong <= NEAR_TIES + expected + 3 * expected**0.5  # They are a tenth of what the card states.
    with loaded(ROOT / name / "1") as run:
        assert verification.verify_saved_model(run)["different"] == 0
    found = verification.verify_litert(Interpreter(str(ROOT / name / "model.tflite")))
    assert found["rows"] - found["equal"] <= NEAR_TIES


@pytest.mark.parametrize("name", DOWNLOADED)
def test_answers_and_exports_are_as_the_card_states_where_test_rows_have_to_be_downloaded(name):
    """On the card's examples, and on words that Python's documentation has."""
    model, about = from_preset(name), card(name)
    stated = {each["source"]: each["answer"] for each in about["examples"]}
    assert model.generate(stated) == list(stated.values())
    text = b" ".join(load_python_topics().take(200).as_numpy_iterator()).decode()
    words = [(word, "") for word in sorted({*re.findall("[a-z]{2,16}", text)})[::10][:300]]
    assert len(words) == 300
    with loaded(ROOT / name / "1") as run:
        searching = verification_of(model, words, beam_size=about["beam"]["beam_size"])
        assert searching.verify_saved_model(run)["different"] == 0
    found = verification_of(model, words).verify_litert(Interpreter(str(ROOT / name / "model.tflite")))
    assert found["rows"] - found["equal"] <= NEAR_TIES


def test_figures_of_the_zoo_are_what_is_promised():
    """By the cards, which `test_every_sum` and `test_held_out_text` hold against the models."""
    assert card("addition_peeky_reverse")["sums"]["errors"] == 0
    assert all(card(name)["sums"]["errors"] <= 500 for name in SUMS[:4])
    assert card("addition_5_digits")["held_out"]["exact_match"] >= 0.999
    nine = card("addition_9_digits")
    assert (nine["held_out"]["exact_match"], nine["held_out"]["rows"], nine["parameters"] <= 1e6) == (1, 100_000, True)
    assert len(nine["sums"]["by_digits"]) == 45  # Each pair of lengths has sums.
    assert card("char_lstm_tiny_shakespeare")["held_out"]["nats_per_token"] <= 1.44
    assert (card("dates")["held_out"]["exact_match"], card("dates")["held_out"]["rows"]) == (1, 10_000)
    assert card("dates")["parameters"] <= 500_000
    words = card("pronounce_english")
    assert (words["beam"]["exact_match"] > 0.76, words["parameters"] <= 2_500_000) == (True, True)


def test_from_preset_returns_a_model_of_the_class_that_it_is_called_on():
    assert isinstance(Seq2Seq.from_preset("addition_peeky_reverse"), PeekySeq2Seq)
    assert isinstance(LanguageModel.from_preset("char_lstm_pydoc"), LanguageModel)
    with pytest.raises(
        ValueError, match=r"addition_reverse is a Seq2Seq, not a PeekySeq2Seq: use Seq2Seq\.from_preset"
    ):
        PeekySeq2Seq.from_preset("addition_reverse")
    with pytest.raises(ValueError, match="char_lstm_pydoc is a LanguageModel, not a Seq2Seq"):
        Seq2Seq.from_preset("char_lstm_pydoc")


def test_from_preset_without_weights_has_random_ones():
    trained, new = (Seq2Seq.from_preset("addition_reverse", load_weights=load) for load in (True, False))
    assert new.get_config() == trained.get_config() | {"name": new.name}
    assert new.preprocessor.vocabulary == trained.preprocessor.vocabulary
    assert trained.generate("57+5") == "62"
    assert new.generate("57+5") != "62"


@pytest.mark.parametrize("name", ["pairs_baseline", "nothing", "", "..", "addition_reverse/1"])
def test_from_preset_without_such_a_preset_names_those_there_are(name):
    for function in (from_preset, card):
        with pytest.raises(ValueError, match=rf"There is no preset '{name}'\. Choose one of: addition_5_digits, "):
            function(name)


def test_folder_of_a_presets_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "addition_reverse").mkdir()
    assert load("addition_reverse").generate("57+5") == "62"
    assert load(pathlib.Path("addition_reverse")).generate("57+5") == "62"


def fine_tuned(name, load_weights, data, held_out, **options):
    """The figures of a preset's model after a short training on other data."""
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(RECIPES[name].for_data("other"), **options)
    model = from_preset(name, load_weights)
    batches = recipe.batches(model.preprocessor, data)
    recipe.compile(model, len(batches), jit_compile=False)
    model.fit(batches, epochs=recipe.epochs, verbose=0)
    return evaluate(model, held_out)


@pytest.mark.slow(minutes=1)
def test_preset_is_a_better_start_for_a_task_of_ones_own_than_none():
    """The difference of two numbers, on half of all pairs of up to two digits."""
    pairs = [(f"{a}+{b}", str(abs(a - b))) for a in range(100) for b in range(100)]
    np.random.default_rng(0).shuffle(pairs)
    options = {"epochs": 3, "batch_size": 128, "learning_rate": 4e-3}
    new, trained = (
        fine_tuned("addition_reverse", load_weights, pairs[:5_000], pairs[5_000:7_000], **options)["character_accuracy"]
        for load_weights in (False, True)
    )
    assert trained > new + 0.1


@pytest.mark.slow(minutes=1)
def test_text_preset_is_a_better_start_for_a_text_of_ones_own_than_none():
    text = pathlib.Path(argparse.__file__).read_text("utf-8")
    data, held_out = from_preset("char_lstm_pydoc").preprocessor.hold_out(text[:60_000])
    options = {"epochs": 1, "steps_per_epoch": 20, "window": 32, "batch_size": 16, "learning_rate": 1e-3}
    new, trained = (
        fine_tuned("char_lstm_pydoc", load_weights, data, held_out, **options)["nats_per_token"]
        for load_weights in (False, True)
    )
    assert trained < new - 0.5


@slow(MODEL_MINUTES, SUMS)
def test_every_sum(name):
    """Or every one held out, where they are too many to answer all."""
    model, about = from_preset(name), card(name)
    stated = about["sums"]
    if stated["all"]:
        errors = evaluate_all_sums(model)["errors"]
    else:
        figures = evaluate(model, load_addition(about["digits"], "test"))
        errors = round(figures["rows"] * (1 - figures["exact_match"]))
    assert errors == pytest.approx(stated["errors"], abs=NEAR_TIES if stated["errors"] else 0)


@slow(LITERT_MINUTES, SUMS)
def test_every_sum_by_the_litert_file(name):
    """Or every one held out."""
    about = card(name)
    answer = answers_of_litert(Interpreter(str(ROOT / name / "model.tflite")), from_preset(name))
    rows = all_operands(about["digits"]) if about["sums"]["all"] else operands_held_out(about["digits"])
    wrong = 0
    for start in range(0, len(rows), 1_000):
        sources, targets = as_texts(rows[start : start + 1_000])
        wrong += sum(map(str.__ne__, answer(sources), targets))
    stated = about["litert"]["float16"]
    assert stated["rows"] == len(rows)
    expected = round(stated["rows"] * (1 - stated["score"]["export"]))
    assert wrong == pytest.approx(expected, abs=NEAR_TIES if expected else 0)


@slow(MODEL_MINUTES, TEXTS)
def test_held_out_text(name):
    """All of it. Tiny Shakespeare is downloaded, or the file that SEQZOO_TINY_SHAKESPEARE names."""
    recipe, about = RECIPES[name], card(name)
    file = os.environ.get("SEQZOO_TINY_SHAKESPEARE") if recipe.data_name == "tiny_shakespeare" else None
    if recipe.data_facts(file)["data_sha256"] != about["data"]["sha256"]:
        pytest.skip("another Python brings another text")
    figures = evaluate(from_preset(name), recipe.training_data(file)[1])
    assert figures["nats_per_token"] == pytest.approx(about["held_out"]["nats_per_token"], abs=1e-3)


@slow(MODEL_MINUTES, [*OTHERS, *DOWNLOADED])
def test_every_test_row(name):
    model, stated = from_preset(name), card(name)["held_out"]
    figures = evaluate(model, load_test_rows(model.preprocessor))
    errors = [round(each["sources"] * (1 - each["exact_match"])) for each in (figures, stated)]
    assert errors[0] == pytest.approx(errors[1], abs=NEAR_TIES if errors[1] else 0)
