"""The README's examples run as they stand."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_EXAMPLES = re.findall(r"<!-- example: python -->\n```python\n(.*?)```", README, re.DOTALL)
LITERT_EXAMPLES = re.findall(r"<!-- example: litert -->\n```python\n(.*?)```", README, re.DOTALL)
# The example that exports what the LiteRT example asks.
(EXPORTS,) = [at for at, example in enumerate(PYTHON_EXAMPLES) if "my_addition.tflite" in example]
SHELL_EXAMPLES = re.findall(r"<!-- example: shell -->\n```\n(.*?)```", README, re.DOTALL)


def run(command, folder, **environment):
    """Runs a command where the README says: in a clone, with the installed `python` and `seqzoo` first in the path."""
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/make_dates.py", folder / "tests")
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_python_block_is_tested():
    assert len(PYTHON_EXAMPLES) + len(LITERT_EXAMPLES) == README.count("```python")
    assert len(LITERT_EXAMPLES) == 1
    assert len(SHELL_EXAMPLES) == 1


def test_python_examples_run(tmp_path):
    """As they stand, each with names of its own; Keras is told to stop after two epochs of ten batches."""
    examples = [example + LITERT_EXAMPLES[0] * (at == EXPORTS) for at, example in enumerate(PYTHON_EXAMPLES)]
    code = "".join(f"exec({example!r}, {{}})\n" for example in examples)
    result = run([sys.executable, "-c", code], tmp_path, KERAS_MAX_EPOCHS="2", KERAS_MAX_STEPS_PER_EPOCH="10")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "not a sum" not in result.stdout


@pytest.mark.slow
def test_first_examples_give_the_answers_that_the_readme_gives(tmp_path):
    result = run([sys.executable, "-c", PYTHON_EXAMPLES[EXPORTS] + LITERT_EXAMPLES[0]], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2:] == ["62", "1149"]


@pytest.mark.parametrize("epochs", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_shell_example_runs(epochs, tmp_path):
    """The dates: one epoch by default, and what the README promises when all of it runs."""
    limits = {} if epochs is None else {"KERAS_MAX_EPOCHS": str(epochs), "KERAS_MAX_STEPS_PER_EPOCH": "10"}
    result = run(["bash", "-euc", SHELL_EXAMPLES[0]], tmp_path, **limits)
    assert result.returncode == 0, result.stderr
    if epochs is None:
        assert result.stdout.splitlines()[-2:] == ["1994-09-27", "1973-10-22"]
        assert float(re.search(r"exact match +([\d.]+)%", result.stdout)[1]) >= 99


def test_commands_of_the_table_exist():
    commands = re.findall(r"^\| `seqzoo (\w+)", README, re.MULTILINE)
    help_text = subprocess.run([sys.executable, "-m", "seqzoo", "--help"], capture_output=True, text=True, check=True)
    assert len(commands) == 11
    assert all(name in help_text.stdout for name in commands)
