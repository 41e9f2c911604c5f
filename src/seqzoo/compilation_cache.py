"""TensorFlow's cache of compiled programs on disk: what one process compiled with XLA, the next ones read.

TensorFlow writes a program beside its place and renames it, checks that a program that it reads was compiled from the
same operations, and never removes any. What is here keeps the folder small, and programs of other machines out.
"""

import contextlib
import hashlib
import importlib.metadata
import mmap
import os
import pathlib
import platform
import time

_DIRECTORY_FLAG = "--tf_xla_persistent_cache_directory"
_MAX_BYTES = 256 * 2**20  # Some hundred programs of one to a few megabytes.
_MAX_AGE_OF_UNFINISHED = 3600.0  # Seconds.
# Marks the folders that are ours to clean: `root` may be any folder of the user's. The first line is that of
# https://bford.info/cachedir, by which backups know that they can leave a folder out.
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# Programs that XLA compiled for seqzoo, which keeps this folder small. It may be removed.
"""
# Kinds of fields of a protocol buffer: a number, bytes after their length, and those of so many bytes.
_NUMBER, _BYTES, _SIZES = 0, 2, {1: 8, 5: 4}


def use_compilation_cache(root=None):
    """Has TensorFlow keep what XLA compiles for the CPU; must be called before TensorFlow looks for devices.

    Does nothing where `TF_XLA_FLAGS` names a folder already, or where there is none that can be written.

    Args:
        root: folder; `None` for what `SEQZOO_COMPILATION_CACHE` names, or else `seqzoo/xla` in the user's folder of
            caches (`XDG_CACHE_HOME`, or `~/.cache`). Each kind of processor and version of TensorFlow has its own
            folder in it, and only these are kept small: what else is in `root` stays.

    Returns:
        The folder, a `pathlib.Path`, or `None`.
    """
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if _DIRECTORY_FLAG in flags:
        return None
    with contextlib.suppress(OSError, RuntimeError):  # The latter where there is no home.
        root = root or os.environ.get("SEQZOO_COMPILATION_CACHE")
        if not root:
            caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
            root = pathlib.Path(caches, "seqzoo", "xla")
        root = pathlib.Path(root).absolute()
        folder = root / _machine()
        folder.mkdir(parents=True, exist_ok=True)
        if "'" in str(folder) or not os.access(folder, os.W_OK):
            return None
        if not _is_own(folder):
            (folder / _TAG).write_text(_TAG_TEXT, encoding="utf-8")
        _clean(root)
        own = f"{_DIRECTORY_FLAG}='{folder}' --tf_xla_persistent_cache_device_types=CPU"
        os.environ["TF_XLA_FLAGS"] = f"{flags} {own}".strip()
        return folder
    return None


def _machine():
    """A name for all that programs depend on beside their operations: processor, versions, options of compilation."""
    facts = [platform.machine(), platform.processor(), importlib.metadata.version("tensorflow")]
    facts += [os.environ.get(name, "") for name in ("XLA_FLAGS", "TF_XLA_FLAGS")]
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        # Of the first core: its model and what instructions it has.
        first = file.read().partition("\n\n")[0].splitlines()
        facts += [line for line in first if line.startswith(("vendor_id", "cpu family", "model", "flags", "Features"))]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _is_own(folder):
    """Whether a folder is one that this module made."""
    with contextlib.suppress(OSError, ValueError):
        return (folder / _TAG).read_text("utf-8") == _TAG_TEXT
    return False


def _clean(root):
    """Removes programs that are cut off, leftovers of killed processes, and the oldest until the rest is small."""
    programs = []
    for path in (path for folder in root.iterdir() if _is_own(folder) for path in folder.iterdir()):
        if path.name == _TAG:
            continue
        with contextlib.suppress(OSError):  # Of another process that cleans, too.
            status = path.stat()
            if path.suffix == ".pb" and _is_whole(path):
                programs.append((max(status.st_mtime, status.st_atime), status.st_size, path))
            elif path.suffix == ".pb" or time.time() - status.st_mtime > _MAX_AGE_OF_UNFINISHED:
                path.unlink()
    excess = sum(size for _, size, _ in programs) - _MAX_BYTES
    for _, size, path in sorted(programs):
        if excess > 0:
            path.unlink(missing_ok=True)
            excess -= size


def _is_whole(path):
    """Whether a file holds whole fields of a protocol buffer; half of one ends a training without a word."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 0
        while at < len(data):
            key, at = _number(data, at)
            kind = key & 7
            if key < 8:  # No field has the number 0; zeros are what a power cut leaves of a file.
                return False
            if kind == _NUMBER:
                _, at = _number(data, at)
            elif kind == _BYTES:
                size, at = _number(data, at)
                at += size
            elif kind in _SIZES:
                at += _SIZES[kind]
            else:
                return False
        return at == len(data)


def _number(data, at):
    """The number at a place, 7 bits a byte, and the place after it; that is past the end where there is none."""
    number = shift = 0
    while at < len(data) and shift < 70:  # Of 64 bits.
        number |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return number, at
    return 0, len(data) + 1
