"""The example scripts run, with few steps, and say what they take and reach."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

from seqzoo import models

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
SHORT = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "5", "WITHOUT_XLA": "1"}
LIBRARIES = {"seqzoo", "keras", "numpy"}
# A program that asks an export needs what runs it.
RUNTIMES = {
    "search_and_export": {"tensorflow", "ai_edge_litert"},
    "translate": {"sacrebleu"},
    "chat": {"chatterbot_corpus", "yaml"},
}

scripts = pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda script: script.stem)


@pytest.fixture
def run(warm_python, tmp_path):
    """Runs an example in a temporary folder; returns what it prints."""

    def run(name, *arguments, **options):
        command = [warm_python / "python", str(EXAMPLES / f"{name}.py"), *arguments]
        options |= {"cwd": tmp_path, "env": {**os.environ, **SHORT}, "capture_output": True, "text": True}
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == 0, done.stderr[-6000:]
        return done.stdout

    return run


@pytest.mark.slow(minutes=1)
def test_chapter_7_prints_exact_match_and_answers_of_each_variant(run):
    lines = run("chapter_7").splitlines()[-3:]
    rows = [re.fullmatch(r"(.+?) +[\d.]+% exact match; 57\+5 = .*, 628\+521 = .*", line) for line in lines]
    assert [row and row[1] for row in rows] == ["baseline", "Reverse", "Reverse + Peeky"]


@pytest.mark.slow(minutes=1)
def test_your_own_pairs_learns_roman_numerals_without_a_file(run, tmp_path):
    output = run("your_own_pairs")
    assert re.search(r"exact match [\d.]+% of \d+ held-out pairs", output)
    assert re.search(r"\(right: [IVXLCDM]+\)", output)
    answered, _, *wrong = output.splitlines()[-4:]
    assert re.fullmatch(r" +1994 -> [IVXLCDM]*", answered)
    assert [line.split(" -> ")[1][:15] for line in wrong] == ["source 'MMXXVI'", "source '31415' "]
    assert models.load(tmp_path / "your_own_pairs.keras").preprocessor.source_length == 4


@pytest.mark.slow(minutes=1)
def test_your_own_pairs_reads_a_file(run, pair_file, tmp_path):
    assert "held-out pairs" in run("your_own_pairs", str(pair_file))
    assert set(models.load(tmp_path / "your_own_pairs.keras").preprocessor.vocabulary.tokens) == set("abcdABCD")


@pytest.mark.slow(minutes=1)
def test_fine_tuning_a_text_model_prints_texts_before_and_after(run, tmp_path):
    before, after = re.findall(
        r"(?:before|after): ([\d.]+) nats per held-out character\n    def ", run("fine_tune_text")
    )
    assert float(after) < float(before)
    assert models.load(tmp_path / "fine_tuned.keras").task == "text"


@pytest.mark.slow(minutes=1)
def test_search_and_export_answers_from_both_exports(run, tmp_path):
    answers = re.findall(r"57\+5 = (\d*), by the (SavedModel|LiteRT file)", run("search_and_export"))
    assert [by for _, by in answers] == ["SavedModel", "LiteRT file"]
    assert answers[0][0] == answers[1][0]
    assert len((tmp_path / "search/trials.csv").read_text("utf-8").splitlines()) == 1 + 3
    assert (tmp_path / "served/1/saved_model.pb").exists()
    assert (tmp_path / "sums.tflite").exists()


@pytest.mark.parametrize("option", [(), pytest.param(("--characters",), marks=pytest.mark.slow(minutes=1))])
def test_translate_scores_sentences_that_it_has_not_read(run, tmp_path, option):
    animals, places = ["cat", "dog", "hen", "pig", "cow", "bat"], ["house", "barn", "tree", "street", "river"]
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    rows = [(n, animal, place) for n in numbers for animal in animals for place in places]
    lines = [f"I see {n} {a}s; a {p}!\tVu : {n} {a} (l'{p}) !\tCC-BY 2.0" for n, a, p in rows]
    lines += [f"I see {n} {a}s; a {p}!\tJ'ai vu {n} {a}, l'{p}." for n, a, p in rows[::2]]
    (tmp_path / "fra.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    scores, *translations = run("translate", "fra.txt", *option).splitlines()[-11:]
    sentences = re.fullmatch(r"(\d+) sentences: [\d.]+ chrF, [\d.]+ BLEU; 0 cannot be read", scores)
    assert len(translations) == 10
    sources = [re.fullmatch(r"  (.*) -> .* \(right: Vu : .*\)", line)[1] for line in translations]
    folder = "translate_characters" if option else "translate"
    read = {line.split("\t")[0] for line in (tmp_path / f"{folder}.tsv").read_text("utf-8").splitlines()}
    assert len(read) + int(sentences[1]) == len(rows)
    assert read.isdisjoint(sources)
    preprocessor = models.load(tmp_path / folder / "model.keras").preprocessor
    assert preprocessor.source_vocabulary.split == ("characters" if option else "words")


@pytest.mark.slow(minutes=1)
def test_chat_answers_lines_and_says_how_much_it_repeats(run, tmp_path):
    share, *dialogue = run("chat", "korean", input="안녕\n" + 99 * "아 " + "\n").splitlines()[-5:]
    assert re.fullmatch(
        r"[\d.]+% of the answers to \d+ utterances that it has not read stand in the dialogues\.", share
    )
    assert dialogue[0] == "> 안녕"
    assert dialogue[3].startswith("(source '아 아 ")
    assert "안녕" in models.load(tmp_path / "chat_korean.keras").preprocessor.source_vocabulary.tokens


@scripts
def test_an_example_is_short(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) < 100


@scripts
def test_an_example_imports_what_its_readers_know(script):
    imported = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        imported |= {name.partition(".")[0] for name in ([node.module] if isinstance(node, ast.ImportFrom) else names)}
    assert imported <= LIBRARIES | RUNTIMES.get(script.stem, set()) | set(sys.stdlib_module_names)


@scripts
def test_an_example_says_its_command_its_time_and_what_it_reaches(script):
    docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    assert re.search(rf"^    python examples/{script.name}\b", docstring, re.MULTILINE)
    assert re.search(r"\d+ (s|min)\s+of CPU time", docstring)
    assert re.search(r"\d+\.\d+(%| nats| chrF)", docstring)
