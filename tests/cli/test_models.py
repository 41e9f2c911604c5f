"""Models by name or file: every command that takes one refuses what is no whole model of seqzoo, and the other kind."""

import zipfile

import h5py
import keras
import numpy as np
import pytest


def test_presets_answer_by_name_anywhere(warm_command, tmp_path):
    result = warm_command("generate", "addition_peeky_reverse", "57+5", "628+521", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, b"62\n1149\n")
    result = warm_command("sample", "char_lstm_pydoc", "--prompt", "The ", "--length", 20, cwd=tmp_path)
    assert result.returncode == 0
    assert len(result.stdout.decode().strip()) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "{text}", "abc"], "A LanguageModel continues prompts and answers no sources: use seqzoo sample"),
        (["sample", "{pairs}"], "A PeekySeq2Seq answers sources and continues no prompts: use seqzoo generate"),
        (["evaluate", "{text}"], "{text} was not trained on a data set of a recipe: give data, --data FILE"),
        (["evaluate", "{pairs}"], "{pairs} was not trained on a data set of a recipe: give data, --data FILE"),
        (
            ["evaluate", "{text}", "--exhaustive"],
            "All sums are evaluated for models of up to 3 digits; this one is not a model of sums: "
            "use seqzoo evaluate without --exhaustive",
        ),
        (
            ["evaluate", "{pairs}", "--exhaustive"],
            "All sums are evaluated for models of up to 3 digits; this one is not a model of sums: "
            "use seqzoo evaluate without --exhaustive",
        ),
        (
            ["evaluate", "addition_5_digits", "--exhaustive"],
            "All sums are evaluated for models of up to 3 digits; this one is for sums of 5 digits, 10,000,000,000 of "
            "them: use seqzoo evaluate without --exhaustive",
        ),
        (
            ["evaluate", "addition_reverse", "--exhaustive", "--separator", ";"],
            "--separator is that of a file of pairs: leave it out, or give --data FILE",
        ),
        (
            ["evaluate", "addition_reverse", "--exhaustive", "--data", "x"],
            "--exhaustive evaluates every sum there is: leave it out, or --data",
        ),
    ],
)
def test_commands_that_do_not_suit_a_model_name_the_one_that_does(run, writer_file, model_file, arguments, message):
    files = {"text": writer_file, "pairs": model_file}
    status, output, errors = run(*(argument.format(**files) for argument in arguments))
    assert (status, output, errors) == (2, "", f"error: {message.format(**files)}\n")


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
    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    status, _, errors = run("generate", path, "abc")
    assert status == 2
    assert errors == f"error: {path} holds a Sequential, not a model of seqzoo\n"


def test_weights_of_another_size_are_an_error(run, model_file, tmp_path):
    broken = tmp_path / "broken.keras"
    with zipfile.ZipFile(model_file) as old, zipfile.ZipFile(broken, "w") as new:
        assert "model.weights.h5" in old.namelist()
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("config.json", old.read("config.json"))
        weights = tmp_path / "weights.h5"
        with h5py.File(weights, "w") as file:
            file["x"] = np.zeros(3)
        new.write(weights, "model.weights.h5")
    status, _, errors = run("generate", broken, "abc")
    assert status == 2
    assert errors.startswith(f"error: {broken} cannot be loaded as a model")
