"""Models of pictures on the command line: sources are files."""

import json

import keras
import numpy as np
import pytest

from seqzoo.models import ImageToText
from seqzoo.pipelines.picture_pairs import encoded_picture
from seqzoo.reports import print_examples


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    keras.utils.set_random_seed(1)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 8, 12), "uint8")
    pairs = list(zip(pictures, ["one", "two", "one two", "two one"], strict=True))
    model = ImageToText.from_pairs(pairs, 8, 12, filters=(4, 4, 4), embedding_dim=4, hidden_dim=8)
    path = tmp_path_factory.mktemp("pictures") / "model.keras"
    model.save(path)
    for number, picture in enumerate(pictures):
        (path.parent / f"{number}.png").write_bytes(encoded_picture(picture))
    return path, model, pictures


def test_generate_reads_files(run, model_file):
    path, model, pictures = model_file
    names = [path.parent / f"{number}.png" for number in range(4)]
    status, output, errors = run("generate", path, *names)
    assert (status, errors) == (0, "")
    assert output.splitlines() == model.generate(pictures)
    _, output, _ = run("generate", path, names[0], "--n-best", 2)
    lines = [line.split("\t") for line in output.splitlines()]
    assert [(name, answer) for name, answer, _ in lines] == [
        (str(names[0]), answer) for answer, _ in model.n_best(pictures[0], 2)
    ]


def test_a_file_that_is_no_picture_is_an_error_of_its_row(run, model_file):
    path, model, pictures = model_file
    missing = path.parent / "missing.png"
    status, output, errors = run("generate", path, path.parent / "0.png", missing, path, path.parent / "1.png")
    answers = model.generate(pictures[:2])
    assert status == 2
    assert output.splitlines() == [answers[0], "", "", answers[1]]
    first, second = errors.splitlines()
    assert first == f"error: row 2: the picture '{missing}' cannot be read: No such file or directory"
    assert second.startswith(f"error: row 3: the picture '{path}' is no PNG or JPEG file. Received: ")


def test_align_names_the_columns(run, model_file):
    path, model, pictures = model_file
    status, output, _ = run("align", path, path.parent / "0.png", "--json")
    facts = json.loads(output)
    answer, alignment = model.align(pictures[0])
    assert status == 0
    assert facts["answer"] == answer
    np.testing.assert_allclose(facts["alignment"], alignment, rtol=1e-4)
    assert facts["source_tokens"] == [str(column) for column in range(1, alignment.shape[1] + 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lexicon", "words.tsv"], "A lexicon lists texts, and this model reads pictures"),
        (
            ["--with", "addition_peeky"],
            "An ensemble is made of single models that answer strings. Received: ImageToText",
        ),
    ],
)
def test_what_is_for_texts_is_refused(run, model_file, arguments, message):
    status, _, errors = run("generate", model_file[0], model_file[0].parent / "0.png", *arguments)
    assert (status, errors.splitlines()[0].startswith(f"error: {message}")) == (2, True)


def test_evaluate_needs_python(run, model_file):
    status, _, errors = run("evaluate", model_file[0], "--data", "pairs.tsv")
    assert (status, "name no file" in errors) == (2, True)
    status, _, errors = run("evaluate", model_file[0])
    assert (status, "was not trained on a data set of a recipe" in errors) == (2, True)


def test_recipe_has_no_options_of_texts(run, tmp_path):
    status, _, errors = run("train", "read_numbers", "--reverse", "--output", tmp_path / "run")
    assert (status, errors) == (2, "error: The recipe read_numbers has no --reverse: leave it out\n")


def test_examples_of_pictures_are_no_walls_of_bytes(capsys):
    print_examples([{"source": "data:image/png;base64,iVBORw0KGgo=", "target": "one", "answer": "two"}])
    assert capsys.readouterr().out == "  a picture → two  (right: one)\n"
