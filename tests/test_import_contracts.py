"""Imports go one way, from room to room, and never in a circle: the contracts in setup.cfg, and that they see breaches.

An editable install shows import-linter only `src/`, so the wheel is installed into a folder of its own.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = "Each room imports only rooms below it in this list"
CIRCLES = "No circles, between rooms or inside them"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that has the package `seqzoo`."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--target",
        folder,
        wheel,
    ]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def copy(installed, tmp_path):
    """A copy of it, in which a breach can be planted."""
    folder = tmp_path / "copy"
    shutil.copytree(installed, folder, ignore=shutil.ignore_patterns("saved_models"))
    (folder / "seqzoo/saved_models").mkdir()
    (folder / "seqzoo/saved_models/__init__.py").touch()
    return folder


def linted(folder):
    """import-linter's exit status, and which contracts it says are broken."""
    program = pathlib.Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "COLUMNS": "200"}
    command = [program, "--no-cache", ROOT / "setup.cfg"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    states = {line.removesuffix(f" {state}"): state for line in lines for state in ("KEPT", "BROKEN") if state in line}
    assert set(states) == {ROOMS, CIRCLES}, done.stdout + done.stderr
    return done.returncode, {name for name, state in states.items() if state == "BROKEN"}


def plant(folder, module, line):
    """Adds a line at the end of a module."""
    path = folder / "seqzoo" / module
    path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")


def test_contracts_hold(installed):
    assert linted(installed) == (0, set())


def test_contracts_see_every_module(installed):
    code = "import grimp, sys; print(*sorted(grimp.build_graph('seqzoo', cache_dir=None).modules), sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, check=True)
    paths = (installed / "seqzoo").rglob("*.py")
    names = {".".join(path.relative_to(installed).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    assert set(done.stdout.split()) == names


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("models/fit.py", "from seqzoo.models import base"),
        ("models/layers/recurrent.py", "from seqzoo.models import decoders"),
        ("tuning/workers.py", "def late():\n    from seqzoo.tuning import search"),
    ],
    ids=["inside a room", "from a room's own rooms", "hidden in a function"],
)
def test_planted_circle_is_seen(copy, module, line):
    plant(copy, module, line)
    assert linted(copy) == (1, {CIRCLES})


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pipelines/row_errors.py", "import seqzoo.models.losses"),
        ("io/files.py", "import seqzoo.pipelines.vocabulary"),
        ("training/history.py", "def late():\n    import seqzoo.export.page"),
    ],
    ids=["pipelines from models", "io from pipelines", "training from export, hidden in a function"],
)
def test_planted_import_from_a_room_above_is_seen(copy, module, line):
    plant(copy, module, line)
    status, broken = linted(copy)
    assert status == 1
    assert ROOMS in broken
