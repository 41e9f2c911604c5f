"""`seqzoo train` on pairs: what a run leaves, and mistakes that leave nothing."""

import csv
import dataclasses
import json
import os
import zipfile

import pytest

from seqzoo import models
from seqzoo.training import RECIPES

RESULTS = ["history.csv", "history.png", "metrics.json", "model.keras", "run.json"]


def test_train_writes_a_run_that_evaluate_and_generate_can_use(run, train_briefly, pair_file, tmp_path):
    status, output, _ = train_briefly(tmp_path / "run", "--json")
    assert status == 0
    metrics = json.loads(output)
    assert metrics == json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["epochs"] == 2
    assert metrics["recipe"]["cell"] == "gru"
    assert metrics["recipe"]["dataset"] is None
    assert 0 < metrics["rows"] < 84
    assert metrics["cpu_seconds"]["total"] > 0
    assert sorted(os.listdir(tmp_path / "run")) == RESULTS
    with open(tmp_path / "run/history.csv") as file:
        epochs = list(csv.DictReader(file))
    assert [row["epoch"] for row in epochs] == ["1", "2"]
    assert float(epochs[-1]["val_exact_match"]) == pytest.approx(metrics["exact_match"])
    assert (tmp_path / "run/history.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "run/run.json").read_text())["compile_options"] == {"jit_compile": False}
    assert models.load(tmp_path / "run/model.keras").jit_compile is False

    status, output, _ = run("evaluate", tmp_path / "run/model.keras", "--data", pair_file, "--json")
    assert status == 0
    assert json.loads(output)["rows"] == 84
    status, output, _ = run("generate", tmp_path / "run/model.keras", "abc", "d")
    assert status == 0
    assert output.count("\n") == 2


@pytest.mark.slow(minutes=1)
def test_same_seed_gives_the_same_history_and_weights_byte_for_byte(command, pair_file, tmp_path):
    def trained_in_a_new_process(name):
        result = command(
            "train", "pairs_peeky_reverse", "--data", pair_file, "--output", tmp_path / name, "--epochs", 2,
            "--batch-size", 16, "--hidden-dim", 8, "--seed", 5,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr.decode()
        assert models.load(tmp_path / name / "model.keras").jit_compile is True
        with zipfile.ZipFile(tmp_path / name / "model.keras") as archive:
            return (tmp_path / name / "history.csv").read_bytes(), archive.read("model.weights.h5")

    assert trained_in_a_new_process("a") == trained_in_a_new_process("b")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\tA\nb B\n", ":2: the line must be source<TAB>target with one tab: 'b B'"),
        (b"a\tA\nb\tB\tB\n", ":2: the line must be source<TAB>target with one tab"),
        (b"a\tA\n\tB\n", ":2: the line has an empty side"),
        (b"a\tA\nb\t\n", ":2: the line has an empty side"),
        (b"a\tA\nb\xff\tB\n", ":2: the line is not valid UTF-8 at the byte \\xff"),
        (b"", " is empty"),
    ],
)
def test_wrong_data_is_one_error_line_and_leaves_nothing(run, tmp_path, content, problem):
    data = tmp_path / "data.tsv"
    data.write_bytes(content)
    status, output, errors = run("train", "pairs_baseline", "--data", data, "--output", tmp_path / "run")
    assert status == 2
    assert output == ""
    assert errors.splitlines()[-1].startswith(f"error: {data}{problem}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("abcd\tA", "source 'abcd' has 4 characters, the model takes at most 3"),
        ("a\tABCD", "target 'ABCD' has 4 characters, the model takes at most 3"),
        (
            "aé\tAÉ",
            "target 'AÉ' has the character 'É', which is not in the vocabulary "
            "(U+00C9 LATIN CAPITAL LETTER E WITH ACUTE)",
        ),
    ],
)
def test_validation_data_that_does_not_fit_is_named_with_file_and_line(train_briefly, tmp_path, line, problem):
    data = tmp_path / "validation.tsv"
    data.write_text(f"a\tA\n{line}\n", encoding="utf-8")
    status, _, errors = train_briefly(tmp_path / "run", "--validation-data", data)
    assert status == 2
    assert errors.splitlines()[-1] == f"error: {data}:2: {problem}"
    assert not (tmp_path / "run").exists()


