"""The command line, run as users run it: results on standard output, one clear line for each mistake."""

import subprocess
import sys

import keras
import pytest

from seqzoo import cli, models
from seqzoo.pipelines import PADDING_ID, START_ID, PairPreprocessor, TextPreprocessor


@pytest.fixture
def run(capfdbinary):
    """Runs a command in this process; returns (exit status, standard output, standard error)."""

    def run(*arguments):
        capfdbinary.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            status = exit_.code
        output, errors = capfdbinary.readouterr()
        return status, output.decode(), errors.decode()

    return run


@pytest.fixture(scope="session")
def command():
    """Runs a command in a process of its own."""

    def command(*arguments, **options):
        line = [sys.executable, "-m", "seqzoo", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, check=False, **options)

    return command


@pytest.fixture
def warm_command(warm_python):
    """Runs a command in a process of its own, which need not import TensorFlow first; see `warm_python.py`."""

    def warm_command(*arguments, **options):
        return subprocess.run([warm_python / "seqzoo", *map(str, arguments)], capture_output=True, **options)

    return warm_command


@pytest.fixture
def train_briefly(run, pair_file):
    """Trains on the pairs for a moment, from the folder for the results and further options; returns as `run` does."""

    def train_briefly(output, *options):
        return run(
            "train", "pairs_peeky_reverse", "--data", pair_file, "--output", output, "--epochs", 2, "--batch-size", 16,
            "--hidden-dim", 8, "--embedding-dim", 4, "--cell", "gru", "--no-xla", *options,
        )  # fmt: skip

    return train_briefly


@pytest.fixture
def train_text_briefly(run):
    """Trains on a text for a moment, likewise."""

    def train_text_briefly(text_file, output, *options):
        return run(
            "train", "char_lstm", "--data", text_file, "--output", output, "--epochs", 2, "--batch-size", 4,
            "--hidden-dim", 8, "--window", 16, "--no-xla", *options,
        )  # fmt: skip

    return train_text_briefly


@pytest.fixture
def model_file(trained, tmp_path):
    """A model that answers pairs."""
    path = tmp_path / "model.keras"
    trained.save(path)
    return path


@pytest.fixture(scope="session")
def attention_files(pairs, tmp_path_factory):
    """Three files of untrained models with attention, which answer the same sources differently."""
    folder = tmp_path_factory.mktemp("attention")
    files = [folder / f"{name}.keras" for name in ("first", "second", "third")]
    for seed, file in enumerate(files):
        keras.utils.set_random_seed(seed)
        preprocessor = PairPreprocessor.from_pairs(pairs)
        model = models.AttentionSeq2Seq(preprocessor, embedding_dim=4, hidden_dim=6, cell="simple_rnn")
        model.set_weights([3.0 * weight for weight in model.get_weights()])
        bias = model.decoder.dense.bias.numpy()
        bias[[PADDING_ID, START_ID]] = -3.0, -20.0  # Answers are long, and end.
        model.decoder.dense.bias.assign(bias)
        model.save(file)
    return files


@pytest.fixture(scope="session")
def writer_file(tmp_path_factory):
    """A small, untrained language model; and `words.keras` beside it, one of words with an unknown token."""
    folder = tmp_path_factory.mktemp("writers")
    for name, options in {"letters": {}, "words": {"split": "whitespace", "unknown": True}}.items():
        preprocessor = TextPreprocessor.from_text("the cat sat on the mat.", **options)
        models.LanguageModel(preprocessor, 4, 8).save(folder / f"{name}.keras")
    return folder / "letters.keras"


@pytest.fixture
def text_file(tmp_path):
    """A text of 2,880 characters."""
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\nthe rat sat on the hat.\n" * 60)
    return path


@pytest.fixture
def sums_file(tmp_path):
    """A file of sums of numbers below 20."""
    path = tmp_path / "sums.tsv"
    path.write_text("".join(f"{a}+{b}\t{a + b}\n" for a in range(20) for b in range(a, 20)))
    return path
