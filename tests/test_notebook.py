"""`examples/seqzoo.ipynb` runs from its first cell to its last one, and keeps the outputs of one run."""

import json
import os
import pathlib
import sys

import nbclient
import nbformat
import pytest

NOTEBOOK = pathlib.Path(__file__).parents[1] / "examples" / "seqzoo.ipynb"
SHORT = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "5"}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cells):
    """The kinds of each cell's outputs, in order, without repetitions and without streams of errors."""
    outputs = [[output for output in cell.outputs if output.get("name") != "stderr"] for cell in cells]
    return [sorted({output.output_type for output in each}) for each in outputs]


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(SHORT, id="few steps", marks=pytest.mark.slow(minutes=2)),
        pytest.param({}, id="as it is", marks=pytest.mark.slow(minutes=10)),
    ],
)
def test_every_cell_runs(limits, tmp_path, monkeypatch):
    for name, value in limits.items():
        monkeypatch.setenv(name, value)
    kernel = tmp_path / "jupyter" / "kernels" / "here"
    kernel.mkdir(parents=True)
    arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": arguments, "display_name": "", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = kinds(code_cells(notebook))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, kernel_name="here", timeout=1200, resources=resources).execute()
    assert kinds(code_cells(notebook)) == kept
    assert (tmp_path / "dates.tflite").exists()


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
