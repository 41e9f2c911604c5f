"""When a training dies: nothing is lost, nothing half-written counts, and resuming ends as if it had not died."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from seqzoo import cli, models
from seqzoo.training.run import train

ROOT = pathlib.Path(__file__).parent
RESULTS = ["history.csv", "history.png", "metrics.json", "model.keras", "run.json"]
# In this process; those that are started compile as users' do.
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def data(small, tmp_path):
    """The names of a text file and of a file of pairs."""
    return small.write_data(tmp_path)


class Killed(BaseException):
    """What stops a process at one of its renames, in the tests that do without a process."""


def outcome(folder):
    """What must not depend on how often a run died: its weights and its history."""
    model = models.load(folder / "model.keras")
    return [weight.tobytes() for weight in model.get_weights()], (folder / "history.csv").read_bytes()


def test_training_stopped_after_any_rename_and_resumed_is_as_one_left_alone(small, data, tmp_path, monkeypatch):
    """Before it, the folder is as after the one before."""
    preset, file = small.text_preset(epochs=2), data[0]
    monkeypatch.setattr("seqzoo.training.run.evaluate", lambda *_: {})
    train(preset, tmp_path / "whole", file, verbose=0)
    assert sorted(os.listdir(tmp_path / "whole")) == RESULTS
    replace, renames, number = os.replace, 0, 1

    def stopping(source, target):
        nonlocal renames
        renames += 1
        replace(source, target)
        if renames == number:
            raise Killed

    while True:
        folder, renames = tmp_path / f"stopped-{number}", 0
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", stopping)
            try:
                train(preset, folder, file, verbose=0)
                break
            except Killed:
                pass
        train(preset, folder, file, verbose=0, resume=(folder / "run.json").exists())
        assert outcome(folder) == outcome(tmp_path / "whole"), number
        assert sorted(os.listdir(folder)) == RESULTS
        number += 1
    assert number == 1 + 1 + preset.epochs + 4  # The plan, a checkpoint an epoch, the results.


def start(folder, data, *options):
    """Starts a training as users do, of a model with dropout; see the word_lstm preset."""
    command = ["train", "word_lstm", "--data", data, "--output", folder, "--epochs", 6, "--batch-size", 4]
    sizes = ["--hidden-dim", 8, "--embedding-dim", 8, "--cell", "simple_rnn", "--window", 4, "--seed", 3]
    return subprocess.Popen(
        [sys.executable, "-m", "seqzoo", *map(str, command + sizes), *options],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a script starts with `&` would have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_epoch(process, number):
    """Waits until a process says that it begins an epoch; gives what it said."""
    said = ""
    while f"Epoch {number}/" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


def test_interrupted_and_killed_training_resumed_from_the_command_line_is_as_one_left_alone(data, tmp_path):
    whole = start(tmp_path / "whole", data[0])
    folder = tmp_path / "run"
    process = start(folder, data[0])
    wait_for_epoch(process, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    if process.returncode == 0:
        pytest.fail("The training had ended before it could be interrupted")
    assert process.returncode == 130, errors
    kept = errors.splitlines()[-1].removeprefix("interrupted: ").split()[0]
    advice = "go on with seqzoo train, the same arguments and --resume"
    assert errors.endswith(f"interrupted: {kept} of 6 epochs are kept in {folder}; {advice}\n")
    assert sorted(os.listdir(folder)) == ["checkpoint.npz", "run.json"]

    process = start(folder, data[0], "--resume")
    wait_for_epoch(process, int(kept) + 1)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for process in (start(folder, data[0], "--resume"), whole):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert outcome(folder) == outcome(tmp_path / "whole")
    assert json.loads((folder / "metrics.json").read_text())["cpu_seconds"]["total"] > 0


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(data, tmp_path):
    began = time.monotonic()
    process = start(tmp_path / "whole", data[0])
    process.communicate()
    assert process.returncode == 0
    duration = time.monotonic() - began
    moments = random.Random(0)
    reached = []
    for number in range(20):
        folder = tmp_path / str(number)
        process = start(folder, data[0])
        time.sleep(moments.uniform(0.3, 1.0) * duration)
        process.kill()
        process.communicate()
        left = set(os.listdir(folder)) if folder.exists() else set()
        reached.append(sorted(name for name in left if not name.startswith(".")))
        process = start(folder, data[0], *(["--resume"] if "run.json" in left else []))
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert outcome(folder) == outcome(tmp_path / "whole"), number
        assert sorted(os.listdir(folder)) == RESULTS
    print(reached)
    assert sum("checkpoint.npz" in names for names in reached) >= 3
    assert any(not names for names in reached) or any(names == ["run.json"] for names in reached)


KILLED_WHILE_SAVING = """
import os, pathlib, signal, sys
import numpy as np
import small_training as small
from seqzoo.training.run import train

