"""`examples/seqzoo.ipynb` runs from its first cell to its last one; what it shows is what a run gave."""

import json
import os
import pathlib

import nbclient
import nbformat
import pytest

NOTEBOOK = pathlib.Path(__file__).parents[1] / "examples" / "seqzoo.ipynb"
SHORT = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "5", "WITHOUT_XLA": "1"}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cells):
    """The kinds of each cell's outputs, in order, without repetitions and without streams of errors."""
    outputs = [[output for output in cell.outputs if output.get("name") != "stderr"] for cell in cells]
    return [sorted({output.output_type for output in each}) for each in outputs]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the notebook by a Python, in a temporary folder; returns it with its outputs."""

    def run(python):
        kernel = tmp_path / "jupyter" / "kernels" / "here"
        kernel.mkdir(parents=True)
        arguments = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (kernel / "kernel.json").write_text(json.dumps({"argv": arguments, "display_name": "", "language": "python"}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, kernel_name="here", timeout=1200, resources=resources).execute()
        return notebook

    return run


@pytest.mark.slow(minutes=2)
def test_every_cell_runs(run, warm_python, monkeypatch, tmp_path):
    for name, value in SHORT.items():
        monkeypatch.setenv(name, value)
    cells = code_cells(run(warm_python / "python"))
    assert kinds(cells) == kinds(code_cells(nbformat.read(NOTEBOOK, as_version=4)))
    assert (tmp_path / "dates.tflite").exists()


@pytest.mark.slow(minutes=15)
def test_it_shows_what_a_run_gives(run, tmp_path):
    import sys

    cells = code_cells(run(sys.executable))
    assert kinds(cells) == kinds(code_cells(nbformat.read(NOTEBOOK, as_version=4)))


def test_outputs_are_kept_of_one_run_from_first_cell_to_last():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert str(pathlib.Path.home()) not in NOTEBOOK.read_text("utf-8")
    assert os.path.getsize(NOTEBOOK) < 300_000
