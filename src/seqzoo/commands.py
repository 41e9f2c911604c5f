"""What each command does that trains or lists: calls, and prints. Progress goes to standard error."""

import contextlib
import dataclasses
import itertools
import json
import logging
import pathlib
import sys

from seqzoo.reports import cell, print_export, print_inspection, print_json, print_metrics, print_table

_RECIPE_FIELDS = (
    "epochs", "batch_size", "hidden_dim", "embedding_dim", "num_layers", "cell", "dropout", "label_smoothing",
    "bidirectional", "reverse", "source_split", "target_split", "lower_case", "normal_form", "unknown", "separator",
    "reverse_target", "max_tokens", "copy_unknown",
    "learning_rate", "window", "lines", "shards",
)  # fmt: skip
_PRESET_COLUMNS = (
    "name", "parameters", "kib", "data", "exact_match", "errors", "nats_per_token", "cpu_minutes",
)  # fmt: skip
_RECIPE_COLUMNS = ("name", "model", "data", "cell", "hidden_dim", "num_layers", "parameters", "epochs")
_RUN_ARGUMENTS = (
    "data", "validation_data", "seed", "resume", "devices", "distributed", "tuner", "max_trials", "workers",
)  # fmt: skip
_DEMO_SUMS = ["57+5", "628+521", "1+1", "999+999", "0+0", "10+990"]


def demo(options):
    """Trains a model to add, exports it, and prints answers of the export."""
    from seqzoo.export import saved_model
    from seqzoo.export.clients import ask_in_fresh_process
    from seqzoo.pipelines import AdditionData
    from seqzoo.training import RECIPES, train

    recipe = dataclasses.replace(
        RECIPES["pairs_peeky_reverse"], name="demo", dataset=AdditionData(3), epochs=options.epochs
    )
    output = options.output or _free_folder("seqzoo-demo")
    print(f"Training a model for {recipe.epochs} epochs on 45,000 sums …", file=sys.stderr)
    with _running(options) as arguments:
        model, metrics = train(recipe, output, **arguments)
    print_metrics(metrics)
    print(f"curve         {output}/history.png")
    print(f"model         {output}/model.keras")
    report = saved_model(model, pathlib.Path(output, "saved_model"))
    print_export(report)
    print("Answers of the exported model, in a process of its own that knows neither seqzoo nor Keras:")
    for source, answer in zip(_DEMO_SUMS, ask_in_fresh_process(report["path"], _DEMO_SUMS), strict=True):
        print(f"  {source} = {answer}")


def presets(options):
    """Lists the presets: models that ship trained."""
    from seqzoo.models import card, presets

    _print_rows("presets", [_preset_row(card(name)) for name in presets()], _PRESET_COLUMNS, options)


def recipes(options):
    """Lists the recipes: how models are trained."""
    from seqzoo.training import RECIPES

    _print_rows("recipes", [_recipe_row(recipe) for recipe in RECIPES.values()], _RECIPE_COLUMNS, options)


def _print_rows(name, rows, columns, options):
    if not print_json(options, {name: rows}):
        print_table([columns, *([cell(row[column]) for column in columns] for row in rows)])


def _preset_row(card):
    held_out, sums = card["held_out"], card.get("sums", {})
    return {
        "name": card["preset"],
        "model": card["model"],
        "parameters": card["parameters"],
        "kib": round(card["bytes"]["model.keras"] / 1024),
        "data": card["data"]["name"],
        "exact_match": held_out.get("exact_match"),
        "errors": sums["errors"] if sums.get("all") else None,
        "nats_per_token": held_out.get("nats_per_token"),
        "cpu_minutes": card["cpu_minutes"],
        "command": card["command"],
    }


def _recipe_row(recipe):
    return {
        "model": recipe.model,
        **dataclasses.asdict(recipe),
        "data": recipe.data_name or "--data FILE",
        "parameters": recipe.count_params(),
        "command": recipe.command,
    }


def inspect(options):
    """Shows what a file of pairs, or a text, holds."""
    from seqzoo.pipelines import inspect_pairs, inspect_text

    names = "source_split", "target_split", "lower_case", "normal_form", "separator"
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.text:
        for name in ("target_split", "separator"):
            if name in given:
                raise ValueError(f"--{name.replace('_', '-')} is for pairs: leave it out, or --text")
        given = {name.removeprefix("source_"): value for name, value in given.items()}
    found = inspect_text(options.file, **given) if options.text else inspect_pairs(options.file, **given)
    if not print_json(options, found):
        print_inspection(found)


def train(options):
    """Trains a recipe."""
    from seqzoo.training import recipe, train
    from seqzoo.training.recipes.catalogue import recipe_found_by_search

    name = options.recipe
    chosen = recipe_found_by_search(options.config, name) if options.config else recipe(name)
    with _running(options, chosen) as arguments:
        _, metrics = train(_with_options(chosen, options), options.output, **arguments)
    # Workers other than the chief have no metrics.
    if metrics is not None and not print_json(options, metrics):
        print_metrics(metrics)
        print(f"written to    {options.output}")


