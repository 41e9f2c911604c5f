"""How costs grow: with rows, units, lengths, cores and the beam."""

import math
import random
import statistics
import string

from report import Row, cores, in_unit
from sides import Side

from sections.section import section
from sections.training import BATCH_SIZE

_STEPS = 100
_ROWS = 45_000
_GROWTH = {
    "rows": [10_000, 100_000, 1_000_000],
    "hidden units": [64, 128, 256, 512],
    "characters of a source": [7, 15, 31, 59],
}
_BEAMS = [1, 2, 4, 8, 16]
_SOURCE_LENGTHS = [7, 15, 30, 60]
_TARGET_LENGTH, _LENGTH_STEPS = 8, 50
_ASKED = 1024


@section(minutes=8)
def growth(run):
    """What an epoch of sums costs against rows, units and lengths, with the figure."""
    everything = [(a, b) for a in range(1000) for b in range(1000)]
    random.Random(0).shuffle(everything)
    curves = {axis: {} for axis in _GROWTH}
    for rows in _GROWTH["rows"]:
        curves["rows"][rows] = _epoch_cost(run, everything[:rows], rounds=1 if rows > 100_000 else 3)
    for units in _GROWTH["hidden units"]:
        curves["hidden units"][units] = _epoch_cost(run, everything[:_ROWS], _STEPS, hidden_dim=units)
    for length in _GROWTH["characters of a source"]:
        numbers, most = random.Random(0), 10 ** (length // 2)
        sums = [(numbers.randrange(most), numbers.randrange(most)) for _ in range(_ROWS)]
        curves["characters of a source"][length] = _epoch_cost(run, sums, _STEPS)
    for axis, curve in curves.items():
        yield _row(f"an epoch's CPU time against {axis}", curve, None if axis == "hidden units" else 1.1)
    if run.page:
        draw(curves, "CPU seconds an epoch", run.page.with_suffix(".png"))
    yield (
        "![CPU seconds of an epoch against rows, hidden units, and the characters of a source, each beside a line of "
        "slope 1](speed.png)"
    )


@section(minutes=8)
def growth_attention(run):
    """What attention costs against the number of cores, the beam and the length of sources, with the figure."""
    paths = run.pronunciations, run.words, run.asked
    by_cores, by_beam, by_length = {}, {}, {}
    counts = sorted({1 << power for power in range(cores().bit_length())} | {cores()})
    for count in counts:
        with Side("seqzoo_attention_peer", "Words", *paths, cores=count, shards=count) as side:
            by_cores[count] = _median(side, 0, "epoch")
    with Side("seqzoo_attention_peer", "Endless", *paths) as side:
        for beam_size in _BEAMS:
            by_beam[beam_size] = _median(side, 1, "generate", _ASKED, 1, beam_size)
    for length in _SOURCE_LENGTHS:
        path = write_words(run.folder / f"words_{length}.tsv", length, _LENGTH_STEPS * BATCH_SIZE)
        with Side("seqzoo_attention_peer", "Words", path, path, path) as side:
            by_length[length] = _median(side, 1, "epoch")
    yield _row(f"wall time of {run.words_rows:,} rows of {run.words_name} against cores, a shard each", by_cores)
    yield _row(f"CPU time of {_ASKED:,} answers, the longest possible, against the beam", by_beam, 1.1)
    yield _row(
        f"CPU time of {_LENGTH_STEPS * BATCH_SIZE:,} rows in training against the characters of a source",
        by_length,
        1.1,
    )
    if run.page:
        curves = {"cores": by_cores, "hypotheses in the beam": by_beam, "characters of a source": by_length}
        labels = ["wall seconds an epoch", f"CPU seconds, {_ASKED:,} answers", "CPU seconds an epoch"]
        draw(curves, labels, run.page.with_name(f"{run.page.stem}_attention.png"))
    yield (
        "![Attention: seconds of an epoch against cores, CPU seconds of answers against the beam, and CPU seconds of "
        "an epoch against the characters of a source, each beside a line of slope 1](speed_attention.png)"
    )


def write_words(path, length, rows):
    """Writes random words of so many letters with answers of a fixed length, as the peers read them."""
    draw_from, letters = random.Random(0), string.ascii_uppercase
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(rows):
            source, target = (draw_from.choices(letters, k=k) for k in (length, _TARGET_LENGTH))
            file.write(f"{''.join(source)}\t{' '.join(target)}\n")
    return path


def _median(side, which, *task, rounds=3):
    """The median wall (0) or CPU (1) seconds of a task, after once that compiles."""
    return statistics.median([side.time(*task)[which] for _ in range(1 + rounds)][1:])


def _row(what, curve, target=None):
    figures = ", ".join(f"{at:,}: {in_unit(cost)}" for at, cost in curve.items())
    return Row(f"growth: {what}", figures, "exponent, fitted", exponent(curve), target)


def _epoch_cost(run, sums, steps=None, rounds=3, **options):
    """CPU seconds of an epoch on these sums; those of so many batches, scaled to all, with `steps`."""
    path = run.folder / "growth.tsv"
    path.write_text("".join(f"{a}+{b}\t{a + b}\n" for a, b in sums), encoding="utf-8")
    with Side("seqzoo_peer", "Sums", path, run.test, **options) as side:
        side.ask("epoch", _STEPS // 2)  # Compiles.
        cost = statistics.median(side.time("epoch", steps)[1] for _ in range(rounds))
    return cost * (len(sums) // BATCH_SIZE / steps if steps else 1)


def exponent(curve):
    """The power of x that y grows with: the slope of the line that fits their logarithms best; 0 for one point."""
    if len(curve) == 1:
        return 0.0
    x, y = (list(map(math.log, each)) for each in (curve.keys(), curve.values()))
    return statistics.linear_regression(x, y).slope


def draw(curves, labels, path):
    """Writes the curves, each with a line of slope 1, or -1 where costs fall, as a PNG.

    `labels` are those of the vertical axes: a list, or one text for all.
    """
    import matplotlib.figure

    labels = [labels] * len(curves) if isinstance(labels, str) else labels
    figure = matplotlib.figure.Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (axis, curve), label in zip(figure.subplots(1, len(curves)), curves.items(), labels, strict=True):
        first, slope = next(iter(curve)), exponent(curve)
        power = 1 if slope >= 0 else -1
        axes.loglog(curve.keys(), curve.values(), "o-", label=f"seqzoo: exponent {slope:.2f}")
        axes.loglog(curve.keys(), [curve[first] * (at / first) ** power for at in curve], ":", label="linear")
        axes.set_xticks(list(curve), [f"{at:,}" for at in curve])
        axes.minorticks_off()
        axes.set(xlabel=axis, ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
