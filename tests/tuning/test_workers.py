"""Searches over several processes: whichever of them dies, no trial is lost and no process is left."""

import os
import signal
import socket

import pytest

from seqzoo import models
from seqzoo.tuning import workers


def start(small_search, **options):
    """Starts the search over two workers, one of which pauses."""
    return small_search.start(workers=2, pause=str(small_search.folder / "paused"), **options)


def wait_for(process, paused=False):
    """Waits until all members have started; and one stays in the middle of a trial, if asked for.

    Returns:
        `(numbers, paused)`: the members' process numbers by name, and the name of the one that pauses.
    """
    numbers, said, name = {}, "", None
    while len(numbers) < 3 or (paused and not name):
        line = process.stdout.readline()
        assert line, said
        said += line
        match line.split():
            case ["started", member, number]:
                numbers[member] = int(number)
            case ["paused", name]:
                pass
    assert set(numbers) == {"chief", "worker0", "worker1"}
    return numbers, name


@pytest.mark.slow(minutes=1)
def test_killed_worker_comes_back_and_no_process_is_left(small_search, warm_python):
    process = start(small_search, python=warm_python / "python")
    numbers, paused = wait_for(process, paused=True)
    os.kill(numbers[paused], signal.SIGKILL)
    output, _ = process.communicate()  # All that the processes print: it ends when the last of them has ended.
    assert process.returncode == 0, output
    assert f"{paused} ended with status -9; it is started again" in output
    assert output.count(f"started {paused} ") == 1
    assert [row["status"] for row in small_search.rows()] == ["completed"] * 3
    assert models.load(small_search.folder / "search/model.keras")
    small_search("alone")
    by_values = [
        {(row["hidden_dim"], row["learning_rate"]): float(row["val_loss"]) for row in small_search.rows(name)}
        for name in ("search", "alone")
    ]
    assert by_values[0] == pytest.approx(by_values[1], rel=1e-4)


@pytest.mark.slow(minutes=1)
def test_killed_chief_is_an_error_and_resuming_completes(small_search, warm_python):
    process = start(small_search, python=warm_python / "python")
    numbers, _ = wait_for(process, paused=True)
    os.kill(numbers["chief"], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "error: The search's chief ended with status -9" in output
    small_search(resume=True)
    assert [row["status"] for row in small_search.rows()] == ["completed"] * 3


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow(minutes=1)), signal.SIGKILL])
def test_stopped_search_leaves_no_process(small_search, number):
    process = start(small_search)
    wait_for(process)
    process.send_signal(number)
    process.communicate()  # Ends when the last of the processes has ended.
    assert process.returncode == (130 if number == signal.SIGINT else -number)


def test_several_machines_by_the_environment(small_search, warm_python):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    chief, worker = (
        small_search.start({**environment, "KERASTUNER_TUNER_ID": name}, python=warm_python / "python", max_trials=1)
        for name in ("chief", "worker")
    )
    for process in (worker, chief):
        output, _ = process.communicate()
        assert process.returncode == 0, output
    assert [row["status"] for row in small_search.rows()] == ["completed"]
    assert (small_search.folder / "search/model.keras").exists()


def test_half_an_environment_is_an_error(small_search, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    with pytest.raises(
        ValueError, match="needs the environment variables KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT"
    ):
        small_search()


def test_workers_inside_a_search_over_several_machines_are_an_error(small_search, monkeypatch):
    for name, value in (("TUNER_ID", "worker1"), ("ORACLE_IP", "127.0.0.1"), ("ORACLE_PORT", "1")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    with pytest.raises(ValueError, match=r"one of several already\. Received: workers=2"):
        small_search(workers=2)


def test_more_workers_than_cores_share_all_of_them(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 7}, raising=False)
    assert workers._shares(2) == {"worker0": {2, 7}, "worker1": {5}}
    assert workers._shares(4) == {f"worker{index}": {2, 5, 7} for index in range(4)}
