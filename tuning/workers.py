"""A search spread over processes: a chief that draws the trials, and workers that run them."""

import contextlib
import os
import socket
import subprocess
import sys
import time

_RESTARTS = 3  # of each worker
_POLL = 0.2  # seconds
_ENVIRONMENT = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")
_MEMBER = "from seqzoo.tuning import member; member.main()"
_RESUME = "see what it printed above; continue the search with resume (--resume)"


def is_member():
    """Whether the environment makes this process a part of a search over several: its chief, or a worker."""
    missing = [name for name in _ENVIRONMENT if not os.environ.get(name)]
    if missing and len(missing) < len(_ENVIRONMENT):
        raise ValueError(f"A search over several machines also needs the environment variables {', '.join(missing)}")
    return not missing


def check_chief():
    """Checks that this process can listen where the environment says that the search's chief is, if it is the chief.

    Raises:
        ValueError: for a port that is no number.
        OSError: for another machine's address, or a port that is taken.
    """
    if not is_member() or is_worker():
        return
    ip, port = os.environ["KERASTUNER_ORACLE_IP"], os.environ["KERASTUNER_ORACLE_PORT"]
    try:
        socket.create_server((ip, int(port))).close()
    except ValueError:
        raise ValueError(f"KERASTUNER_ORACLE_PORT must be a number. Received: {port!r}") from None
    except OSError as error:
        text = f"The search's chief cannot listen at {ip}:{port}, which KERASTUNER_ORACLE_IP and _PORT say: {error}"
        raise OSError(text) from None


def is_worker():
    """Whether the environment makes this process a worker."""
    return is_member() and "chief" not in os.environ["KERASTUNER_TUNER_ID"]


def supervise(folder, number, report=True):
    """Runs the planned search of a folder in a chief and `number` workers, until no trial is left.

    The cores are divided among the workers. A worker that dies is started again under its own name, and gets the trial
    that it had; KerasTuner's chief would wait for it for ever. However this function ends, no process is left; if this
    process itself is killed, the others end by themselves.
    """
    environment = {
        **os.environ,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(_free_port()),
        "no_grpc_proxy": "127.0.0.1",
    }
    arguments = [os.fspath(folder), "report" if report else "silent"]
    with contextlib.ExitStack() as processes:

        def start(name, cores=None):
            return processes.enter_context(_started(name, arguments, environment, cores))

        chief = start("chief")
        shares = _shares(number)
        workers = {name: start(name, cores) for name, cores in shares.items()}
        restarts = dict.fromkeys(workers, 0)
        while workers:
            time.sleep(_POLL)
            if chief.poll() == 0:
                break  # Every worker knows that no trial is left.
            if chief.poll() is not None:
                raise ChildProcessError(f"The search's chief ended with status {chief.returncode}: {_RESUME}")
            for name, process in list(workers.items()):
                if process.poll() == 0:
                    del workers[name]
                elif process.poll() is not None:
                    restarts[name] += 1
                    if restarts[name] > _RESTARTS:
                        raise ChildProcessError(
                            f"{name} ended with status {process.returncode} once too often: {_RESUME}"
                        )
                    print(f"{name} ended with status {process.returncode}; it is started again", file=sys.stderr)
                    workers[name] = start(name, shares[name])


@contextlib.contextmanager
def _started(name, arguments, environment, cores):
    process = subprocess.Popen(
        [sys.executable, "-c", _MEMBER, *arguments],
        env={**environment, "KERASTUNER_TUNER_ID": name},
        stdin=subprocess.PIPE,  # Open as long as this process lives.
        stdout=2,  # Progress.
        start_new_session=True,  # Ctrl-C is for this process alone, which then ends the others.
    )
    try:
        if cores:
            os.sched_setaffinity(process.pid, cores)
        yield process
    finally:
        process.kill()  # What a trial has not saved by now is run again.
        process.wait()
        process.stdin.close()


def _shares(number):
    """The names of the workers, each with its share of the cores; with fewer cores than workers, each with all."""
    names = [f"worker{index}" for index in range(number)]
    if not hasattr(os, "sched_getaffinity"):
        return dict.fromkeys(names)
    cores = sorted(os.sched_getaffinity(0))
    are_enough = number <= len(cores)
    return {name: set(cores[index::number] if are_enough else cores) for index, name in enumerate(names)}


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