def test_model_and_vocabularies_are_as_the_options_say(train_briefly, tmp_path):
    data, validation = tmp_path / "words.tsv", tmp_path / "validation.tsv"
    words = ["Hallo", "Welt", "CAFÉ", "a", "b"]
    data.write_text("".join(f"{one} {other}\t{other}\n" for one in words for other in words), encoding="utf-8")
    validation.write_text("HALLO unknown\ta\n")
    status, output, errors = train_briefly(
        tmp_path / "run", "--data", data, "--validation-data", validation, "--source-split", "whitespace",
        "--lower-case", "--normal-form", "NFD", "--num-layers", 2, "--bidirectional", "--dropout", "0.1",
        "--label-smoothing", "0.2", "--no-reverse", "--cell", "simple_rnn", "--json",
    )  # fmt: skip
    assert status == 0, errors
    expected = {"dropout": 0.1, "label_smoothing": 0.2, "num_layers": 2, "bidirectional": True}
    assert expected.items() <= json.loads(output)["recipe"].items()
    model = models.load(tmp_path / "run/model.keras")
    assert model.preprocessor.source_vocabulary.tokens == sorted(["a", "b", "cafe\u0301", "hallo", "welt"])
    assert {"É", "H"} <= set(model.preprocessor.target_vocabulary.tokens)
    assert (len(model.encoder.recurrent), model.get_config()["bidirectional"]) == (2, True)

    options = ["--data", data, "--validation-data", validation, "--source-split", "whitespace", "--no-unknown"]
    status, _, errors = train_briefly(tmp_path / "other", *options)
    assert status == 2
    assert errors.splitlines()[-1].startswith(f"error: {validation}:1: source 'HALLO unknown' has the word 'HALLO'")


def test_sentences_are_split_bounded_and_copied_from_as_the_options_say(run, tmp_path):
    data = tmp_path / "sentences.tsv"
    data.write_text("".join(f"I see {a}, {b}!\tVu\u202f: {b} ({a})\n" for a in "abcdef" for b in "ghijkl"), "utf-8")
    small = ["--epochs", 1, "--batch-size", 8, "--hidden-dim", 4, "--embedding-dim", 4, "--no-xla"]
    words = ["--source-split", "words", "--target-split", "words", "--max-tokens", 8, "--copy-unknown"]
    command = ["--data", data, *small, *words]
    status, _, errors = run("train", "pairs_attention", *command, "--output", tmp_path / "run")
    assert status == 0, errors
    preprocessor = models.load(tmp_path / "run/model.keras").preprocessor
    assert preprocessor.copy_unknown
    assert preprocessor.target_vocabulary.unknown
    assert {"Vu", "￭\u202f", "￭:", "(￭", "￭)"} <= set(preprocessor.target_vocabulary.tokens)
    assert {len(preprocessor.source_vocabulary.tokens), len(preprocessor.target_vocabulary.tokens)} == {8}
    status, _, errors = run("train", "pairs_peeky_reverse", *command, "--output", tmp_path / "other")
    assert (status, (tmp_path / "other").exists()) == (2, False)
    assert errors.splitlines()[-1].startswith("error: copy_unknown needs a model with attention, and max_tokens")


@pytest.mark.filterwarnings("default")
def test_files_with_another_separator_are_trained_on_evaluated_and_resumed_by_it(run, train_briefly, tmp_path):
    data, folder = tmp_path / "addition.txt", tmp_path / "run"
    data.write_text("".join(f"{f'{a}+{b}':6} _{a + b:<4}\n" for a in range(10) for b in range(10)))
    options = ["--data", data, "--separator", "_"]
    status, output, errors = train_briefly(folder, *options, "--json")
    assert status == 0, errors
    assert json.loads(output)["recipe"]["separator"] == "_"
    preprocessor = models.load(folder / "model.keras").preprocessor
    assert (preprocessor.source_length, preprocessor.target_length) == (3, 2)
    assert not {"_", " "} & set(preprocessor.source_vocabulary.tokens)
    assert train_briefly(folder, *options, "--resume")[0] == 0
    status, _, errors = train_briefly(folder, "--data", data, "--separator", "+", "--resume")
    assert status == 2
    assert "holds another run, with a different separator (see its run.json)" in errors.splitlines()[-1]

    status, output, errors = run("evaluate", folder / "model.keras", *options, "--json")
    assert (status, json.loads(output)["rows"]) == (0, 100), errors
    status, _, errors = run("evaluate", folder / "model.keras", "--data", data)
    assert status == 2
    assert "give --separator _ (separator='_')" in errors


