"""Files and folders that are whole or not there, whatever interrupts them."""

import contextlib
import errno
import hashlib
import os
import re
import stat

import pytest

from seqzoo.io import files


class Interruption(BaseException):
    """As an interrupt or a kill is."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# === Atomic files ===


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with files.replacing(path) as temporary:
        assert os.path.dirname(temporary) == str(tmp_path)
        assert temporary.endswith(".keras")
        with open(temporary, "w") as file:
            file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["model.keras"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interruption])
@pytest.mark.parametrize("existing", ["old", None])
def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path, error, existing):
    path = tmp_path / "run.json"
    if existing:
        path.write_text(existing)
    with contextlib.suppress(error), files.replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("half")
        raise error
    assert names(tmp_path) == (["run.json"] if existing else [])
    assert not existing or path.read_text() == existing


def test_a_block_that_has_removed_its_file_raises_its_own_error(tmp_path):
    with contextlib.suppress(Interruption), files.replacing(tmp_path / "a.txt") as temporary:
        os.unlink(temporary)
        raise Interruption
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs the names of open files")
def test_content_reaches_the_disk_before_its_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, os.replace

    def recording_sync(handle):
        steps.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    monkeypatch.setattr(os, "fsync", recording_sync)
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("rename"), replace(*paths)))
    with files.replacing(tmp_path / "a.txt") as temporary:
        pass
    assert steps == [temporary, "rename", str(tmp_path)]


@pytest.mark.skipif(os.name != "posix", reason="needs a umask")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_follow_the_users_mask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        files.write_json(tmp_path / "a.json", {})
        assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == mode
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    others = [".run-a.json", ".run-abcd1234.npz", ".runs-abcd1234.json", "run-a.json", "run.json"]
    for name in (".run-abcd1234.json", *others):
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path / "run.json", tmp_path / "other.json")
    assert names(tmp_path) == others


def test_a_file_that_a_killed_process_leaves_is_one_that_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "unlink", lambda path: None)  # The process is gone.
    with pytest.raises(Interruption), files.replacing(tmp_path / "checkpoint.npz"):
        raise Interruption
    monkeypatch.undo()
    assert len(names(tmp_path)) == 1
    files.remove_leftovers(tmp_path / "checkpoint.npz")
    assert names(tmp_path) == []


# === JSON and tables ===


def test_json_is_read_as_it_was_written(tmp_path):
    content = {"name": "é한", "numbers": [1, 2.5, None], "nested": {"a": True}}
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json") == content
    assert "é한" in (tmp_path / "a.json").read_text("utf-8")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b'"a"', b"\xff"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged")):
        files.read_json(path)


def test_missing_json_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_json(tmp_path / "a.json")


def test_what_json_cannot_hold_leaves_the_file_as_it_was(tmp_path):
    files.write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "a.json", {"a": object()})
    assert files.read_json(tmp_path / "a.json") == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_tables_are_csv(tmp_path):
    files.write_table(tmp_path / "a.csv", [{"epoch": 1, "text": 'a,"b"'}, {"epoch": 2, "text": "é"}])
    assert (tmp_path / "a.csv").read_bytes() == 'epoch,text\n1,"a,""b"""\n2,é\n'.encode()


# === Files by name ===


def test_a_name_or_a_glob_matches_files_in_order(tmp_path):
    for name in ("b.txt", "a.txt", "c.csv", "d[1].txt"):
        (tmp_path / name).touch()
    at = lambda *each: [str(tmp_path / name) for name in each]  # noqa: E731
    assert files.matching_files(tmp_path / "c.csv") == at("c.csv")
    assert files.matching_files(str(tmp_path / "*.txt")) == at("a.txt", "b.txt", "d[1].txt")
    assert files.matching_files(tmp_path / "d[1].txt") == at("d[1].txt")


