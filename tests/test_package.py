"""What users install: every module, nothing that lies around, an import that costs nothing."""

import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from seqzoo.models import PRESETS, ships

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = {
    "src/seqzoo": "seqzoo",
    "pipelines": "seqzoo/pipelines",
    "models": "seqzoo/models",
    "tuning": "seqzoo/tuning",
    "export": "seqzoo/export",
    "saved_models": "seqzoo/saved_models",
}


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    """The files in a wheel built from a copy of the project that also holds a user's model."""
    copy = tmp_path_factory.mktemp("build") / "project"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "docs", "node_modules")
    )
    stray = copy / "saved_models/mine"
    stray.mkdir(parents=True)
    (stray / "model.keras").write_text("a user's")
    (copy / "saved_models/addition_reverse/training").mkdir(exist_ok=True)
    (copy / "saved_models/addition_reverse/training/mine.keras").write_text("a user's")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", copy / "dist", copy]
    subprocess.run(command, check=True)
    (wheel,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_wheel_holds_every_module(wheel_names):
    modules = {f"{package}/{path.name}" for folder, package in FOLDERS.items() for path in (ROOT / folder).glob("*.py")}
    assert len(modules) > 10
    assert modules <= set(wheel_names)


def test_wheel_holds_the_presets_that_ship(wheel_names):
    command = ["git", "ls-files", "saved_models"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    shipped = {f"seqzoo/{name}" for name in tracked if not name.endswith("saved_models/README.md")}
    assert {name.split("/")[2] for name in shipped if name.endswith("/model.keras")} == {
        name for name in PRESETS if ships(name)
    }
    assert shipped == {name for name in wheel_names if name.startswith("seqzoo/saved_models/")}


def test_wheel_holds_the_page(wheel_names):
    files = {f"seqzoo/export/web/{path.name}" for path in (ROOT / "export/web").iterdir()}
    assert len(files) > 4
    assert files <= set(wheel_names)


def test_wheel_holds_nothing_else(wheel_names):
    strangers = [name for name in wheel_names if not name.startswith("seqzoo/") and ".dist-info/" not in name]
    assert strangers == []
    assert not [name for name in wheel_names if "mine" in name]


def test_importing_seqzoo_loads_no_subpackage():
    code = "import sys, seqzoo; assert dir(seqzoo); print([m for m in sys.modules if m.startswith('seqzoo.')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout == b"[]\n"


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