small.without_compiling()
savez = np.savez

def half(file, facts, **values):
    savez(file, facts=facts, **values)
    if str(facts).count('"loss"') == 2:
        file.truncate(file.tell() // 2)
        os.kill(os.getpid(), signal.SIGKILL)

np.savez = half
train(small.text_preset(), "run", "text.txt", verbose=0)
"""


def test_kill_in_the_middle_of_saving_leaves_the_checkpoint_before(small, data, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED_WHILE_SAVING]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert result.returncode == -signal.SIGKILL, result.stderr
    folder = tmp_path / "run"
    half, *others = sorted(os.listdir(folder))
    assert half.startswith(".checkpoint-")
    assert others == ["checkpoint.npz", "run.json"]
    assert models.Checkpoint(folder / "checkpoint.npz").initial_epoch == 1
    train(small.text_preset(), folder, data[0], verbose=0, resume=True)
    train(small.text_preset(), tmp_path / "whole", data[0], verbose=0)
    assert outcome(folder) == outcome(tmp_path / "whole")
    assert sorted(os.listdir(folder)) == RESULTS


def test_small_disk_read_only_disk_and_full_disk_leave_what_was_there(tmp_path):
    unshare = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("needs a kernel that lets users mount a disk of their own (unshare --map-root-user --mount)")
    (tmp_path / "disk").mkdir()
    script = [sys.executable, ROOT / "disk_faults.py", "disk"]
    result = subprocess.run([*unshare, *script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    reached = json.loads(result.stdout)
    assert [len(names) for names in reached] == [0, 2, 3, 4]  # The plan, a checkpoint; the model; the history.


def test_folder_that_vanishes_is_one_clear_error(small, data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    begin = models.Checkpoint.on_epoch_begin

    def on_epoch_begin(checkpoint, epoch, logs=None):
        if epoch == 1:
            shutil.rmtree(folder)
        begin(checkpoint, epoch, logs)

    monkeypatch.setattr(models.Checkpoint, "on_epoch_begin", on_epoch_begin)
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/run/\.checkpoint-"):
        train(small.text_preset(), folder, data[0], verbose=0)
    assert not folder.exists()


def test_ctrl_c_before_the_first_epoch_leaves_nothing(small, data, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(models.Checkpoint, "on_epoch_begin", interrupt)
    arguments = ["train", "char_lstm", "--data", str(data[0]), "--output", str(tmp_path / "run"), "--hidden-dim", "4"]
    assert cli.main(arguments) == 130
    assert capsys.readouterr().err.endswith("interrupted: no epoch was complete, nothing is kept\n")
    assert not (tmp_path / "run").exists()


def test_resuming_needs_the_run_that_is_there(small, data, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=r"run holds no run to resume: leave out --resume"):
        train(small.text_preset(), folder, data[0], verbose=0, resume=True)
    model, metrics = train(small.text_preset(), folder, data[0], verbose=0)
    with pytest.raises(ValueError, match=r"already holds another run; go on with it \(--resume\), or choose"):
        train(small.text_preset(), folder, data[0], verbose=0)
    with pytest.raises(ValueError, match="another run, with a different epochs and seed "):
        train(small.text_preset(epochs=7), folder, data[0], seed=1, verbose=0, resume=True)
    data[0].write_text(small.TEXT + "more")
    with pytest.raises(ValueError, match="with a different data_sha256 "):
        train(small.text_preset(), folder, data[0], verbose=0, resume=True)
    data[0].write_text(small.TEXT)
    moved = data[0].rename(tmp_path / "moved.txt")
    again, same = train(small.text_preset(), folder, moved, verbose=0, resume=True)
    assert same == metrics
    assert small.weights(again) == small.weights(model)


def test_what_killed_processes_left_half_written_goes(small, data, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".run-abcdefgh.json").write_text('{"ki')
    train(small.text_preset(epochs=1), folder, data[0], verbose=0)
    assert sorted(os.listdir(folder)) == RESULTS
    for name in RESULTS[:-1]:
        (folder / name).unlink()
    for name in (".checkpoint-abcdefgh.npz", ".model-12345678.keras", ".metrics-1bcdefg_.json", ".mine-abcdefgh.npz"):
        (folder / name).write_text("half")
    train(small.text_preset(epochs=1), folder, data[0], verbose=0, resume=True)
    assert sorted(os.listdir(folder)) == [".mine-abcdefgh.npz", *RESULTS]


@pytest.mark.parametrize("content", ["", "[]", "null", '{"preset": '])
def test_damaged_plan_and_metrics_are_one_clear_error(small, data, tmp_path, content):
    folder = tmp_path / "run"
    train(small.text_preset(epochs=1), folder, data[0], verbose=0)
    for name in ("metrics.json", "run.json"):
        (folder / name).write_text(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            train(small.text_preset(epochs=1), folder, data[0], verbose=0, resume=True)


def test_ctrl_c_while_results_are_written_says_what_is_kept(small, data, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seqzoo.training.run.evaluate", interrupt)
        with pytest.raises(
            KeyboardInterrupt,
            match=r"3 of 3 epochs are kept in .*run; go on with seqzoo train, the same arguments and --resume",
        ):
            train(small.text_preset(), tmp_path / "run", data[0], verbose=0)
    model, _ = train(small.text_preset(), tmp_path / "run", data[0], verbose=0, resume=True)
    whole, _ = train(small.text_preset(), tmp_path / "whole", data[0], verbose=0)
    assert small.weights(model) == small.weights(whole)


def checkpointed(preset, preprocessor, pairs, path, epochs, seed=0):
    """Trains by `fit`, as the README shows; gives the model and the history."""
    keras.utils.set_random_seed(seed)
    checkpoint = models.Checkpoint(path)
    batches = preset.batches(preprocessor, pairs, seed, epoch=checkpoint.epoch)
    model = preset.build(preprocessor)
    preset.compile(model, steps_per_epoch=len(batches))
    model.fit(
        batches, epochs=epochs, initial_epoch=checkpoint.initial_epoch, callbacks=[checkpoint], shuffle=False, verbose=0
    )
    return model, checkpoint.history


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_checkpoint_goes_on_with_fit_whatever_the_seed_is_then(small, pairs, tmp_path, monkeypatch, policy):
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: keras.dtype_policies.get(policy))
    preset = small.pairs_preset()
    preprocessor = preset.preprocessor(pairs)
    whole, history = checkpointed(preset, preprocessor, pairs, tmp_path / "whole.npz", 4)
    checkpointed(preset, preprocessor, pairs, tmp_path / "run.npz", 2)
    # The state is the file's; nothing is left of weights or dropout made from another seed but the shuffles' own.
    checkpoint = models.Checkpoint(tmp_path / "run.npz")
    keras.utils.set_random_seed(77)
    batches = preset.batches(preprocessor, pairs, 0, epoch=checkpoint.epoch)
    resumed = preset.build(preprocessor)
    preset.compile(resumed, steps_per_epoch=len(batches))
    resumed.fit(batches, epochs=4, initial_epoch=2, callbacks=[checkpoint], shuffle=False, verbose=0)
    assert small.weights(resumed) == small.weights(whole)
    assert checkpoint.history == history
    assert len(history) == 4


def test_checkpoint_that_does_not_fit_is_an_error(small, pairs, tmp_path):
    preset, path = small.pairs_preset(), tmp_path / "run.npz"
    preprocessor = preset.preprocessor(pairs)
    checkpointed(preset, preprocessor, pairs, path, 1)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.npz is the checkpoint of another model or optimizer"):
        checkpointed(small.pairs_preset(hidden_dim=5), preprocessor, pairs, path, 2)
    model, checkpoint = preset.build(preprocessor), models.Checkpoint(path)
    preset.compile(model, steps_per_epoch=2)
    with pytest.raises(ValueError, match=r"holds 1 epochs, and the training would begin at 0: give fit initial_epoch="):
        model.fit(preprocessor.batches(pairs, 40), callbacks=[checkpoint], verbose=0)
    assert path.read_bytes() == content
    for damaged in (content[:-30], content[:20], b"", b"PK", content.replace(b"facts", b"fakts")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
            models.Checkpoint(path)
    for facts in ("[]", "{}", '{"history": [], "seconds": {}}'):
        np.savez(path, facts=np.array(facts))
        with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
            models.Checkpoint(path)
    np.savez(path, facts=np.array({"history": []}, dtype=object))  # Would have to be unpickled.
    with pytest.raises(ValueError, match=r"run\.npz is no checkpoint, or damaged"):
        models.Checkpoint(path)


def test_diverging_epoch_is_not_kept(small, data, tmp_path):
    with pytest.raises(ValueError, match="diverged"):
        train(small.text_preset(learning_rate=1e38), tmp_path / "run", data[0], verbose=0)
    assert not (tmp_path / "run").exists()
