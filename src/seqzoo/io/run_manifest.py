"""The manifest of a run: its arguments, kept in its folder, so that it resumes and is never mixed with another."""

import contextlib
import json
import os
import pathlib

from seqzoo.io.files import files_sha256, new_folder, read_json, remove_leftovers, write_json

_LOCATIONS = ("data", "validation_data")  # Files may move; what is in them may not change.


@contextlib.contextmanager
def run_folder(path, name, manifest, resume=False, shared=False):
    """Makes the folder of a run, or checks that it holds the same manifest; yields its `pathlib.Path`.

    Where the block raises before anything but the manifest is in the folder, the manifest is removed, and with it a
    folder that was made for it.

    Args:
        path: folder, new or empty, or with `resume` that of the run.
        name: str, the manifest's file there.
        manifest: dictionary of what JSON holds.
        resume: bool.
        shared: bool, whether several machines do this run and come in any order; the first one's manifest stays.
    """
    folder = pathlib.Path(path)
    file = folder / name
    manifest = json.loads(json.dumps(manifest))  # As it is read back, where tuples are lists.
    if resume and not file.exists() and not shared:
        kind = file.stem
        raise ValueError(f"{folder} holds no {kind} to resume: leave out --resume, or name the {kind}'s folder")
    if file.exists() and not resume and not shared:
        raise ValueError(f"{folder} already holds another run; continue it (--resume), or choose a new or empty folder")
    if not shared:
        remove_leftovers(file)
    with contextlib.nullcontext() if resume or shared else new_folder(folder):
        folder.mkdir(parents=True, exist_ok=True)
        there = read_json(file) if file.exists() else None
        if there is not None:
            if different := _differences(manifest, there):
                raise ValueError(
                    f"{folder} holds another {file.stem}, with a different {' and '.join(different)} (see its {name}): "
                    "choose another folder, or resume with the same arguments"
                )
        elif strangers := [
            each.name for each in folder.iterdir() if each != file and not each.name.startswith(f".{file.stem}-")
        ]:
            raise ValueError(f"{folder} already holds another run ({strangers[0]}); choose a new or empty folder")
        if there is None or (there != manifest and not shared):
            write_json(file, manifest)
        try:
            yield folder
        except BaseException:
            with contextlib.suppress(OSError):  # What was raised first says what is wrong.
                if not shared and os.listdir(folder) == [name]:
                    file.unlink()
            raise


def data_manifest(facts, data, validation_data):
    """What a run's manifest says about its data, files or globs or `None`: their places and SHA-256 digests.

    Where no file is given, `facts`, from `Recipe.data_facts`, identify the recipe's own data set.
    """
    paths = {"data": data, "validation_data": validation_data}
    digests = [files_sha256(path) for path in paths.values() if path is not None]
    return {
        **{name: None if path is None else os.path.abspath(path) for name, path in paths.items()},
        "data_sha256": digests or list(facts.values()),
    }


def _differences(manifest, there):
    """The names of what differs between two manifests, a recipe's fields one by one."""
    names = []
    for name, value in manifest.items():
        other = there.get(name)
        if name == "recipe" and isinstance(other, dict):
            names += [field for field in value if field not in other or other[field] != value[field]]
        elif name not in _LOCATIONS and other != value:
            names.append(name)
    return names
