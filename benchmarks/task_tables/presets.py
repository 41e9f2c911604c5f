"""Presets by their cards, how they learnt, and what their recipes reach with other widths."""

import json

import matplotlib.figure

from seqzoo.models import card
from seqzoo.training.history import draw_curves
from task_tables.bench import table

LEARNT = ("pronounce_english", "dates", "addition_9_digits")


def made_on_the_spot(_):
    """Tasks whose data seqzoo makes: presets, by their cards."""
    rows = []
    for about in map(card, ("dates", "addition_9_digits")):
        score = about["held_out"]
        right = f"{score['exact_match']:.3%} of {score['sources']:,}"
        rows.append((f"`{about['preset']}`", right, f"{about['parameters']:,}", f"{about['cpu_minutes']:.1f}"))
    return table(("", "whole answers right", "parameters", "CPU minutes"), rows)


def learning_curves(bench):
    """The accuracy of presets after each epoch of their trainings, by their cards, as a picture."""
    curves = {about["preset"]: about["curve"] for about in map(card, LEARNT)}
    draw_curves(bench.pictures / "tasks_curves.png", curves)
    ends = ", ".join(f"{name} {curve[-1]:.1%} after {len(curve)}" for name, curve in curves.items())
    return f"![Exact match on validation data after each epoch: {ends}](tasks_curves.png)"


def widths(preset, units, bench):
    """What a preset's recipe reaches on validation data with other widths, as a table and a picture."""
    about = card(preset)
    reached = {about["recipe"]["hidden_dim"]: (about["parameters"], about["validation"]["exact_match"])}
    for width in units:
        folder = bench.train(f"{preset}/width_{width}", preset, *bench.data_options, "--hidden-dim", width)
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
        reached[width] = metrics["parameters"], metrics["exact_match"]
    reached = dict(sorted(reached.items()))
    name = f"tasks_{preset}.png"
    _draw_sizes(bench.pictures / name, reached.values())
    rows = [(str(width), f"{size:,}", f"{right:.2%}") for width, (size, right) in reached.items()]
    picture = f"![Exact match on validation data against parameters of `{preset}`, as in the table]({name})"
    return f"{table(('units', 'parameters', 'right validation answers'), rows)}\n\n{picture}"


def _draw_sizes(path, reached):
    figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    sizes, right = zip(*reached, strict=True)
    axes.semilogx(sizes, [100 * each for each in right], "o-")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="parameters", ylabel="exact match on validation data (%)")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})
