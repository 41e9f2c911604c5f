"""The sides of a comparison: each in a process of its own, which stays, so that they can take turns."""

import concurrent.futures
import importlib
import multiprocessing
import os
import time

from report import Cost

PYTORCH, PYTORCH_ONE_THREAD = "PyTorch", "PyTorch, one thread"


class Side:
    """One side of the comparison, in a process of its own: `with Side(module, class, arguments) as side`.

    Args:
        module: str, of `peers`.
        kind: str, the class in it.
        *arguments: the class's.
        cores: int, how many cores the process may use; `None` for all of the machine's.
        environment: dictionary of the process's environment variables beside those of this one.
        **options: the class's.
    """

    def __init__(self, module, kind, *arguments, cores=None, environment=None, **options):
        start = module, kind, arguments, options, cores, environment or {}
        self.pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, start)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.pool.shutdown()

    def time(self, method, *arguments):
        """Runs a method there; returns its `(wall, CPU)` time in seconds."""
        return self.pool.submit(_timed, method, arguments).result()

    def ask(self, method, *arguments):
        """What a method returns there."""
        return self.pool.submit(_asked, method, arguments).result()

    def reach(self, goal, limit):
        """Trains to a share of exact matches: `(epochs, its process' CPU time so far)`; see `_reached`."""
        return self.pool.submit(_reached, goal, limit).result()


def _begin(module, kind, arguments, options, cores, environment):
    global side
    os.environ.update(environment)
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    side = getattr(importlib.import_module(module), kind)(*arguments, **options)


def _asked(method, arguments):
    return getattr(side, method)(*arguments)


def _timed(method, arguments):
    wall, cpu = time.perf_counter(), time.process_time()
    _asked(method, arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def _reached(goal, limit):
    """Epochs until so many test rows are right, or `None` if they are not within the limit; and CPU seconds."""
    for epoch in range(1, limit + 1):
        side.epoch()
        if side.exact_match() >= goal:
            return epoch, time.process_time()
    return None, time.process_time()


def pytorch_sides(module, kind, *arguments):
    """PyTorch with as many threads as it chooses, which is one a core, and with one: two sides by their names."""
    return {PYTORCH: Side(module, kind, *arguments), PYTORCH_ONE_THREAD: Side(module, kind, *arguments, threads=1)}


def in_turn(rounds, **tasks):
    """Times each task `(side, method, *arguments)` in each round, after one round that does not count.

    Returns `{name: Cost}`.
    """
    times = {name: [] for name in tasks}
    for _ in range(1 + rounds):
        for name, (side, method, *arguments) in tasks.items():
            times[name].append(side.time(method, *arguments))
    return {name: Cost.median(each[1:]) for name, each in times.items()}


def best_pytorch(costs):
    """PyTorch at its best of its numbers of threads, by wall time: `(name, cost)`."""
    return min(((name, costs[name]) for name in (PYTORCH, PYTORCH_ONE_THREAD)), key=lambda each: each[1].wall)


def same_parameters(sides):
    """The number of parameters that all these sides have.

    Raises:
        RuntimeError: where they do not have the same.
    """
    parameters = {name: side.ask("parameters") for name, side in sides.items()}
    if len(set(parameters.values())) > 1:
        raise RuntimeError(f"The sides must have as many parameters. They have: {parameters}")
    return next(iter(parameters.values()))
