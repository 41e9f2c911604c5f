"""Trains and exports on a small disk: `unshare --map-root-user --mount python disk_faults.py FOLDER`.

Mounts a disk of its own at FOLDER, which is gone when the process ends; fails by `AssertionError`. `small_training`
must be in Python's path.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import small_training as small
import tensorflow as tf

from seqzoo import export
from seqzoo.training import Checkpoint
from seqzoo.training import train as train_compiled

DISK = pathlib.Path(sys.argv[1])
RECIPE = small.text_recipe(steps_per_epoch=1)
_PAGE = 4096
# What the command line prints as one line.
_MENDABLE = (ValueError, OSError, tf.errors.ResourceExhaustedError)


def train(*arguments, **options):
    """Trains silently, without compiling and without figures of the task."""
    with mock.patch("seqzoo.training.run.evaluate", return_value={}):
        return train_compiled(*arguments, verbose=0, compile_options=small.EAGERLY, **options)


def mount(options):
    """Mounts the disk, or changes it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", DISK], check=True)


def files(folder):
    """The content of all files in a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails(run, *arguments, **options):
    """Runs what must fail; returns the one line of its error."""
    try:
        run(*arguments, **options)
    except _MENDABLE as error:
        (line,) = str(error).splitlines()
        return line
    raise AssertionError("There was no error")


def trainings_on_a_full_disk(data, whole):
    """A disk that is full after so many kilobytes: an error; and resumed with room, the same as the whole."""
    reached = {}
    for kilobytes in (4, 28, 52, 76):
        folder = DISK / "run"
        mount(f"remount,size={kilobytes}k")
        try:
            train(RECIPE, folder, data)
            raise AssertionError("The disk was large enough")
        except OSError as error:
            if "No space left on device" not in str(error):
                raise
        left = files(folder) if folder.exists() else {}
        assert not any(name.startswith(".") for name in left), left.keys()
        reached[kilobytes] = sorted(left)
        assert left.get("history.csv", whole["history.csv"]) == whole["history.csv"]
        mount("remount,size=4m")
        model, _ = train(RECIPE, folder, data, resume="run.json" in left)
        assert (folder / "history.csv").read_bytes() == whole["history.csv"]
        assert small.weights(model) == whole["weights"], kilobytes
        shutil.rmtree(folder)
    return list(reached.values())


def read_only_disk(data, whole):
    """A disk that becomes read-only in the middle: an error, the checkpoint of before intact."""
    folder = DISK / "run"
    write = Checkpoint.on_epoch_end

    def on_epoch_end(checkpoint, epoch, logs=None):
        if epoch == 2:
            mount("remount,ro")
        write(checkpoint, epoch, logs)

    Checkpoint.on_epoch_end = on_epoch_end
    message = fails(train, RECIPE, folder, data)
    Checkpoint.on_epoch_end = write
    assert "Read-only file system" in message, message
    assert sorted(files(folder)) == ["checkpoint.npz", "run.json"]
    assert "Read-only file system" in fails(train, RECIPE, DISK / "other", data)
    mount("remount,rw")
    model, _ = train(RECIPE, folder, data, resume=True)
    assert small.weights(model) == whole["weights"]
    shutil.rmtree(folder)


def exports_on_a_full_disk(model):
    """The version and the file that were there stay as they were, and nothing is beside them."""
    mount("remount,size=64m")
    export.saved_model(model, DISK / "served")
    export.litert(model, DISK / "model.tflite")
    before = files(DISK)
    used = shutil.disk_usage(DISK).used
    for write, path, pages in ((export.saved_model, DISK / "served", 8), (export.litert, DISK / "model.tflite", 2)):
        mount(f"remount,size={used + pages * _PAGE}")
        message = fails(write, model, path)
        assert "No space left" in message, message
        assert files(DISK) == before, files(DISK).keys() ^ before.keys()


def main():
    """Everything; prints how far the trainings came on disks of different sizes."""
    mount("size=4m")
    text, _ = small.write_data(pathlib.Path("."))
    model, _ = train(RECIPE, "whole", text)
    whole = {**files(pathlib.Path("whole")), "weights": small.weights(model)}
    print(json.dumps(trainings_on_a_full_disk(text, whole)))
    read_only_disk(text, whole)
    exports_on_a_full_disk(model)


if __name__ == "__main__":
    main()
