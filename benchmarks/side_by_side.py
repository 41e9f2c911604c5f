"""seqzoo beside what one would pick instead, measured in one run: `python benchmarks/side_by_side.py`.

Needs the extra `bench`. Each side has a process of its own, which stays; the sides take turns in each round, so that a
noisy machine is noisy for all of them. Figures are medians of the rounds. Prints the table as Markdown; with
`--page docs/speed.md` it also takes the place of the one in that page, and the growth figure is written beside it.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import importlib
import importlib.metadata
import math
import multiprocessing
import os
import pathlib
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

_PEERS = pathlib.Path(__file__).with_name("peers")
sys.path.insert(0, str(_PEERS))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Some environments choose OpenBLAS's kernels for programs, and not always the fastest: NumPy shall have its best.
_OPENBLAS = {name: os.environ.pop(name) for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ}

_GOAL = 0.975
# A short schedule by which both sides reach the goal on the book's rows with each of the first three seeds.
_EPOCHS = 4
_BOOK_EPOCHS = 60  # The book's constant learning rate needs no plan, only a limit.

_SOURCE_LENGTH, _TARGET_LENGTH = 7, 4
_ROWS = 45_000
_BATCH_SIZE = 128
_TEXT_STEPS, _TEXT_CHARACTERS = 100, 100 * 32 * 64


# === Sides ===


class Side:
    """One side of the comparison, in a process of its own: `with Side(module, class, arguments) as side`."""

    def __init__(self, module, kind, *arguments, **options):
        self.pool = concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (module, kind, arguments, options)
        )

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


def _begin(module, kind, arguments, options):
    global side
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


def in_turn(rounds, **tasks):
    """Times each task `(side, method, *arguments)` in each round, after one round that does not count.

    Returns `{name: Cost}`.
    """
    times = {name: [] for name in tasks}
    for _ in range(1 + rounds):
        for name, (side, method, *arguments) in tasks.items():
            times[name].append(side.time(method, *arguments))
    return {name: Cost.median(each[1:]) for name, each in times.items()}


# === The table ===


@dataclasses.dataclass(frozen=True)
class Cost:
    """Wall and process CPU time, in seconds."""

    wall: float
    cpu: float

    @classmethod
    def median(cls, times):
        """Of `(wall, CPU)` pairs."""
        return cls(*map(statistics.median, zip(*times, strict=True)))

    def __truediv__(self, number):
        return Cost(self.wall / number, self.cpu / number)

    def __str__(self):
        return f"{_in_unit(self.wall)} · {_in_unit(self.cpu)}"

    def rate(self, amount):
        """As text: how much of an amount a second."""
        return f"{amount / self.wall:,.0f}/s · {amount / self.cpu:,.0f}/s"


def _in_unit(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table; without a target it is for information.

    Attributes:
        what: str, what is measured.
        seqzoo: `Cost` or str.
        peer: str, what it is compared with, and its figure.
        value: float, what the target is about: a ratio, or a figure in `unit`.
        target: float, or `None`.
        least: bool, whether the target is the least that is wanted, and not the most.
        unit: str; `""` for a ratio.
    """

    what: str
    seqzoo: object
    peer: str
    value: float
    target: float | None = None
    least: bool = False
    unit: str = ""

    def cells(self):
        """The row as texts."""
        unit = f" {self.unit}" if self.unit else ""
        target, verdict = "–", "–"
        if self.target is not None:
            target = f"{'≥' if self.least else '≤'} {self.target:g}{unit}"
            met = self.value >= self.target if self.least else self.value <= self.target
            verdict = "met" if met else "**missed**"
        return [self.what, str(self.seqzoo), self.peer, f"{self.value:.3g}{unit}", target, verdict]


def markdown(rows):
    """The table of these rows."""
    head = ["what", "seqzoo", "beside it", "ratio or figure", "target", ""]
    return "\n".join(f"| {' | '.join(each)} |" for each in [head, ["---"] * len(head), *(row.cells() for row in rows)])


def replace_table(page, text):
    """The page's text with `text` between its two markers."""
    parts = re.split(r"(<!-- table -->\n|<!-- end -->)", page)
    if len(parts) != 5:
        raise ValueError("The page needs the lines <!-- table --> and <!-- end -->, once each, in this order")
    return "".join([*parts[:2], text, "\n", *parts[3:]])


