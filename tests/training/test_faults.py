"""Trainings in processes that are killed or whose disk fails: nothing is lost, nothing half-written counts."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from seqzoo.training import Checkpoint, train

FOLDER = pathlib.Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}  # For `small_training`.


@pytest.fixture
def text_file(small, tmp_path):
    """The name of a text file."""
    return small.write_data(tmp_path)[0]


def start(folder, text_file, *options, program=(sys.executable, "-m", "seqzoo")):
    """Starts a training as users do, compiled, of a model with dropout; see the word_lstm recipe."""
    command = ["train", "word_lstm", "--data", text_file, "--output", folder, "--epochs", 6, "--batch-size", 4]
    sizes = ["--hidden-dim", 8, "--embedding-dim", 8, "--cell", "simple_rnn", "--window", 4, "--seed", 3]
    return subprocess.Popen(
        [*program, *map(str, command + sizes), *options],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a script starts with `&` would have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_epoch(process, number):
    """Waits until a process says that it begins an epoch."""
    said = ""
    while f"Epoch {number}/" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line


@pytest.mark.slow(minutes=1)
def test_interrupted_and_killed_training_resumed_from_the_command_line_is_as_one_left_alone(
    small, text_file, warm_python, tmp_path
):
    program = [warm_python / "seqzoo"]
    whole = start(tmp_path / "whole", text_file, program=program)
    folder = tmp_path / "run"
    process = start(folder, text_file)
    wait_for_epoch(process, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    if process.returncode == 0:
        pytest.fail("The training had ended before it could be interrupted")
    assert process.returncode == 130, errors
    kept = errors.splitlines()[-1].removeprefix("interrupted: ").split()[0]
    advice = "continue with seqzoo train, the same arguments and --resume"
    assert errors.endswith(f"interrupted: {kept} of 6 epochs are kept in {folder}; {advice}\n")
    assert sorted(os.listdir(folder)) == ["checkpoint.npz", "run.json"]

    process = start(folder, text_file, "--resume")
    wait_for_epoch(process, int(kept) + 1)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for process in (start(folder, text_file, "--resume", program=program), whole):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert small.outcome(folder) == small.outcome(tmp_path / "whole")
    assert json.loads((folder / "metrics.json").read_text())["cpu_seconds"]["total"] > 0


@pytest.mark.slow(minutes=5)
def test_twenty_kills_at_random_moments_change_nothing(small, text_file, tmp_path):
    began = time.monotonic()
    process = start(tmp_path / "whole", text_file)
    process.communicate()
    assert process.returncode == 0
    duration = time.monotonic() - began
    moments = random.Random(0)
    reached = []
    for number in range(20):
        folder = tmp_path / str(number)
        process = start(folder, text_file)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=moments.uniform(0.3, 1.0) * duration)
        process.kill()
        process.communicate()
        left = set(os.listdir(folder)) if folder.exists() else set()
        reached.append(sorted(name for name in left if not name.startswith(".")))
        process = start(folder, text_file, *(["--resume"] if "run.json" in left else []))
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert small.outcome(folder) == small.outcome(tmp_path / "whole"), number
        assert sorted(os.listdir(folder)) == small.RESULTS
    print(reached)
    assert sum("checkpoint.npz" in names for names in reached) >= 3
    assert any(not names for names in reached) or any(names == ["run.json"] for names in reached)


KILLED_WHILE_SAVING = """
import os, signal
import numpy as np
import small_training as small
from seqzoo.training import train

savez = np.savez

def half(file, facts, **values):
    savez(file, facts=facts, **values)
    if str(facts).count('"loss"') == 2:
        file.truncate(file.tell() // 2)
        os.kill(os.getpid(), signal.SIGKILL)

np.savez = half
train(small.text_recipe(), "run", "text.txt", verbose=0, compile_options=small.EAGERLY)
"""


@pytest.mark.slow(minutes=1)
def test_kill_in_the_middle_of_saving_leaves_the_checkpoint_before(small, text_file, warm_python, tmp_path):
    command = [warm_python / "python", "-c", KILLED_WHILE_SAVING]
    result = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False)
    assert result.returncode == 128 + signal.SIGKILL, result.stderr
    folder, options = tmp_path / "run", {"verbose": 0, "compile_options": small.EAGERLY}
    half, *others = sorted(os.listdir(folder))
    assert half.startswith(".checkpoint-")
    assert others == ["checkpoint.npz", "run.json"]
    assert Checkpoint(folder / "checkpoint.npz").initial_epoch == 1
    train(small.text_recipe(), folder, text_file, resume=True, **options)
    train(small.text_recipe(), tmp_path / "whole", text_file, **options)
    assert small.outcome(folder) == small.outcome(tmp_path / "whole")
    assert sorted(os.listdir(folder)) == small.RESULTS


@pytest.mark.slow(minutes=1)
def test_small_disk_read_only_disk_and_full_disk_leave_what_was_there(tmp_path):
    unshare = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("needs a kernel that lets users mount a disk of their own (unshare --map-root-user --mount)")
    (tmp_path / "disk").mkdir()
    command = [*unshare, sys.executable, FOLDER / "disk_faults.py", "disk"]
    result = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    reached = json.loads(result.stdout)
    assert [len(names) for names in reached] == [0, 2, 3, 4]  # The manifest, a checkpoint; the model; the history.
