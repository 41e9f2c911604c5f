"""A Python that has imported seqzoo already: what a test starts with it is a fork, which costs no import of TensorFlow.

`serve` is the process that imports; `ask` is what runs in place of `python`, in the folder that `programs` makes. What
has to do with the start itself, or with signals, is no matter for it: those tests start Python. Where the environment
has `WITHOUT_XLA`, nothing is compiled unless it is asked for: that would be most of a short training.
"""

import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import sys


def programs(folder, address):
    """Makes the programs `python` and `seqzoo`, which ask the process that serves at an address."""
    for name, arguments in (("python", []), ("seqzoo", ["-m", "seqzoo"])):
        code = [
            f"#!{sys.executable} -IS",
            f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})",
            f"import warm_python; warm_python.ask({str(address)!r}, {arguments!r} + sys.argv[1:])",
        ]
        (folder / name).write_text("\n".join(code) + "\n")
        (folder / name).chmod(0o755)


def ask(address, arguments):
    """Has a fork run Python with these arguments, here and now, and ends as it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"+"], [0, 1, 2])
        connection.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode())
        connection.shutdown(socket.SHUT_WR)
        status = connection.recv(1)
    os._exit(status[0] if status else 128 + signal.SIGKILL)


def serve(address):
    """Imports, says so, and forks for whoever asks, until standard input ends."""
    import gc

    before = set(os.environ)
    import seqzoo.commands
    import seqzoo.export
    import seqzoo.export.page
    import seqzoo.training.chapter_curves
    import seqzoo.tuning  # noqa: F401

    own = {name: os.environ[name] for name in set(os.environ) - before}  # What seqzoo sets.
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        forks = set()
        while server in select.select([server, 0], [], [])[0]:
            connection, _ = server.accept()
            forks = {fork for fork in forks if not os.waitpid(fork, os.WNOHANG)[0]}
            with connection:
                _, files, _, _ = socket.recv_fds(connection, 1, 3)
                fork = os.fork()
                if not fork:
                    server.close()
                    _run(connection, files, own)
                forks.add(fork)
                for file in files:
                    os.close(file)
        for fork in forks:  # Those that a failed test left, too.
            os.kill(fork, signal.SIGKILL)
            os.waitpid(fork, 0)


def _run(connection, files, own):
    """Becomes the program that was asked for, and ends the process."""
    import multiprocessing.process

    with connection.makefile("rb") as request:
        arguments, folder, environment = json.load(request)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, closefd=False) for n, mode in enumerate(("r", "w", "w")))
    os.chdir(folder)
    multiprocessing.process.ORIGINAL_DIR = folder  # Where the processes that it starts look for the script.
    os.environ.clear()
    os.environ.update(own | environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    status = 1
    try:
        status = _status_of(arguments)
    finally:
        connection.sendall(bytes([status]))
        os._exit(status)


def _status_of(arguments):
    import atexit
    import runpy
    import traceback
    import types

    import keras

    import seqzoo.models.base

    limits = {"EPOCHS": keras.config.set_max_epochs, "STEPS_PER_EPOCH": keras.config.set_max_steps_per_epoch}
    for name, limit in limits.items():
        if value := os.environ.get(f"KERAS_MAX_{name}"):  # Keras reads it when it is imported.
            limit(int(value))
    if "WITHOUT_XLA" in os.environ:
        seqzoo.runtime.jit_compiles = seqzoo.models.base.jit_compiles = lambda: False
    status = 0
    try:
        match arguments:
            case ["-c", code, *rest]:
                sys.argv, sys.path[0] = ["-c", *rest], ""
                module = sys.modules["__main__"] = types.ModuleType("__main__")
                exec(compile(code, "<string>", "exec"), vars(module))
            case ["-m", name, *rest]:
                sys.argv, sys.path[0] = [name, *rest], ""
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            case [script, *rest]:
                sys.argv, sys.path[0] = [script, *rest], os.path.dirname(os.path.abspath(script))
                runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    with contextlib.suppress(BrokenPipeError):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve(sys.argv[1])
