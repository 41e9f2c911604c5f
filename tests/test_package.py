"""What users install: every module, nothing that lies around, an import that costs nothing."""

import pathlib
import subprocess
import sys
import zipfile

import pytest

from seqzoo import models

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("pipelines", "models", "training", "tuning", "export", "saved_models")


@pytest.fixture(scope="module")
def wheel_names(wheel):
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_wheel_holds_every_module(wheel_names):
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    for room in ROOMS:
        modules |= {f"seqzoo/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / room).rglob("*.py")}
    assert {
        "seqzoo/io/files.py", "seqzoo/pipelines/datasets/addition/sums.py", "seqzoo/models/layers/recurrent.py",
        "seqzoo/training/recipes/catalogue.py", "seqzoo/export/litert/writer.py",
    } <= modules  # fmt: skip
    assert modules == {name for name in wheel_names if name.endswith(".py")}


def test_wheel_holds_the_presets_that_ship(wheel_names):
    command = ["git", "ls-files", "saved_models"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    shipped = {f"seqzoo/{name}" for name in tracked if not name.endswith("saved_models/README.md")}
    assert sorted(name.split("/")[2] for name in shipped if name.endswith("/model.keras")) == models.presets()
    assert shipped == {name for name in wheel_names if name.startswith("seqzoo/saved_models/")}


def test_wheel_holds_checksums_and_notices_of_the_data_sets(wheel_names):
    folder = "seqzoo/pipelines/datasets"
    files = {
        f"{folder}/cmudict/checksums.tsv",
        f"{folder}/cmudict/NOTICE.txt",
        f"{folder}/sigmorphon_g2p/checksums.tsv",
    }
    assert files <= set(wheel_names)


def test_wheel_holds_the_page(wheel_names):
    files = {f"seqzoo/export/web/{path.name}" for path in (ROOT / "export/web").iterdir()}
    assert len(files) > 4
    assert files <= set(wheel_names)


def test_wheel_holds_nothing_else(wheel_names):
    strangers = [name for name in wheel_names if not name.startswith("seqzoo/") and ".dist-info/" not in name]
    assert strangers == []
    assert not [name for name in wheel_names if "mine" in name]


def test_importing_seqzoo_loads_no_room_and_nothing_that_takes_long():
    code = (
        "import sys, seqzoo; names = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(name for name in sys.modules if name.startswith('seqzoo.')))\n"
        "print(names & {'tensorflow', 'keras', 'numpy', 'matplotlib'})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert result.stdout == "['seqzoo.startup']\nset()\n"


def test_every_room_is_there_once_it_is_named():
    """From the lowest to the highest, so that none is there already."""
    code = (
        "import sys, seqzoo\n"
        "for name in ('pipelines', 'models', 'training', 'tuning', 'export'):\n"
        "    assert name in dir(seqzoo)\n"
        "    assert f'seqzoo.{name}' not in sys.modules, name\n"
        "    assert getattr(seqzoo, name) is sys.modules[f'seqzoo.{name}']\n"
        "print(dir(seqzoo) == sorted(dir(seqzoo)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr


def test_unknown_attribute_is_an_attribute_error():
    import seqzoo

    with pytest.raises(AttributeError, match="module 'seqzoo' has no attribute 'nothing'"):
        _ = seqzoo.nothing


def test_keras_on_another_backend_is_one_clear_error():
    code = (
        "import sys, types, keras; keras.backend.backend = lambda: 'jax'\n"
        "try:\n import seqzoo.models\nexcept ImportError as error:\n print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"Set the environment variable KERAS_BACKEND=tensorflow" in result.stdout


def test_keras_finds_saved_classes_after_importing_the_models_only(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, seqzoo.models\n"
        "model = keras.saving.load_model(sys.argv[1], safe_mode=True)\n"
        "print(model.generate('abc'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.keras"], capture_output=True, check=True, cwd=tmp_path
    )
    assert result.stdout == b"CBA\n"
