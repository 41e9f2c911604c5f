"""Files that are either whole or not there."""

import contextlib
import csv
import errno
import glob
import hashlib
import json
import os
import pathlib
import tempfile


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside `path` to write to, and renames it to `path` when the block ends well.

    A block that raises leaves `path` as it was, and nothing beside it.
    """
    path = pathlib.Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        _sync(temporary)
        os.replace(temporary, path)
        if os.name == "posix":
            _sync(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove_leftovers(*paths):
    """Removes what `replacing` left beside these paths in processes that were killed."""
    for path in map(pathlib.Path, paths):
        for leftover in path.parent.glob(f".{path.stem}-????????{path.suffix}"):
            leftover.unlink(missing_ok=True)


def read_json(path):
    """The dictionary in a JSON file; a `ValueError` that names the file where it holds none."""
    try:
        content = json.loads(pathlib.Path(path).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it must hold a JSON object")
    return content


def write_json(path, content):
    """Writes a JSON file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)


def write_table(path, rows):
    """Writes dictionaries with the same keys as a CSV file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def matching_files(path):
    """The names of the files that `path` names, itself or as a glob, sorted.

    A folder is a `ValueError`, no match a `FileNotFoundError`.
    """
    path = os.fspath(path)
    paths = [path] if os.path.exists(path) else sorted(glob.glob(path))
    if not paths:
        raise FileNotFoundError(f"There is no file {path}")
    for name in paths:
        if not os.path.isfile(name):
            raise ValueError(f"{name} is not a file")
    return paths


def files_sha256(path):
    """The SHA-256 of the SHA-256 digests of the files that `path` matches, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name in matching_files(path):
        with open(name, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@contextlib.contextmanager
def new_folder(path):
    """Makes the folder `path` for one run's results, and yields it; it must be new or empty.

    Where the block raises, a folder that was made and is still empty is removed.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; --output must name a new or empty folder")
    if path.is_dir() and any(path.iterdir()):
        raise ValueError(f"{path} already holds another run; choose a new or empty folder")
    with _made(path):
        yield path


@contextlib.contextmanager
def output_folder(path):
    """Makes the folder `path`, where other results may be, and yields it; removes it if empty after an error."""
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; the output must be a folder")
    with _made(path):
        yield path


def rename_to_next_version(folder, parent):
    """Renames a folder to `parent/N`, N above all numbers there, also while others do the same; returns the path."""
    number = 1 + max((int(child.name) for child in parent.iterdir() if child.name.isdecimal()), default=0)
    while True:
        try:
            return folder.rename(parent / str(number))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            number += 1


@contextlib.contextmanager
def _made(path):
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _sync(path):
    # A name must not reach the disk before what it stands for.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