def test_searches_and_validation_data_are_read_by_the_separator_of_the_recipe(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("".join(f"{row} _ {row}\n" for row in range(100)))
    recipe = dataclasses.replace(RECIPES["pairs_baseline"], separator="_")
    assert type(recipe).from_config(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
    training, validation, _ = recipe.search_data(data)
    pairs = [*training.as_numpy_iterator(), *validation.as_numpy_iterator()]
    assert sorted(pairs) == sorted((f"{row}".encode(),) * 2 for row in range(100))
    assert len(list(recipe.training_data(data, data)[1])) == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "char_lstm"], "The recipe char_lstm has no --separator: leave it out"),
        (["build", "char_lstm"], "The recipe char_lstm has no --separator: leave it out"),
        (["train", "addition_baseline"], "A separator is that of a file: leave it out (--separator), or name a file"),
        (["tune", "addition_baseline"], "A separator is that of a file: leave it out (--separator), or name a file"),
        (["figure"], "A separator is that of a file: leave it out (--separator), or name a file"),
    ],
)
def test_a_separator_without_a_file_of_pairs_is_one_error_line(run, tmp_path, arguments, message):
    status, output, errors = run(*arguments, "--separator", "_", "--output", tmp_path / "run")
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("default")
def test_the_longest_row_is_noted_where_it_is_far_longer_than_the_others(train_briefly, tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"a{row}\t{row}\n" for row in range(60)) + f"{'b' * 90}\t1\n")
    status, _, errors = train_briefly(tmp_path / "run", "--data", data)
    assert status == 0, errors
    (note,) = (line for line in errors.splitlines() if line.startswith("note: "))
    assert note.startswith(f"note: {data}:61: the source has 90 tokens, where 99% of the sources have at most 3. ")


@pytest.mark.slow(minutes=1)
def test_few_pairs_are_passed_over_often_enough_unless_the_epochs_are_given(run, pair_file, tmp_path, monkeypatch):
    small = {"model": "Seq2Seq", "cell": "simple_rnn", "hidden_dim": 4, "embedding_dim": 4}
    short = dataclasses.replace(RECIPES["pairs_attention"], **small, epochs=2, min_steps=9)
    monkeypatch.setitem(RECIPES, "pairs_attention", short)
    options = ["train", "pairs_attention", "--data", pair_file, "--no-xla", "--batch-size", 32]
    status, output, errors = run(*options, "--output", tmp_path / "run")
    assert status == 0, errors
    assert "epochs        2, each 3 times over the data; 14 steps\n" in output
    status, output, _ = run(*options, "--output", tmp_path / "short", "--epochs", 1)
    assert status == 0
    assert "epochs        1; 2 steps\n" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dropout", "1"], "argument --dropout: must be a number from 0 and below 1, not '1'"),
        (["--label-smoothing", "-0.1"], "argument --label-smoothing: "),
        (["--normal-form", "nfc"], "argument --normal-form: invalid choice: 'nfc'"),
        (["--source-split", "word"], "argument --source-split: invalid choice: 'word'"),
    ],
)
def test_wrong_options_are_one_error_line(train_briefly, tmp_path, options, message):
    status, output, errors = train_briefly(tmp_path / "run", *options)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"error: {message}")


def test_divergence_is_an_error_that_leaves_no_folder(train_briefly, tmp_path):
    status, _, errors = train_briefly(tmp_path / "run", "--learning-rate", "1e38")
    assert status == 2
    assert errors.splitlines()[-1].startswith("error: Training diverged")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "given"])
def test_too_few_pairs_are_an_error_that_leaves_the_folder_as_it_was(train_briefly, tmp_path, is_there):
    if is_there:
        (tmp_path / "run").mkdir()
    status, _, errors = train_briefly(tmp_path / "run", "--batch-size", 1000)
    assert status == 2
    assert errors.splitlines()[-1].startswith("error: Too few pairs for a batch of 1000: received")
    assert (tmp_path / "run").exists() is is_there
    assert not is_there or list((tmp_path / "run").iterdir()) == []


def test_folder_with_another_run_is_left_alone(train_briefly, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    status, _, errors = train_briefly(tmp_path / "run")
    assert status == 2
    assert errors == f"error: {tmp_path}/run already holds another run; choose a new or empty folder\n"
    assert os.listdir(tmp_path / "run") == ["notes.txt"]


def test_option_of_another_kind_of_recipe_is_an_error(train_briefly, tmp_path):
    status, _, errors = train_briefly(tmp_path / "run", "--window", 8)
    assert (status, errors) == (2, "error: The recipe pairs_peeky_reverse has no --window: leave it out\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow(minutes=1)
def test_too_little_memory_is_one_error_line(run, pair_file, tmp_path):
    options = ["--data", pair_file, "--batch-size", 16, "--hidden-dim", 2 * 10**9]
    status, output, errors = run("train", "pairs_baseline", "--output", tmp_path / "run", *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1] == "error: There is not enough memory for this model or batch: make it smaller"
    assert not (tmp_path / "run").exists()
