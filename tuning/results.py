"""What a search found: its table, its plot, the best recipe and the best model."""

import dataclasses
import pathlib

import matplotlib.figure
import matplotlib.ticker

from seqzoo.io.files import replacing, write_json, write_table

RESULTS = ("trials.csv", "trials.png", "model.keras", "best.json")
"""What a search writes when it ends."""


def write_results(tuner, folder):
    """Writes the `RESULTS` of a search, each whole or not at all.

    Where no trial was completed it writes only `trials.csv` and raises a `ValueError`.
    """
    folder = pathlib.Path(folder)
    rows = table(tuner)
    write_table(folder / "trials.csv", rows)
    if all(row["status"] == "failed" for row in rows):
        raise ValueError(f"None of the {len(rows)} trials was completed; the first one failed: {rows[0]['error']}")
    best = tuner.oracle.get_best_trials(1)[0]
    _draw_trials(folder / "trials.png", rows, best.trial_id, tuner)
    with replacing(folder / "model.keras") as path:
        tuner.load_model(best).save(path)
    write_json(folder / "best.json", _summary(tuner, best))


def table(tuner):
    """The rows of `trials.csv`, in the order of the trials.

    Each has `trial`, `status` (`completed`, `pruned`, `failed`), the objective's value by its name,
    `best_epoch`, `epochs`, `parameters`, `cpu_seconds`, every hyperparameter, and `error`.
    """
    facts, objective = tuner.facts(), tuner.oracle.objective.name
    trials = [tuner.oracle.trials[trial_id] for trial_id in sorted(tuner.oracle.end_order)]
    names = list(dict.fromkeys(name for trial in trials for name in trial.hyperparameters.values))
    return [
        {
            "trial": trial.trial_id,
            "status": _status(trial, facts[trial.trial_id]),
            objective: trial.score,
            "best_epoch": None if trial.score is None else trial.best_step + 1,
            "epochs": len(facts[trial.trial_id]["curve"]),
            "parameters": facts[trial.trial_id]["parameters"],
            "cpu_seconds": round(facts[trial.trial_id]["cpu_seconds"], 1),
            **{name: trial.hyperparameters.values.get(name) for name in names},
            "error": facts[trial.trial_id]["error"],
        }
        for trial in trials
    ]


def _draw_trials(path, rows, best, tuner):
    """Plots each trial's score against its hidden size and against its parameters as a PNG, the best one marked."""
    objective = tuner.oracle.objective.name
    percent = objective.endswith("exact_match")
    scale = 100 if percent else 1
    scored = [row for row in rows if row["status"] != "failed"]
    figure = matplotlib.figure.Figure(figsize=(9, 4.2), layout="constrained")
    for axes, name, label in zip(
        figure.subplots(1, 2, sharey=True),
        ("hidden_dim", "parameters"),
        ("hidden size (units)", "parameters"),
        strict=True,
    ):
        for status, marker in (("completed", "o"), ("pruned", "x")):
            points = [(row[name], scale * row[objective]) for row in scored if row["status"] == status]
            if points:
                x, y = zip(*points, strict=True)
                axes.scatter(x, y, marker=marker, label=status, alpha=0.7)
        (winner,) = (row for row in scored if row["trial"] == best)
        point = [winner[name]], [scale * winner[objective]]
        axes.scatter(*point, s=160, facecolors="none", edgecolors="black", label=f"best: trial {best}")
        axes.set_xscale("log", base=2 if name == "hidden_dim" else 10)
        axes.set(xlabel=label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    sizes = sorted({row["hidden_dim"] for row in scored})
    figure.axes[0].set_xticks(sizes, [str(size) for size in sizes], minor=False)
    parameters = figure.axes[1].xaxis
    parameters.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    parameters.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    parameters.set_minor_locator(matplotlib.ticker.NullLocator())
    figure.axes[0].set_ylabel(tuner.hypermodel.base_recipe.metric_label + (" (%)" if percent else ""))
    figure.axes[0].legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata={"Software": None})


def _status(trial, facts):
    if trial.status != "COMPLETED":
        return "failed"
    return "pruned" if facts["pruned"] else "completed"


def _summary(tuner, best):
    recipe = tuner.hypermodel.recipe(best.hyperparameters)
    recipe = dataclasses.replace(recipe, epochs=tuner.hypermodel.base_recipe.epochs)
    return {
        "recipe": dataclasses.asdict(recipe),
        "trial": best.trial_id,
        tuner.oracle.objective.name: best.score,
        "best_epoch": best.best_step + 1,
        "parameters": tuner.facts()[best.trial_id]["parameters"],
        "seed": tuner.hypermodel.seed,
    }
