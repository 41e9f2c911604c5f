"""What a run in a folder was asked to do, written down there, so that it can be resumed and never be mixed up."""

import contextlib
import hashlib
import os
import pathlib

from seqzoo.files import new_folder, read_json, remove_leftovers, write_json
from seqzoo.pipelines.pairs import matching_files

_WHERE = ("data", "validation_data")  # Files may move; what is in them may not change.


@contextlib.contextmanager
def planned_folder(path, name, plan, resume=False, shared=False):
    """The folder of a run: made for a new one, or checked to hold the same plan. Gives its `pathlib.Path`.

    Where the block raises before anything but the plan is in the folder, the plan goes again, and a folder made for it.

    Args:
        path: folder, new or empty, or with `resume` that of the run.
        name: str, the plan's file there.
        plan: dictionary of what JSON holds, with the keys `data` and `validation_data`, file names or `None`.
        resume: bool.
        shared: bool, whether processes on several machines run this plan together and come in any order. The first
            one's plan stays.

    Raises:
        ValueError: for a folder that holds anything else, or nothing to resume.
        OSError: for a folder that cannot be written.
    """
    folder = pathlib.Path(path)
    file = folder / name
    if resume and not file.exists() and not shared:
        kind = file.stem
        raise ValueError(f"{folder} holds no {kind} to resume: leave out --resume, or name the {kind}'s folder")
    if file.exists() and not resume and not shared:
        raise ValueError(
            f"{folder} already holds another run; go on with it (--resume), or choose a new or empty folder"
        )
    if not shared:
        remove_leftovers(file)
    with contextlib.nullcontext() if resume or shared else new_folder(folder):
        folder.mkdir(parents=True, exist_ok=True)
        there = read_json(file) if file.exists() else None
        if there is not None:
            if different := _differences(plan, there):
                raise ValueError(
                    f"{folder} holds another {file.stem}, with a different {' and '.join(different)} (see its {name}): "
                    "choose another folder, or resume with the same arguments"
                )
        elif strangers := [
            each.name for each in folder.iterdir() if each != file and not each.name.startswith(f".{file.stem}-")
        ]:
            raise ValueError(f"{folder} already holds another run ({strangers[0]}); choose a new or empty folder")
        if there is None or (there != plan and not shared):
            write_json(file, plan)
        try:
            yield folder
        except BaseException:
            with contextlib.suppress(OSError):  # What was raised first says what is wrong.
                if not shared and os.listdir(folder) == [name]:
                    file.unlink()
            raise


def data_plan(preset, data, validation_data):
    """What a run's plan says of its data: `data`, `validation_data` and `data_sha256`.

    Args:
        preset: `Preset` or `TextPreset`, which may have data of its own.
        data: file name or glob, or `None`.
        validation_data: likewise.
    """
    paths = {"data": data, "validation_data": validation_data}
    digests = [_sha256(path) for path in paths.values() if path is not None]
    return {
        **{name: None if path is None else os.path.abspath(path) for name, path in paths.items()},
        "data_sha256": digests or list(preset.data_facts().values()),
    }


def _differences(plan, there):
    """The names of what differs between two plans, a recipe's fields one by one."""
    names = []
    for name, value in plan.items():
        other = there.get(name)
        if name == "preset" and isinstance(other, dict):
            names += [field for field in value if field not in other or other[field] != value[field]]
        elif name not in _WHERE and other != value:
            names.append(name)
    return names


def _sha256(path):
    digest = hashlib.sha256()
    for name in matching_files(path):
        with open(name, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
