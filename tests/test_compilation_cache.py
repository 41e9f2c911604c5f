"""What XLA compiled is kept for the next process: little of it, whole, for this machine, and without other results."""

import os
import shutil
import subprocess
import time

import pytest

from seqzoo import compilation_cache
from seqzoo.compilation_cache import use_compilation_cache

PROGRAM = b"\x08\x96\x01\x12\x03abc\x19" + b"\0" * 8 + b"\x25" + b"\0" * 4  # A field of each kind.


@pytest.fixture(autouse=True)
def flags(monkeypatch):
    """No flags of XLA, and those that a test sets are gone after it."""
    monkeypatch.setenv("TF_XLA_FLAGS", "")


def programs(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG")


def test_the_folder_is_in_the_users_caches_or_where_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("SEQZOO_COMPILATION_CACHE", str(tmp_path / "told"))
    assert use_compilation_cache().parent == tmp_path / "told"
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    monkeypatch.delenv("SEQZOO_COMPILATION_CACHE")
    assert use_compilation_cache().parent == tmp_path / "own" / "seqzoo" / "xla"
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = use_compilation_cache()
    assert folder.parent == tmp_path / ".cache" / "seqzoo" / "xla"
    assert f"'{folder}'" in os.environ["TF_XLA_FLAGS"]


def test_other_flags_stay_and_have_a_folder_of_their_own(monkeypatch, tmp_path):
    plain = use_compilation_cache(tmp_path)
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_max_cluster_size=7")
    folder = use_compilation_cache(tmp_path)
    assert os.environ["TF_XLA_FLAGS"].startswith("--tf_xla_max_cluster_size=7 --tf_xla_persistent")
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=1")
    assert len({plain, folder, use_compilation_cache(tmp_path)}) == 3


def test_a_folder_that_the_user_chose_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/own")
    assert use_compilation_cache(tmp_path) is None
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_persistent_cache_directory=/own"


def test_where_no_folder_can_be_made_there_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    assert use_compilation_cache(tmp_path / "file") is None
    assert use_compilation_cache(tmp_path / "it's") is None
    assert os.environ["TF_XLA_FLAGS"] == ""


def test_programs_that_are_cut_off_and_leftovers_are_removed(tmp_path):
    folder = use_compilation_cache(tmp_path)
    for length in range(len(PROGRAM) + 1):
        (folder / f"{length:02}.pb").write_bytes(PROGRAM[:length])
    (folder / "wrong.pb").write_bytes(b"\x0f")
    (folder / "zeros.pb").write_bytes(bytes(1_000_000))
    (folder / "endless.pb").write_bytes(b"\x80" * 1_000_000)
    for name, age in (("old.tmp", 7200), ("new.tmp", 60)):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - age,) * 2)
    os.environ["TF_XLA_FLAGS"] = ""
    use_compilation_cache(tmp_path)
    fields = [3, 8, 17, 22]  # What ends after a field is a shorter message, which nothing tells from a whole one.
    assert programs(tmp_path) == [*(f"{length:02}.pb" for length in fields), "new.tmp"]


def test_the_oldest_programs_make_room(monkeypatch, tmp_path):
    monkeypatch.setattr(compilation_cache, "_MAX_BYTES", 3 * len(PROGRAM))
    folder = use_compilation_cache(tmp_path)
    shutil.copytree(folder, tmp_path / "other")
    for number in range(5):
        path = (folder if number % 2 else tmp_path / "other") / f"{number}.pb"
        path.write_bytes(PROGRAM)
        os.utime(path, (time.time() - 100 + number,) * 2)
    os.environ["TF_XLA_FLAGS"] = ""
    use_compilation_cache(tmp_path)
    assert programs(tmp_path) == ["2.pb", "3.pb", "4.pb"]


def test_a_users_own_files_in_the_folder_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(compilation_cache, "_MAX_BYTES", 0)
    own = {"model/saved_model.pb": PROGRAM, "thesis/chapter1.tex": b"text", "0123456789abcdef/CACHEDIR.TAG": b"other's"}
    for name, content in own.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "file").write_bytes(b"")
    folder = use_compilation_cache(tmp_path)
    (folder / "1.pb").write_bytes(PROGRAM)
    os.environ["TF_XLA_FLAGS"] = ""
    use_compilation_cache(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in own} == own
    assert [path.name for path in folder.iterdir()] == ["CACHEDIR.TAG"]


def test_a_program_of_the_cache_trains_as_one_that_is_compiled(small, warm_python, tmp_path):
    text, _ = small.write_data(tmp_path)
    options = [
        "--hidden-dim",
        "4",
        "--embedding-dim",
        "4",
        "--window",
        "4",
        "--batch-size",
        "4",
        "--epochs",
        "1",
        "--xla",
    ]
    environment = {**os.environ, "SEQZOO_COMPILATION_CACHE": str(tmp_path / "caches")}

    def outcome(name, *more):
        command = [warm_python / "seqzoo", "train", "char_lstm", "--data", text, "--output", tmp_path / name]
        subprocess.run([*command, *options, *more], env=environment, check=True, capture_output=True)
        return small.outcome(tmp_path / name)

    without = outcome("without", "--no-compilation-cache")
    assert not (tmp_path / "caches").exists()
    cold = outcome("cold")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "caches").rglob("*.pb")}
    assert written
    assert outcome("warm") == cold == without
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "caches").rglob("*.pb")}
    assert written.items() <= again.items()
    assert len(again) < 1.5 * len(written)  # Some have other names in each process.