def test_folders_and_missing_files_are_named(tmp_path):
    (tmp_path / "a.txt").mkdir()
    for path in (tmp_path, tmp_path / "*.txt"):
        with pytest.raises(ValueError, match=r"is not a file$"):
            files.matching_files(path)
    for name in ("none.txt", "*.csv"):
        with pytest.raises(FileNotFoundError, match=re.escape(f"There is no file {tmp_path / name}")):
            files.matching_files(tmp_path / name)


def test_the_digest_is_of_the_files_in_their_order_and_not_of_their_names(tmp_path):
    contents = [b"first", b"second"]
    for name, content in zip("ab", contents, strict=True):
        (tmp_path / f"{name}.txt").write_bytes(content)
    digests = [hashlib.sha256(content).digest() for content in contents]
    assert files.files_sha256(tmp_path / "*.txt") == hashlib.sha256(b"".join(digests)).hexdigest()
    assert files.files_sha256(tmp_path / "a.txt") == hashlib.sha256(digests[0]).hexdigest()
    (tmp_path / "a.txt").rename(tmp_path / "c.txt")
    assert files.files_sha256(tmp_path / "*.txt") == hashlib.sha256(b"".join(digests[::-1])).hexdigest()
    assert files.files_sha256(tmp_path / "c.txt") == hashlib.sha256(digests[0]).hexdigest()


# === Folders ===


def test_a_new_folder_is_made_with_those_above_it(tmp_path):
    with files.new_folder(tmp_path / "a" / "b") as folder:
        assert folder == tmp_path / "a" / "b"
        (folder / "result").touch()
    assert names(tmp_path / "a" / "b") == ["result"]


def test_an_empty_folder_is_taken_and_stays_after_an_error(tmp_path):
    with pytest.raises(Interruption), files.new_folder(tmp_path):
        raise Interruption
    assert tmp_path.is_dir()


@pytest.mark.parametrize("make", [files.new_folder, files.output_folder])
def test_a_folder_that_is_still_empty_after_an_error_goes_again_and_one_with_results_stays(tmp_path, make):
    with pytest.raises(Interruption), make(tmp_path / "run"):
        raise Interruption
    assert names(tmp_path) == []
    with contextlib.suppress(Interruption), make(tmp_path / "run") as folder:
        (folder / "result").touch()
        raise Interruption
    assert names(tmp_path / "run") == ["result"]


def test_a_new_folder_is_not_one_of_another_run_and_an_output_folder_may_be(tmp_path):
    (tmp_path / "old").touch()
    with pytest.raises(ValueError, match="already holds another run"), files.new_folder(tmp_path):
        pytest.fail("The block ran")
    with files.output_folder(tmp_path) as folder:
        assert folder == tmp_path
    assert names(tmp_path) == ["old"]


@pytest.mark.parametrize("make", [files.new_folder, files.output_folder])
def test_a_file_is_no_folder(tmp_path, make):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'file'} is a file")), make(tmp_path / "file"):
        pytest.fail("The block ran")
    assert (tmp_path / "file").read_text() == "kept"


def test_the_next_version_is_above_all_numbers_there(tmp_path):
    for name in ("1", "3", "x", "-7"):
        (tmp_path / name).mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model").touch()
    assert files.rename_to_next_version(tmp_path / "new", tmp_path) == tmp_path / "4"
    assert names(tmp_path / "4") == ["model"]


@pytest.mark.parametrize("rival", ["folder", "file"])
def test_a_version_that_another_process_takes_meanwhile_stays_its_own(tmp_path, monkeypatch, rival):
    (tmp_path / "new").mkdir()
    listed = type(tmp_path).iterdir

    def then_another(folder):
        yield from listed(folder)
        if rival == "file":
            (tmp_path / "1").write_text("theirs")
        else:
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "theirs").touch()

    monkeypatch.setattr(type(tmp_path), "iterdir", then_another)
    assert files.rename_to_next_version(tmp_path / "new", tmp_path) == tmp_path / "2"
    assert (tmp_path / "1").exists()


def test_other_errors_of_the_renaming_are_raised(tmp_path):
    with pytest.raises(OSError, match="none") as error:
        files.rename_to_next_version(tmp_path / "none", tmp_path)
    assert error.value.errno == errno.ENOENT
