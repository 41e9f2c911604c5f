"""The manifest of a run: a new run, the same one resumed, and folders that hold anything else."""

import contextlib
import hashlib
import re

import pytest

from seqzoo.io.files import read_json, write_json
from seqzoo.io.run_manifest import data_manifest, run_folder

MANIFEST = {
    "recipe": {"name": "pairs_baseline", "epochs": 4},
    "seed": 0,
    "data": "/data/pairs.tsv",
    "validation_data": None,
    "data_sha256": ["abc"],
}


class Interruption(BaseException):
    """As an interrupt or a kill is."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def start(folder, manifest=MANIFEST, results=(), **options):
    with run_folder(folder, "run.json", manifest, **options) as run:
        assert run == folder
        for name in results:
            (run / name).touch()


def test_a_new_run_writes_its_manifest_first(tmp_path):
    with run_folder(tmp_path / "run", "run.json", MANIFEST) as folder:
        assert names(folder) == ["run.json"]
        assert read_json(folder / "run.json") == MANIFEST


def test_the_same_run_resumes(tmp_path):
    start(tmp_path, results=["checkpoint.npz"])
    start(tmp_path, resume=True)
    assert names(tmp_path) == ["checkpoint.npz", "run.json"]


def test_files_may_have_moved_but_not_changed(tmp_path):
    start(tmp_path)
    moved = {**MANIFEST, "data": "/elsewhere/pairs.tsv"}
    start(tmp_path, moved, resume=True)
    assert read_json(tmp_path / "run.json") == moved
    with pytest.raises(ValueError, match="with a different data_sha256"):
        start(tmp_path, {**MANIFEST, "data_sha256": ["xyz"]}, resume=True)


@pytest.mark.parametrize(
    ("changes", "different"),
    [
        ({"seed": 1}, "seed"),
        ({"recipe": {"name": "pairs_baseline", "epochs": 5}}, "epochs"),
        ({"recipe": {"name": "pairs_baseline", "epochs": 4, "cell": "gru"}}, "cell"),
        ({"seed": 1, "recipe": {"name": "char_lstm", "epochs": 9}}, "name and epochs and seed"),
        ({"tuner": "grid"}, "tuner"),
    ],
)
@pytest.mark.parametrize("how", ["resume", "shared"])
def test_what_differs_is_named_and_nothing_is_changed(tmp_path, changes, different, how):
    start(tmp_path, results=["checkpoint.npz"])
    with pytest.raises(ValueError, match="holds another run") as error:
        start(tmp_path, {**MANIFEST, **changes}, **{how: True})
    assert f"holds another run, with a different {different} (see its run.json)" in str(error.value)
    assert read_json(tmp_path / "run.json") == MANIFEST
    assert names(tmp_path) == ["checkpoint.npz", "run.json"]


def test_a_run_does_not_begin_again_unless_it_is_resumed(tmp_path):
    start(tmp_path)
    with pytest.raises(ValueError, match=r"already holds another run; continue it \(--resume\)"):
        start(tmp_path)


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_there_must_be_a_run_to_resume(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=re.escape("holds no run to resume: leave out --resume, or name the run's")):
        start(tmp_path / folder, resume=True)
    assert names(tmp_path) == ["empty"]


@pytest.mark.parametrize("options", [{}, {"shared": True}])
def test_a_folder_with_anything_else_is_refused(tmp_path, options):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="already holds another run"):
        start(tmp_path, **options)
    assert names(tmp_path) == ["thesis.tex"]


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'run.json'} is damaged")):
        start(tmp_path, resume=True)


def test_the_manifest_of_a_run_that_fails_before_any_result_is_removed_and_so_is_its_folder(tmp_path):
    with pytest.raises(Interruption), run_folder(tmp_path / "run", "run.json", MANIFEST):
        raise Interruption
    assert names(tmp_path) == []
    with contextlib.suppress(Interruption), run_folder(tmp_path / "run", "run.json", MANIFEST) as folder:
        (folder / "checkpoint.npz").touch()
        raise Interruption
    assert names(tmp_path / "run") == ["checkpoint.npz", "run.json"]


def test_what_a_killed_process_left_of_the_manifest_goes(tmp_path):
    (tmp_path / ".run-abcd1234.json").touch()
    start(tmp_path)
    assert names(tmp_path) == ["run.json"]


def test_processes_that_share_a_run_come_in_any_order_and_the_first_ones_manifest_stays(tmp_path):
    start(tmp_path / "run", shared=True)
    start(tmp_path / "run", {**MANIFEST, "data": "/mnt/pairs.tsv"}, shared=True)
    assert read_json(tmp_path / "run" / "run.json") == MANIFEST
    (tmp_path / "run" / ".run-abcd1234.json").touch()  # Another one writes at this moment.
    start(tmp_path / "run", shared=True)
    assert names(tmp_path / "run") == [".run-abcd1234.json", "run.json"]


def test_a_shared_run_that_fails_leaves_the_manifest_to_the_others(tmp_path):
    with pytest.raises(Interruption), run_folder(tmp_path / "run", "run.json", MANIFEST, shared=True):
        raise Interruption
    assert names(tmp_path / "run") == ["run.json"]


def test_a_manifest_of_a_search_is_called_so(tmp_path):
    write_json(tmp_path / "search.json", {**MANIFEST, "seed": 5})
    run = run_folder(tmp_path, "search.json", MANIFEST, resume=True)
    with pytest.raises(ValueError, match="holds another search, with a different seed"):
        run.__enter__()


def test_data_are_their_places_and_their_digests(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text(name)
    facts = {"data_sha256": "own"}
    digests = [hashlib.sha256(hashlib.sha256(name.encode()).digest()).hexdigest() for name in ("a.tsv", "b.tsv")]
    assert data_manifest(facts, "a.tsv", tmp_path / "b.tsv") == {
        "data": str(tmp_path / "a.tsv"),
        "validation_data": str(tmp_path / "b.tsv"),
        "data_sha256": digests,
    }
    own = {"data": None, "validation_data": None, "data_sha256": ["own"]}
    assert data_manifest(facts, None, None) == own