def machine():
    """The processor and the versions, as a line."""
    facts, path = {}, pathlib.Path("/proc/cpuinfo")
    if path.exists():
        facts = dict(re.findall(r"^(.*?)\s*: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    processor = facts.get("model name") or platform.processor() or platform.machine()
    avx512 = "with" if "avx512f" in facts.get("flags", "").split() else "without"
    packages = ("seqzoo", "tensorflow", "keras", "torch", "numpy", "ai-edge-litert")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor}, {cores} cores, {avx512} AVX-512; Python {platform.python_version()}, {versions}."


# === The limit ===


def operations(rows, source_length, target_length, embedding_dim, hidden_dim, vocabulary_size):
    """Operations of an epoch by the plain equations of a peeky LSTM model; a multiplication and an addition are two.

    Every matrix product, forwards: in the encoder each step's token and state, in the decoder each step's token,
    context and state, times four gates; the dense layer on context and output. Backwards each costs twice as much: once
    for its inputs and once for its weights.
    """
    gates = 4 * hidden_dim
    encoder = source_length * (embedding_dim + hidden_dim) * gates
    decoder = target_length * (embedding_dim + 2 * hidden_dim) * gates
    dense = target_length * 2 * hidden_dim * vocabulary_size
    return 3 * 2 * rows * (encoder + decoder + dense)


def matrix_rates():
    """The float32 matrix rate of one core in GFLOP/s, by each library, and by NumPy as it is set up here."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

    def rate(library, **environment):
        command = [sys.executable, _PEERS / "matrix.py", library]
        environment = {**os.environ, **one_thread, **environment}
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    rates = {"NumPy": rate("numpy"), "PyTorch": rate("torch"), "TensorFlow": rate("tensorflow")}
    if _OPENBLAS:
        rates[f"NumPy with this environment's {' and '.join(_OPENBLAS)}"] = rate("numpy", **_OPENBLAS)
    return rates


# === What is measured ===


def goal(run):
    """Time to 97.5%, each run in a new process."""
    sides = {
        "seqzoo": ("seqzoo_peer", _EPOCHS, {"epochs": _EPOCHS}),
        "PyTorch": ("torch_peer", _EPOCHS, {"epochs": _EPOCHS}),
        "NumPy": ("numpy_peer", _BOOK_EPOCHS, {}),
    }
    times, epochs = {name: [] for name in sides}, {name: [] for name in sides}
    for seed in range(run.rounds):
        for name, (module, limit, options) in sides.items():
            if name == "NumPy" and seed:
                continue  # Takes as long as the rest together, and hardly depends on the seed.
            start = time.perf_counter()
            with Side(module, "Sums", run.training, run.test, seed=seed, **options) as side:
                reached, cpu = side.reach(_GOAL, limit)
                times[name].append((time.perf_counter() - start, cpu))
            epochs[name].append(str(reached or f"over {limit}"))
    costs = {name: Cost.median(each) for name, each in times.items()}
    ours = f"{costs['seqzoo']}; epochs: {', '.join(epochs['seqzoo'])}"
    for name, recipe, target in (("NumPy", "the book's recipe", 0.2), ("PyTorch", "the same recipe", 0.8)):
        peer = f"{name}, {recipe}: {costs[name]}; epochs: {', '.join(epochs[name])}"
        ratio = costs["seqzoo"].wall / costs[name].wall
        yield Row("time to 97.5% exact match, from process start", ours, peer, ratio, target)


def training(run):
    """An epoch, and the batches it is made of."""
    paths = run.training, run.test
    with contextlib.ExitStack() as stack:
        sides = {
            "seqzoo": Side("seqzoo_peer", "Sums", *paths),
            "PyTorch": Side("torch_peer", "Sums", *paths),
            "PyTorch, one thread": Side("torch_peer", "Sums", *paths, threads=1),
            "PyTorch, torch.compile": Side("torch_peer", "Sums", *paths),
            "plain Keras": Side("keras_peer", "Sums", run.training),
            "NumPy": Side("numpy_peer", "Sums", *paths),
        }
        for side in sides.values():
            stack.enter_context(side)
        parameters = {name: side.ask("parameters") for name, side in sides.items() if name != "plain Keras"}
        if len(set(parameters.values())) > 1:
            raise RuntimeError(f"The sides must have as many parameters. They have: {parameters}")
        try:
            sides["PyTorch, torch.compile"].ask("compile")
            sides["PyTorch, torch.compile"].ask("epoch")
        except Exception as error:  # Whatever its compilers raise.
            print(f"torch.compile does not run here: {error!r:.200}", file=sys.stderr)
            del sides["PyTorch, torch.compile"]
        tasks = {name: (side, "epoch") for name, side in sides.items()}
        costs = in_turn(run.rounds, **tasks, batches=(sides["seqzoo"], "preprocess"))

    ours, batches = costs.pop("seqzoo"), costs.pop("batches")
    for name, cost in costs.items():
        target = 0.85 if name.startswith("PyTorch") else None
        yield Row("training epoch, CPU time", ours, f"{name}: {cost}", ours.cpu / cost.cpu, target)
    library, rate = max(run.rates.items(), key=lambda each: each[1])
    trained = run.rows // _BATCH_SIZE * _BATCH_SIZE
    limit = operations(trained, _SOURCE_LENGTH, _TARGET_LENGTH, 16, 128, 13) / (rate * 1e9)
    peer = f"the operations at {rate:.0f} GFLOP/s ({library}): {_in_unit(limit)}"
    yield Row("training epoch, CPU time", ours, peer, ours.cpu / limit, 0.85)
    peer = f"what training consumes: {ours.rate(trained)}"
    yield Row("strings to batches", batches.rate(trained), peer, ours.wall / batches.wall, 10, least=True)


def answers(run):
    """`generate`, exports, and all sums of two numbers below 1,000."""
    numbers = {1: 1000, 256: 40, 1024: 20, 5000: 5}
    with contextlib.ExitStack() as stack:
        sides = ("seqzoo_peer", "Exports"), ("serving_peer", "Exports"), ("torch_peer", "Answers")
        seqzoo, served, torch = (stack.enter_context(Side(*side, run.training, run.test)) for side in sides)
        for size, number in numbers.items():
            tasks = {"torch": (torch, "generate", size, number), "seqzoo": (seqzoo, "generate", size, number)}
            if size in (1, 1024):
                tasks["serve"] = (served, "serve", size, number)
            costs = in_turn(2 * run.rounds, **tasks)
            ours, theirs, amount = costs["seqzoo"], costs["torch"], size * number
            target = 3 if size == 1 else 1
            peer = f"PyTorch, tokens to tokens: {theirs.rate(amount)}"
            yield Row(f"`generate`, {size:,}", ours.rate(amount), peer, theirs.wall / ours.wall, target, least=True)
            if size in (1, 1024):
                request, asked = (costs[name] / number for name in ("serve", "seqzoo"))
                what = f"SavedModel, a request of {size:,}"
                yield Row(what, request, f"`generate`: {asked}", request.wall / asked.wall, 1.3)
        number = 2000
        for name, target in (("float32", 50), ("int8", 25)):
            costs = in_turn(
                2 * run.rounds, invoke=(seqzoo, "invoke", name, number), call=(seqzoo, "call", name, number)
            )
            invoke, call = costs["invoke"] / number, costs["call"] / number
            peer = f"called from Python by its signature: {call}"
            yield Row(f"LiteRT {name}, one sum, one thread", invoke, peer, invoke.wall * 1e6, target, unit="µs")
        cost = Cost(*seqzoo.time("million"))
        yield Row("all 1,000,000 sums of 0 to 999", cost, "–", cost.wall, 15, unit="s")


def texts(run):
    """The language model."""
    paths = run.text, _TEXT_STEPS
    with Side("seqzoo_peer", "Text", *paths) as seqzoo, Side("torch_peer", "Text", *paths) as torch:

        def row(what, amount, *task):
            costs = in_turn(run.rounds, torch=(torch, *task), seqzoo=(seqzoo, *task))
            ours, theirs = costs["seqzoo"], costs["torch"]
            peer = f"PyTorch: {theirs.rate(amount)}"
            return Row(what, ours.rate(amount), peer, theirs.wall / ours.wall, 1, least=True)

        yield row("language model, characters in training", _TEXT_CHARACTERS, "train_steps")
        seqzoo.ask("never_end")
        yield row("language model, characters written, 1 prompt", 1000, "write", 1, 1000)
        yield row("language model, characters written, 64 prompts", 64 * 200, "write", 64, 200)


def starts(run):
    """The command line, and the import."""
    helps = Cost.median([_child(["-m", "seqzoo", "--help"]) for _ in range(7)])
    yield Row("`seqzoo --help`", helps, "–", helps.wall, 0.5, unit="s")
    code = "import tensorflow, time; start = time.perf_counter(), time.process_time(); import seqzoo.models; "
    code += "print(time.perf_counter() - start[0], time.process_time() - start[1])"
    command = [sys.executable, "-c", code]
    imports = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(5)]
    cost = Cost.median([tuple(map(float, each)) for each in imports])
    yield Row("`import seqzoo.models` after `import tensorflow`", cost, "–", cost.wall, 0.5, unit="s")


def _child(arguments):
    """`(wall, CPU)` seconds of a Python process."""

    def now():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime

    before = now()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return tuple(after - start for after, start in zip(now(), before, strict=True))


# === Growth ===

_GROWTH_STEPS = 100
_GROWTH = {
    "rows": [10_000, 100_000, 1_000_000],
    "hidden units": [64, 128, 256, 512],
    "characters of a source": [7, 15, 31, 59],
}


def growth(run):
    """What an epoch costs against rows, units and lengths: draws the figure, returns the exponents."""
    everything = [(a, b) for a in range(1000) for b in range(1000)]
    random.Random(0).shuffle(everything)
    curves = {axis: {} for axis in _GROWTH}
    for rows in _GROWTH["rows"]:
        curves["rows"][rows] = _epoch_cost(run, everything[:rows], rounds=1 if rows > 100_000 else 3)
    for units in _GROWTH["hidden units"]:
        curves["hidden units"][units] = _epoch_cost(run, everything[:_ROWS], _GROWTH_STEPS, hidden_dim=units)
    for length in _GROWTH["characters of a source"]:
        numbers, most = random.Random(0), 10 ** (length // 2)
        sums = [(numbers.randrange(most), numbers.randrange(most)) for _ in range(_ROWS)]
        curves["characters of a source"][length] = _epoch_cost(run, sums, _GROWTH_STEPS)
    if run.page:
        draw(curves, run.page.with_suffix(".png"))
    for axis, curve in curves.items():
        target = None if axis == "hidden units" else 1.1
        figures = ", ".join(f"{at:,}: {_in_unit(cost)}" for at, cost in curve.items())
        yield Row(f"growth: an epoch's CPU time against {axis}", figures, "exponent, fitted", exponent(curve), target)


def _epoch_cost(run, sums, steps=None, rounds=3, **options):
    """CPU seconds of an epoch on these sums; those of so many batches, scaled to all, with `steps`."""
    path = run.folder / "growth.tsv"
    path.write_text("".join(f"{a}+{b}\t{a + b}\n" for a, b in sums), encoding="utf-8")
    with Side("seqzoo_peer", "Sums", path, run.test, **options) as side:
        side.ask("epoch", _GROWTH_STEPS // 2)  # Compiles.
        cost = statistics.median(side.time("epoch", steps)[1] for _ in range(rounds))
    return cost * (len(sums) // _BATCH_SIZE / steps if steps else 1)


def exponent(curve):
    """The power of x that y grows with: the slope of the line that fits their logarithms best."""
    x, y = (list(map(math.log, each)) for each in (curve.keys(), curve.values()))
    return statistics.linear_regression(x, y).slope


def draw(curves, path):
    """Writes the curves, each with a line of slope 1, as a PNG."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (axis, curve) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        first = next(iter(curve))
        axes.loglog(curve.keys(), curve.values(), "o-", label=f"seqzoo: exponent {exponent(curve):.2f}")
        axes.loglog(curve.keys(), [curve[first] * at / first for at in curve], ":", label="linear")
        axes.set_xticks(list(curve), [f"{at:,}" for at in curve])
        axes.minorticks_off()
        axes.set(xlabel=axis, ylabel="CPU seconds an epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


# === Command line ===

SECTIONS = (goal, training, answers, texts, starts, growth)


def write_data(run, data, validation_data, text):
    """Puts what all sides read into files, as far as the user gave none."""
    from seqzoo import pipelines

    run.training, run.test, run.text = data, validation_data, text
    if data is None:
        run.training, run.test = run.folder / "training.tsv", run.folder / "test.tsv"
        for path, pairs in zip((run.training, run.test), pipelines.load_addition(3, ["train", "test"]), strict=True):
            path.write_bytes(b"".join(b"%s\t%s\n" % pair for pair in pairs.as_numpy_iterator()))
    if text is None:
        run.text = run.folder / "text.txt"
        run.text.write_bytes(b"".join(pipelines.load_python_topics().as_numpy_iterator()))
    run.rows = run.training.read_bytes().count(b"\n")


def main():
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=pathlib.Path, help="sums of three digits to train on (default: addition/digits_3)"
    )
    parser.add_argument("--validation-data", type=pathlib.Path, help="sums to test on; with --data")
    parser.add_argument("--text", type=pathlib.Path, help="for the language model (default: the Python documentation)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[each.__name__ for each in SECTIONS], help="parts of the table")
    parser.add_argument("--page", type=pathlib.Path, help="the page whose table is replaced")
    options = parser.parse_args()
    if (options.data is None) != (options.validation_data is None):
        parser.error("--data and --validation-data belong together")
    if options.only and options.page:
        parser.error("a page gets the whole table: leave --only out")
    page = options.page and options.page.read_text(encoding="utf-8")
    if page:
        replace_table(page, "")  # Better now than in a quarter of an hour.

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = argparse.Namespace(folder=pathlib.Path(folder), rounds=options.rounds, page=options.page)
        write_data(run, options.data, options.validation_data, options.text)
        run.rates = matrix_rates()
        for section in SECTIONS:
            if not options.only or section.__name__ in options.only:
                start = time.monotonic()
                for row in section(run):
                    rows.append(row)
                    print(" | ".join(row.cells()), file=sys.stderr, flush=True)
                print(f"{section.__name__}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in run.rates.items())
    text = f"{machine()} Float32 matrix products on one core, GFLOP/s: {rates}.\n\n{markdown(rows)}"
    print(text)
    if page:
        options.page.write_text(replace_table(page, text), encoding="utf-8")


if __name__ == "__main__":
    main()
