"""How rates are measured; what a section found, as a Markdown table, and the place of that table in a page."""

import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import re
import statistics
import time

_PACKAGES = ("seqzoo", "tensorflow", "keras", "torch", "numpy", "ai-edge-litert")

_ROUNDS = 7


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
        return f"{in_unit(self.wall)} · {in_unit(self.cpu)}"

    def rate(self, amount):
        """As text: how much of an amount a second."""
        return f"{amount / self.wall:,.0f}/s · {amount / self.cpu:,.0f}/s"


def in_unit(seconds):
    """Seconds as text, three digits in the unit that fits."""
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


def section_text(found):
    """What a section found, rows and paragraphs in between, as Markdown: the machine, the table, the paragraphs."""
    rows, notes = [each for each in found if isinstance(each, Row)], [each for each in found if isinstance(each, str)]
    return "\n\n".join([machine(), markdown(rows), *notes])


def replace_table(page, name, text):
    """The page's text with `text` between a section's two markers.

    Raises:
        ValueError: where the page has no such place, or two.
    """
    begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
    parts = page.split(begin)
    if len(parts) != 2 or end not in parts[1]:
        raise ValueError(f"The page needs the lines {begin.strip()} and, after it, {end}, once")
    return f"{parts[0]}{begin}{text}\n{parts[1][parts[1].index(end) :]}"


def rate(work, amount):
    """Runs `work` several times; returns (amount per second of wall time, per second of CPU time), medians."""
    work()
    wall, cpu = [], []
    for _ in range(_ROUNDS):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return amount / statistics.median(wall), amount / statistics.median(cpu)


def machine():
    """The processor and the versions of what is installed, as a line."""
    facts, path = {}, pathlib.Path("/proc/cpuinfo")
    if path.exists():
        facts = dict(re.findall(r"^(.*?)\s*: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    processor = facts.get("model name") or platform.processor() or platform.machine()
    avx512 = "with" if "avx512f" in facts.get("flags", "").split() else "without"
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {installed[name]}" for name in _PACKAGES if name in installed)
    return f"{processor}, {cores()} cores, {avx512} AVX-512; Python {platform.python_version()}, {versions}."


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
