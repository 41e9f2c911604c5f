"""Time to a share of right answers, each run in a new process."""

import dataclasses
import pathlib
import tempfile
import time

from report import Cost, Row
from sides import PYTORCH, Side

from sections.section import section

# Schedules on the book's rows: a short one, by which both reach the first goal with some seeds, and come close with
# others; and that of the recipe for the second goal, which not every seed reaches.
SHORT = {"epochs": 4, "learning_rate": 8e-3}
RECIPE = {"epochs": 25, "learning_rate": 4e-3}
_BOOK_EPOCHS = 60  # The book's constant learning rate needs no plan, only a limit.

_COLD, _WARM, _NUMPY = "cold", "warm", "NumPy"


@dataclasses.dataclass(frozen=True)
class _Runs:
    """What runs of one side to one goal took."""

    cost: Cost
    epochs: list

    def __str__(self):
        return f"{self.cost}; epochs: {', '.join(self.epochs)}"


@section(minutes=19)
def goals(run):
    """Time to 97.5% and to 99.9% exact match, with an empty XLA cache and with one that has the programs."""
    runs = _reach(run, 0.975, SHORT, with_numpy=True)
    for name, target in ((_COLD, 0.3), (_WARM, 0.25)):
        yield _row("97.5%", name, runs, _NUMPY, "the book's recipe", target)
    for name in (_COLD, _WARM):
        yield _row("97.5%", name, runs, PYTORCH, "the same recipe", None)
    runs = _reach(run, 0.999, RECIPE)
    for name, target in ((_COLD, 0.9), (_WARM, 0.8)):
        yield _row("99.9%", name, runs, PYTORCH, "the same recipe", target)


def _row(goal, name, runs, other, recipe, target):
    what = f"time to {goal} exact match, from process start, {name} XLA cache"
    ratio = runs[name].cost.wall / runs[other].cost.wall
    return Row(what, runs[name], f"{other}, {recipe}: {runs[other]}", ratio, target)


def _reach(run, goal, schedule, with_numpy=False):
    """`{name: _Runs}`, one run a round and side, each round with another seed."""
    names = [_COLD, _WARM, PYTORCH, *[_NUMPY] * with_numpy]
    times, epochs = {name: [] for name in names}, {name: [] for name in names}
    for seed in range(run.rounds):
        with tempfile.TemporaryDirectory() as cache:  # Empty for the first run of it, and not for the second.
            sides = {
                _COLD: ("seqzoo_peer", schedule, {"SEQZOO_XLA_CACHE": cache}),
                _WARM: ("seqzoo_peer", schedule, {"SEQZOO_XLA_CACHE": cache}),
                PYTORCH: ("torch_peer", schedule, {}),
                _NUMPY: ("numpy_peer", {}, {}),
            }
            for name in names:
                if name == _NUMPY and seed:
                    continue  # Takes as long as the rest together, and hardly depends on the seed.
                module, options, environment = sides[name]
                limit = options.get("epochs", _BOOK_EPOCHS)
                start, options = time.perf_counter(), {**options, "seed": seed, "environment": environment}
                with Side(module, "Sums", run.training, run.test, **options) as side:
                    reached, cpu = side.reach(goal, limit)
                    times[name].append((time.perf_counter() - start, cpu))
                if name == _COLD and not any(pathlib.Path(cache).rglob("*.*")):
                    raise RuntimeError("XLA's cache has no program after a training")
                epochs[name].append(str(reached or f"over {limit}"))
    return {name: _Runs(Cost.median(times[name]), epochs[name]) for name in names}
