"""What the command line and the import take."""

import resource
import statistics
import subprocess
import sys
import time

from report import Cost, Row

from sections.section import section

_PRESET, _SUM = "addition_peeky_reverse", "628+521"
_IMPORT = "import tensorflow, time; start = time.perf_counter(), time.process_time(); import seqzoo.models; "
_IMPORT += "print(time.perf_counter() - start[0], time.process_time() - start[1])"


@section(minutes=2)
def starts(run):
    """The command line, and the import."""
    helps = Cost.median([_child(["-m", "seqzoo", "--help"]) for _ in range(7)])
    yield Row("`seqzoo --help`", helps, "–", helps.wall, 0.5, unit="s")
    command = [sys.executable, "-c", _IMPORT]
    imports = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(5)]
    cost = Cost.median([tuple(map(float, each)) for each in imports])
    yield Row("`import seqzoo.models` after `import tensorflow`", cost, "–", cost.wall, 0.5, unit="s")
    # In turn; the first ones bring the files into memory.
    commands = {"generate": ["-m", "seqzoo", "generate", _PRESET, _SUM], "import": ["-c", "import tensorflow"]}
    times = {name: [] for name in commands}
    for _ in range(1 + 5):
        for name, command in commands.items():
            times[name].append(_child(command))
    ours, imported = (Cost.median(each[1:]) for each in times.values())
    more = statistics.median(a[0] - b[0] for a, b in zip(*(each[1:] for each in times.values()), strict=True))
    what = f"`seqzoo generate {_PRESET}`, start to answer, beyond `import tensorflow`"
    yield Row(what, ours, f"`import tensorflow`: {imported}", more, 1.5, unit="s")


def _child(arguments):
    """`(wall, CPU)` seconds of a Python process."""

    def now():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime

    before = now()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return tuple(after - start for after, start in zip(now(), before, strict=True))