def _with_options(recipe, options):
    """The recipe with what the command line says."""
    given = {field: getattr(options, field, None) for field in _RECIPE_FIELDS}
    given = {field: value for field, value in given.items() if value is not None}
    for field in given:
        if not hasattr(recipe, field):
            raise ValueError(f"The recipe {recipe.name} has no --{field.replace('_', '-')}: leave it out")
    if "epochs" in given and hasattr(recipe, "min_steps"):
        given["min_steps"] = 0
    return dataclasses.replace(recipe, **given)


def build(options):
    """Makes a preset by a recipe: trains, exports, measures, writes the model card."""
    from seqzoo import export
    from seqzoo.training import recipe

    chosen = _with_options(recipe(options.recipe), options)
    with _running(options, chosen) as arguments:
        card = export.build(chosen, options.output, **arguments)
    if print_json(options, card):
        return
    print_metrics(card["held_out"])
    if sums := card.get("sums"):
        print(f"errors        {sums['errors']:,} of {sums['rows']:,}")
    print(f"card          {options.output}/card.md")


def tune(options):
    """Searches a recipe's hyperparameters."""
    from seqzoo import export
    from seqzoo.models import load
    from seqzoo.training import recipe
    from seqzoo.tuning import search
    from seqzoo.tuning.results import table
    from seqzoo.tuning.search import hypermodel_class
    from seqzoo.tuning.workers import is_worker

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # It warns that each trial is traced anew.
    chosen = _with_options(recipe(options.recipe), options)
    model = hypermodel_class(chosen)
    space = {
        name: [model.parsed(name, text) for text in texts.split(",")]
        for name, texts in _by_name("--space", options.space)
    }
    fixed = {name: model.parsed(name, text) for name, text in _by_name("--fix", options.fix)}
    with _running(options, chosen) as arguments:
        tuner = search(chosen, options.output, space=space, fixed=fixed, **arguments)
    if is_worker():
        return
    rows = table(tuner)
    found = json.loads(pathlib.Path(options.output, "best.json").read_text("utf-8"))
    if not print_json(options, {"best": found, "trials": rows}):
        hidden = {"error", *(name for name, values in tuner.hypermodel.space.items() if len(values) == 1)}
        columns = [name for name in rows[0] if name not in hidden]
        print_table([columns, *([cell(row[name]) for name in columns] for row in rows)])
        objective = tuner.oracle.objective.name
        print(f"best          trial {found['trial']}: {objective} {found[objective]:.4f}")
        print(f"written to    {options.output}")
    if options.export:
        report = export.saved_model(load(f"{options.output}/model.keras"), f"{options.output}/saved_model")
        if not options.json:
            print_export(report)


def _by_name(option, settings):
    names = [name for name, _ in settings]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{option} names {name} more than once: give all of it at once")
    return settings


def page(options):
    """Writes a page that runs models in the browser, and serves it with `--serve`."""
    from seqzoo import export
    from seqzoo.export.page import server

    if options.port and not options.serve:
        raise ValueError("--port is where --serve serves: leave it out, or give --serve")
    with server(options.output, options.port) if options.serve else contextlib.nullcontext() as serving:
        names = export.page(options.output, options.model, options.runtime)
        print(f"written to    {options.output}: {', '.join(names)}")
        if serving:
            print(f"serving       http://127.0.0.1:{serving.server_port}/ (Ctrl-C ends it)", flush=True)
            serving.serve_forever()


def figure(options):
    """Draws the chapter's curves."""
    from seqzoo.training.chapter_curves import figure

    with _running(options) as arguments:
        separator = {} if options.separator is None else {"separator": options.separator}
        curves = figure(options.output, options.recipe, epochs=options.epochs, **separator, **arguments)
    for variant, values in curves.items():
        print(f"{variant:16s} {values[-1]:7.2%} after {len(values)} epochs")
    print(f"written to {options.output}")


@contextlib.contextmanager
def _running(options, recipe=None):
    """Sends Keras' progress to standard error, caches what is compiled; yields the arguments that runs share.

    Before that, it prepares the recipe's own data set from files that the user has. `verbose` is a bar on a terminal,
    else a line an epoch.
    """
    from seqzoo.compilation_cache import use_compilation_cache

    arguments = {name: getattr(options, name) for name in _RUN_ARGUMENTS if hasattr(options, name)}
    if options.xla and options.compilation_cache:
        use_compilation_cache()
    arguments["compile_options"] = None if options.xla else {"jit_compile": False}
    with contextlib.redirect_stdout(sys.stderr):
        if recipe and options.manual_dir:
            recipe.prepare(options.manual_dir)
        yield {**arguments, "verbose": 1 if sys.stderr.isatty() else 2}


def _free_folder(name):
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(path for path in itertools.chain([name], numbered) if not pathlib.Path(path).exists())
