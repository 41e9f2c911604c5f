"""The command line, run as users run it: results on standard output, one clear line for each mistake."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from seqzoo import cli, models, pipelines

RESULTS = ["history.csv", "history.png", "metrics.json", "model.keras", "run.json"]


@pytest.fixture
def run(capfdbinary, without_xla):
    """Runs a command in this process, without XLA; gives (exit status, standard output, standard error)."""

    def run(*arguments):
        capfdbinary.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            status = exit_.code
        output, errors = capfdbinary.readouterr()
        return status, output.decode(), errors.decode()

    return run


@pytest.fixture
def model_file(trained, tmp_path):
    path = tmp_path / "model.keras"
    trained.save(path)
    return path


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "seqzoo", *map(str, arguments)], capture_output=True, check=False, **options
    )


def train_briefly(run, pair_file, output, *options):
    return run(
        "train", "pairs_peeky_reverse", "--data", pair_file, "--output", output, "--epochs", 2, "--batch-size", 16,
        "--hidden-dim", 8, "--embedding-dim", 4, "--cell", "gru", *options,
    )  # fmt: skip


def test_help_names_every_command_and_loads_no_tensorflow():
    result = command("--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert result.returncode == 0
    assert all(
        name in result.stdout.decode()
        for name in ("demo", "presets", "train", "build", "tune", "evaluate", "generate", "sample", "export", "figure")
    )
    loaded = result.stderr.decode()
    assert "argparse" in loaded
    assert not any(name in loaded for name in ("tensorflow", "keras", "numpy", "matplotlib"))


def test_train_writes_a_run_that_evaluate_and_generate_can_use(run, pair_file, tmp_path):
    status, output, _ = train_briefly(run, pair_file, tmp_path / "run", "--json")
    assert status == 0
    metrics = json.loads(output)
    assert metrics == json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["epochs"] == 2
    assert metrics["preset"]["cell"] == "gru"
    assert 0 < metrics["rows"] < 84
    assert metrics["cpu_seconds"]["total"] > 0
    assert sorted(os.listdir(tmp_path / "run")) == RESULTS
    with open(tmp_path / "run/history.csv") as file:
        epochs = list(csv.DictReader(file))
    assert [row["epoch"] for row in epochs] == ["1", "2"]
    assert float(epochs[-1]["val_exact_match"]) == pytest.approx(metrics["exact_match"])
    assert (tmp_path / "run/history.png").read_bytes().startswith(b"\x89PNG")

    status, output, _ = run("evaluate", tmp_path / "run/model.keras", "--data", pair_file, "--json")
    assert status == 0
    assert json.loads(output)["rows"] == 84
    status, output, _ = run("generate", tmp_path / "run/model.keras", "abc", "d")
    assert status == 0
    assert output.count("\n") == 2


@pytest.mark.slow
def test_same_seed_gives_the_same_history_and_weights_byte_for_byte(pair_file, tmp_path):
    def trained_in_a_new_process(name):
        result = command(
            "train", "pairs_peeky_reverse", "--data", pair_file, "--output", tmp_path / name, "--epochs", 2,
            "--batch-size", 16, "--hidden-dim", 8, "--seed", 5,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr.decode()
        with zipfile.ZipFile(tmp_path / name / "model.keras") as archive:
            return (tmp_path / name / "history.csv").read_bytes(), archive.read("model.weights.h5")

    assert trained_in_a_new_process("a") == trained_in_a_new_process("b")


def test_demo_trains_plots_and_answers_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "seqzoo-demo").mkdir()
    limits = {"KERAS_MAX_STEPS_PER_EPOCH": "10"}
    result = command("demo", "--epochs", 1, cwd=tmp_path, env={**os.environ, **limits})
    assert result.returncode == 0, result.stderr.decode()
    assert b"curve         seqzoo-demo-2/history.png" in result.stdout
    assert b"exported to   seqzoo-demo-2/saved_model/1 (" in result.stdout
    answers = result.stdout.decode().split("process of its own")[1]
    assert "628+521 = " in answers
    assert (tmp_path / "seqzoo-demo-2/model.keras").exists()


def test_export_writes_both_formats_and_says_how_they_compare(run, model_file, pair_file, tmp_path):
    options = ["--data", pair_file]
    status, output, _ = run("export", model_file, "--format", "saved_model", "--output", tmp_path / "out", *options)
    assert status == 0
    assert f"exported to   {tmp_path}/out/1 (" in output
    assert (
        "signatures    serving_default, ids, score\nas the model  84 of 84\nexact match   100.00% before, 100.00%"
        in output
    )
    for quantize in ([], ["--quantize", "float16"]):
        status, output, _ = run(
            "export",
            model_file,
            "--format",
            "litert",
            "--output",
            tmp_path / "a/m.tflite",
            *quantize,
            *options,
            "--json",
        )
        assert status == 0
        assert json.loads(output)["bytes"] == (tmp_path / "a/m.tflite").stat().st_size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "litert", "--output", "m.bin"], "The file of a LiteRT model ends in .tflite. Received: m.bin"),
        (["--format", "saved_model", "--output", "m", "--quantize", "float16"], "Only a LiteRT file is quantised"),
        (["--format", "onnx", "--output", "m"], "argument --format: invalid choice: 'onnx'"),
        (["--format", "saved_model", "--output", "m", "--data", "none.tsv"], "There is no file none.tsv"),
    ],
)
def test_wrong_export_options_are_one_error_line(run, model_file, options, message):
    status, output, errors = run("export", model_file, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"error: {message}")


def test_evaluate_prints_figures_and_wrong_answers(run, model_file, tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("abc\tCBA\nab\tAB\n")
    status, output, _ = run("evaluate", model_file, "--data", data)
    assert status == 0
    assert "exact match   50.00% of 2 answers" in output
    assert "characters    66.667%" in output  # C, B, A of three, and of A, B and the end only the end
    assert "ab → BA  (right: AB)" in output


def test_evaluate_takes_the_test_sums_by_default_and_only_for_a_model_of_sums(run, model_file, tmp_path):
    sums = pipelines.PairPreprocessor.from_pairs(pipelines.load_addition(2, "train[:1000]"))
    models.Seq2Seq(sums, 4, 4).save(tmp_path / "sums.keras")
    status, output, _ = run("evaluate", tmp_path / "sums.keras", "--json")
    assert status == 0
    assert json.loads(output)["rows"] == 500
    status, _, errors = run("evaluate", model_file)
    assert status == 2
    assert errors.startswith("error: This model was not trained on sums of 2 to 5 digits")


def test_generate_reads_standard_input_line_by_line(run, model_file, monkeypatch):
    result = command("generate", model_file, input=b"abc\nd\r\nba\n")
    assert result.stdout == b"CBA\nD\nAB\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\nx\n")))
    status, _, errors = run("generate", model_file)
    assert status == 2
    assert errors.splitlines()[-1] == "error: row 2: source 'x' has the character 'x', which is not in the vocabulary"


def test_tune_prints_its_trials_and_leaves_a_model_an_export_and_a_recipe(run, eagerly, pair_file, tmp_path):
    small = ["--fix", "cell=gru", "--fix", "num-layers=1", "--fix", "embedding_dim=4", "--fix", "batch_size=16"]
    status, output, errors = run(
        "tune", "pairs_baseline", "--data", pair_file, "--output", tmp_path / "search", "--epochs", 1,
        "--max-trials", 1, *small, "--fix", "reverse=true", "--space", "hidden_dim=4,8", "--export",
    )  # fmt: skip
    assert status == 0, errors
    header, trial, best, *_ = output.splitlines()
    assert header.split()[:7] == [
        "trial",
        "status",
        "val_exact_match",
        "best_epoch",
        "epochs",
        "parameters",
        "cpu_seconds",
    ]
    assert "reverse" not in header
    assert trial.split()[:2] == ["0", "completed"]
    assert best.startswith("best          trial 0: val_exact_match 0.")
    assert f"exported to   {tmp_path}/search/saved_model/1" in output
    assert models.load(tmp_path / "search/model.keras").preprocessor.reverse

    found = tmp_path / "search/best.json"
    status, output, _ = run(
        "train", "pairs_baseline", "--config", found, "--data", pair_file, "--output", tmp_path / "run", "--json"
    )
    assert status == 0
    recipe = json.loads(output)["preset"]
    assert recipe == {"name": "pairs_baseline", **json.loads(found.read_text())["recipe"]}
    status, _, errors = run("train", "pairs_peeky_reverse", "--config", found, "--output", tmp_path / "other")
    assert (status, errors) == (2, f"error: {found} is of a search over pairs_baseline, not over pairs_peeky_reverse\n")
    status, _, errors = run("train", "pairs_baseline", "--config", pair_file, "--output", tmp_path / "other")
    assert status == 2
    assert errors.startswith(f"error: {pair_file} is no best.json of a search: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tuner", "annealing"], "argument --tuner: invalid choice: 'annealing'"),
        (["--workers", "0"], "argument --workers: must be a whole number from 1 to"),
        (["--fix", "reverse"], "argument --fix: must be NAME=VALUE, not 'reverse'"),
        (["--fix", "reverse=maybe"], "reverse must be true or false. Received: 'maybe'"),
        (["--space", "hidden_dim=64,many"], "hidden_dim must be a whole number. Received: 'many'"),
        (["--space", "size=1"], "There is no hyperparameter 'size'. Choose among: hidden_dim, "),
        (
            ["--space", "hidden-dim=4,8", "--fix", "hidden-dim=4"],
            "hidden_dim is both fixed, to 4, and searched, over [4, 8]",
        ),
        (["--resume"], "{output} holds no search to resume: leave out --resume, or name the search's folder"),
    ],
)
def test_wrong_tune_options_are_one_error_line_and_leave_nothing(run, pair_file, tmp_path, options, message):
    folder = tmp_path / "search"
    status, output, errors = run("tune", "pairs_baseline", "--data", pair_file, "--output", folder, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: " + message.format(output=folder))
    assert not folder.exists()


def test_presets_lists_parameters_as_text_and_json(run):
    status, output, _ = run("presets")
    assert status == 0
    assert "addition_reverse 150573" in " ".join(output.split())
    _, output, _ = run("presets", "--json")
    assert [row["name"] for row in json.loads(output)["presets"]] == list(models.PRESETS)


def test_presets_that_ship_have_their_cards_figures(run):
    _, output, _ = run("presets", "--json")
    rows = {row["name"]: row for row in json.loads(output)["presets"]}
    card = models.card("addition_reverse")
    assert rows["addition_reverse"]["shipped"] is True
    assert rows["addition_reverse"]["errors"] == card["sums"]["errors"]
    assert rows["addition_reverse"]["exact_match"] == card["held_out"]["exact_match"]
    assert rows["char_lstm_pydoc"]["nats_per_token"] == models.card("char_lstm_pydoc")["held_out"]["nats_per_token"]
    assert rows["pairs_baseline"]["shipped"] is False
    assert rows["pairs_baseline"]["exact_match"] is None


def test_presets_answer_by_name_anywhere(tmp_path):
    result = command("generate", "addition_peeky_reverse", "57+5", "628+521", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, b"62\n1149\n")
    result = command("sample", "char_lstm_pydoc", "--prompt", "The ", "--length", 20, cwd=tmp_path)
    assert result.returncode == 0
    assert len(result.stdout.decode().strip()) > 10


@pytest.fixture
def two_digits_file(tmp_path):
    """A model of sums of two digits that has learnt little."""
    keras.utils.set_random_seed(0)
    preprocessor = pipelines.PairPreprocessor(pipelines.Vocabulary("0123456789+"), 5, 3)
    path = tmp_path / "two.keras"
    models.Seq2Seq(preprocessor, embedding_dim=4, hidden_dim=8).save(path)
    return path


def test_evaluate_exhaustive_asks_every_sum_and_lists_the_wrong_ones(run, two_digits_file):
    status, output, _ = run("evaluate", two_digits_file, "--exhaustive", "--json")
    figures = json.loads(output)
    assert (status, figures["rows"]) == (0, 10_000)
    model = models.load(two_digits_file)
    sums = [(f"{a}+{b}", str(a + b)) for a in range(100) for b in range(100)]
    answers = model.generate([source for source, _ in sums])
    wrong = [
        {"source": source, "target": target, "answer": answer}
        for (source, target), answer in zip(sums, answers, strict=True)
        if answer != target
    ]
    assert figures["wrong"] == wrong
    assert figures["errors"] == len(wrong)
    _, output, _ = run("evaluate", two_digits_file, "--exhaustive")
    assert f"of 10,000 sums\nwrong         {len(wrong):,}\n" in output
    assert output.count("(right: ") == len(wrong)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("addition_5_digits", [], "All sums are asked of models of up to 3 digits; this one is for sums of 5 digits"),
        ("char_lstm_pydoc", [], "char_lstm_pydoc is a language model: leave out --exhaustive"),
        ("addition_reverse", ["--data", "x"], "--exhaustive asks for every sum there is: leave it out, or --data"),
    ],
)
def test_evaluate_exhaustive_of_anything_else_says_so(run, model, options, message):
    status, output, errors = run("evaluate", model, "--exhaustive", *options)
    assert (status, output) == (2, "")
    assert errors.startswith(f"error: {message}")


def test_build_makes_a_card(run, tmp_path):
    data, made = tmp_path / "sums.tsv", tmp_path / "made"
    data.write_text("".join(f"{a}+{b}\t{a + b}\n" for a in range(20) for b in range(a, 20)))
    options = ["pairs_baseline", "--data", data, "--output", made]
    status, output, _ = run("build", *options, "--json")
    assert status == 0
    assert json.loads(output) == json.loads((made / "card.json").read_text("utf-8"))
    status, output, errors = run("build", *options)
    assert (status, output) == (2, "")
    assert "already holds another run" in errors
    status, output, _ = run("build", *options, "--resume")
    assert status == 0
    assert f"card          {made}/card.md" in output


def test_figure_draws_three_curves(run, eagerly, tmp_path):
    data = tmp_path / "sums.tsv"
    data.write_text("".join(f"{a}+{b}\t{a + b}\n" for a in range(20) for b in range(a, 20)))
    status, output, _ = run("figure", "--output", tmp_path / "figure", "--data", data, "--epochs", 1)
    assert status == 0
    assert "Reverse + Peeky" in output
    with open(tmp_path / "figure/curves.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["epoch"]) for row in rows] == [
        ("baseline", "1"),
        ("Reverse", "1"),
        ("Reverse + Peeky", "1"),
    ]
    assert all(0 <= float(row["exact_match"]) <= 1 for row in rows)
    assert (tmp_path / "figure/curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\tA\nb B\n", ":2: the line must be source<TAB>target with one tab: 'b B'"),
        (b"a\tA\nb\tB\tB\n", ":2: the line must be source<TAB>target with one tab"),
        (b"a\tA\n\tB\n", ":2: the line has an empty side"),
        (b"a\tA\nb\t\n", ":2: the line has an empty side"),
        (b"a\tA\nb\xff\tB\n", ":2: the line is not valid UTF-8: 'b\\\\xff\\tB'"),
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
        ("aé\tA", "source 'aé' has the character 'é', which is not in the vocabulary"),
    ],
)
def test_validation_data_that_does_not_fit_is_named_with_file_and_line(run, pair_file, tmp_path, line, problem):
    data = tmp_path / "validation.tsv"
    data.write_text(f"a\tA\n{line}\n", encoding="utf-8")
    status, _, errors = train_briefly(run, pair_file, tmp_path / "run", "--validation-data", data)
    assert status == 2
    assert errors.splitlines()[-1] == f"error: {data}:2: {problem}"
    assert not (tmp_path / "run").exists()


def test_too_few_pairs_and_divergence_are_errors_that_leave_no_folder(run, eagerly, pair_file, tmp_path):
    status, _, errors = train_briefly(run, pair_file, tmp_path / "run", "--batch-size", 1000)
    assert status == 2
    assert "Too few pairs for a batch of 1000: received" in errors
    status, _, errors = train_briefly(run, pair_file, tmp_path / "run", "--learning-rate", "1e38")
    assert status == 2
    assert "error: Training diverged" in errors
    assert not (tmp_path / "run").exists()


def test_control_characters_of_a_value_are_escaped(run, model_file):
    status, _, errors = run("generate", model_file, "a\n\x1b[31m")
    assert status == 2
    assert errors.splitlines()[-1] == r"error: row 1: source 'a\n\x1b[31m' has 7 characters, the model takes at most 3"


def test_output_is_utf8_whatever_the_locale():
    result = command("presets", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "–".encode() in result.stdout


def test_a_folder_with_another_run_is_left_alone(run, pair_file, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    status, _, errors = train_briefly(run, pair_file, tmp_path / "run")
    assert status == 2
    assert errors == f"error: {tmp_path}/run already holds another run; choose a new or empty folder\n"
    assert os.listdir(tmp_path / "run") == ["notes.txt"]


def damaged_models(model_file, folder):
    whole = model_file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for name, content in {"text": b"hello", "empty": b"", "cut": whole[:-2000], "flipped": bytes(flipped)}.items():
        path = folder / f"{name}.keras"
        path.write_bytes(content)
        yield path
    path = folder / "other.zip.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no model")
    yield path


def test_files_that_are_no_whole_model_are_one_error_line(run, model_file, tmp_path):
    for path in damaged_models(model_file, tmp_path):
        status, output, errors = run("generate", path, "abc")
        assert (status, output) == (2, ""), path
        assert errors.startswith(f"error: {path} "), path
        assert errors.count("\n") == 1, errors


def test_a_foreign_keras_model_is_refused(run, tmp_path):
    import keras

    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    status, _, errors = run("generate", path, "abc")
    assert status == 2
    assert errors == f"error: {path} holds a Sequential, not a model of seqzoo\n"


def test_weights_of_another_size_are_an_error(run, model_file, tmp_path):
    broken = tmp_path / "broken.keras"
    with zipfile.ZipFile(model_file) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        names = old.namelist()
    assert "model.weights.h5" in names
    with zipfile.ZipFile(model_file) as old, zipfile.ZipFile(broken, "w") as new:
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("config.json", old.read("config.json"))
        weights = tmp_path / "weights.h5"
        with h5py.File(weights, "w") as file:
            file["x"] = np.zeros(3)
        new.write(weights, "model.weights.h5")
    status, _, errors = run("generate", broken, "abc")
    assert status == 2
    assert errors.startswith(f"error: {broken} cannot be loaded as a model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nothing", "--output", "x"], "There is no preset 'nothing'. Choose one of: addition_baseline"),
        (["train", "pairs_baseline", "--output", "x"], "The preset pairs_baseline has no data of its own"),
        (["train", "pairs_baseline", "--data", "missing.tsv", "--output", "x"], "There is no file missing.tsv"),
        (["train", "addition_baseline", "--epochs", "0", "--output", "x"], "argument --epochs: must be a whole number"),
        (["train", "addition_baseline", "--seed", "-1", "--output", "x"], "argument --seed"),
        (["train", "addition_baseline", "--cell", "rnn", "--output", "x"], "argument --cell: invalid choice: 'rnn'"),
        (["generate", "missing.keras", "57+5"], "There is no model file missing.keras"),
        (["generate", "pairs_baseline", "57+5"], "The preset pairs_baseline does not ship trained. Train it"),
        (["evaluate", "missing.keras"], "There is no model file missing.keras"),
        (["fly"], "argument COMMAND: invalid choice: 'fly'"),
    ],
)
def test_mistakes_are_one_error_line_with_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, output, errors = run(*arguments)
    assert status == 2
    assert output == ""
    assert errors.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == []


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\nthe rat sat on the hat.\n" * 60)
    return path


@pytest.fixture(scope="module")
def writer_file(tmp_path_factory):
    """A small, untrained language model; and one of words with an unknown token."""
    from seqzoo.pipelines import TextPreprocessor

    folder = tmp_path_factory.mktemp("writers")
    for name, options in {"letters": {}, "words": {"split": "whitespace", "unknown": True}}.items():
        preprocessor = TextPreprocessor.from_text("the cat sat on the mat.", **options)
        models.LanguageModel(preprocessor, 4, 8).save(folder / f"{name}.keras")
    return folder / "letters.keras"


def train_text_briefly(run, text_file, output, *options, preset="char_lstm"):
    return run(
        "train", preset, "--data", text_file, "--output", output, "--epochs", 2, "--batch-size", 4, "--hidden-dim", 8,
        "--window", 16, *options,
    )  # fmt: skip


def test_language_model_is_trained_evaluated_and_sampled(run, text_file, tmp_path):
    status, output, errors = train_text_briefly(run, text_file, tmp_path / "run", "--json")
    assert status == 0, errors
    metrics = json.loads(output)
    assert metrics["tokens"] == 288  # the last tenth
    assert metrics["nats_per_token"] < 2.5
    assert metrics["data"] == str(text_file)
    assert metrics["data_sha256"] == hashlib.sha256(text_file.read_bytes()).hexdigest()
    assert metrics["preset"]["window"] == 16
    assert sorted(os.listdir(tmp_path / "run")) == RESULTS
    with open(tmp_path / "run/history.csv") as file:
        epochs = list(csv.DictReader(file))
    assert float(epochs[1]["val_loss"]) < float(epochs[0]["val_loss"])

    model = tmp_path / "run/model.keras"
    status, output, _ = run("evaluate", model, "--data", text_file, "--json")
    assert status == 0
    assert json.loads(output)["tokens"] == 2880
    status, output, _ = run("evaluate", model, "--data", text_file)
    assert "over 2,880 tokens" in output
    assert "perplexity" in output
    status, output, _ = run("sample", model, "--prompt", "the ", "--length", 30, "--greedy")
    assert status == 0
    assert output.startswith("the ")
    assert len(output) == 4 + 30 + 1


def test_validation_data_is_all_validated_on(run, text_file, tmp_path):
    status, output, _ = train_text_briefly(
        run, text_file, tmp_path / "run", "--validation-data", text_file, "--lines", "--json"
    )
    assert status == 0
    assert json.loads(output)["tokens"] == 2880
    assert json.loads(output)["preset"]["lines"] is True


def test_sample_repeats_with_the_seed_and_draws_as_told(run, writer_file):
    def sample(*options):
        status, output, errors = run("sample", writer_file, "--prompt", "the", "--length", 40, *options)
        assert status == 0, errors
        return output

    assert sample() == sample("--seed", 0) == sample("--temperature", 1) == sample("--top-k", 99, "--top-p", 1)
    assert sample() != sample("--seed", 1)
    assert sample("--greedy") == sample("--top-k", 1)
    assert sample("--stop", ".") == "the.\n"
    assert "a" not in sample("--skip", "a")[3:]


def test_sample_says_which_words_it_reads_as_unknown(run, writer_file):
    words = writer_file.with_name("words.keras")
    status, output, errors = run("sample", words, "--prompt", "the dog", "--length", 3)
    assert status == 0
    assert output.startswith("the dog ")
    assert "note: not in the vocabulary, read as the unknown token: 'dog'\n" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "thé"], "the prompt has the character 'é', which is not in the vocabulary"),
        (["--length", "-5"], "argument --length: must be a whole number from 0 to 2147483647, not '-5'"),
        (["--temperature", "0"], "temperature must be a number above 0. Received: temperature=0.0"),
        (["--temperature", "-1"], "temperature must be a number above 0. Received: temperature=-1.0"),
        (["--top-k", "0"], "k must be a whole number from 1. Received: k=0"),
        (["--top-p", "0"], "p must be in (0, 1]. Received: p=0.0"),
        (["--top-p", "1.5"], "p must be in (0, 1]. Received: p=1.5"),
        (["--greedy", "--top-k", "2"], "--greedy draws nothing"),
        (["--stop", ""], "stop must be text of tokens that the model can write. Received: stop=''"),
        (["--skip", "é"], "skip has the token 'é', which is not in the vocabulary"),
    ],
)
def test_wrong_sample_options_are_one_error_line(run, writer_file, options, message):
    status, output, errors = run("sample", writer_file, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"error: {message}")


def test_each_kind_of_model_is_told_from_the_other(run, writer_file, model_file):
    assert run("generate", writer_file, "abc")[2].endswith("answers nothing: use seqzoo sample\n")
    assert run("sample", model_file)[2].endswith("is no language model: use seqzoo generate\n")
    assert "a text to be scored on: give a file, --data FILE" in run("evaluate", writer_file)[2]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", [], "{data} is empty"),
        (b"a\nb\xff\n", [], "{data}:2: the line is not valid UTF-8"),
        (b"abc", [], "There are 2 tokens to train on, fewer than one window of 16: give more text or shorter windows"),
        (b"the cat " * 30, ["--reverse"], "The preset char_lstm has no --reverse: leave it out"),
        (b"the cat " * 30, ["--validation-data", "{wrong}"], "{wrong}:1: the text has the character 'x'"),
    ],
)
def test_wrong_texts_are_one_error_line_and_leave_nothing(run, tmp_path, content, options, message):
    data, wrong = tmp_path / "data.txt", tmp_path / "wrong.txt"
    data.write_bytes(content)
    wrong.write_bytes(b"x")
    names = {"data": data, "wrong": wrong}
    options = [option.format(**names) for option in options]
    status, output, errors = train_text_briefly(run, data, tmp_path / "run", *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: " + message.format(**names))
    assert not (tmp_path / "run").exists()


def test_too_little_memory_is_one_error_line(run, pair_file, tmp_path):
    options = ["--data", pair_file, "--batch-size", 16, "--hidden-dim", 2 * 10**9]
    status, output, errors = run("train", "pairs_baseline", "--output", tmp_path / "run", *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1] == "error: There is not enough memory for this model or batch: make it smaller"
    assert not (tmp_path / "run").exists()


def test_failed_run_keeps_the_folder_it_was_given(run, pair_file, tmp_path):
    (tmp_path / "run").mkdir()
    status, _, errors = train_briefly(run, pair_file, tmp_path / "run", "--batch-size", 1000)
    assert status == 2
    assert "Too few pairs for a batch of 1000" in errors
    assert list((tmp_path / "run").iterdir()) == []


def test_text_presets_that_need_data_say_so(run, tmp_path):
    status, _, errors = run("train", "char_lstm", "--output", tmp_path / "run")
    assert status == 2
    assert "The preset char_lstm has no data of its own: give a text file, --data FILE" in errors
