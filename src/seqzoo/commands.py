"""What each command does: calls, and prints. Results go to standard output, progress to standard error."""

import contextlib
import dataclasses
import itertools
import json
import logging
import pathlib
import sys

_RECIPE_FIELDS = (
    "epochs", "batch_size", "hidden_dim", "embedding_dim", "cell", "reverse", "learning_rate", "window", "lines",
)  # fmt: skip
_DEMO_SUMS = ["57+5", "628+521", "1+1", "999+999", "0+0", "10+990"]


def demo(options):
    """Trains a model to add, exports it and asks the export."""
    from seqzoo.export import saved_model
    from seqzoo.export.saved_model import ask_in_fresh_process
    from seqzoo.models import PRESETS
    from seqzoo.models.training import train

    preset = dataclasses.replace(PRESETS["pairs_peeky_reverse"], name="demo", digits=3, epochs=options.epochs)
    output = options.output or _free_folder("seqzoo-demo")
    print(f"Training a model for {preset.epochs} epochs on 45,000 sums …", file=sys.stderr)
    with _progress_on_stderr() as verbose:
        model, metrics = train(preset, output, verbose=verbose)
    _print_metrics(metrics)
    print(f"curve         {output}/history.png")
    print(f"model         {output}/model.keras")
    report = saved_model(model, pathlib.Path(output, "saved_model"))
    _print_export(report)
    print("Answers of the exported model, in a process of its own that knows neither seqzoo nor Keras:")
    for source, answer in zip(_DEMO_SUMS, ask_in_fresh_process(report["path"], _DEMO_SUMS), strict=True):
        print(f"  {source} = {answer}")


def presets(options):
    """Lists the zoo."""
    from seqzoo.models import PRESETS

    rows = [_preset_row(preset) for preset in PRESETS.values()]
    if options.json:
        print(json.dumps({"presets": rows}))
        return
    columns = ("name", "parameters", "kib", "data", "exact_match", "errors", "nats_per_token", "cpu_minutes")
    _print_table([columns, *([_cell(row[column]) for column in columns] for row in rows)])


def _print_table(table):
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _preset_row(preset):
    from seqzoo.models import card, ships

    made = card(preset.name) if ships(preset.name) else None
    held_out = made["held_out"] if made else {}
    return {
        **dataclasses.asdict(preset),
        "command": preset.command,
        "data": preset.data_name or "--data",
        "shipped": made is not None,
        "parameters": made["parameters"] if made else preset.count_params(),
        "kib": round(made["bytes"]["model.keras"] / 1024) if made else None,
        "exact_match": held_out.get("exact_match"),
        "errors": made["sums"]["errors"] if made and made.get("sums", {}).get("all") else None,
        "nats_per_token": held_out.get("nats_per_token"),
        "cpu_minutes": made["cpu_minutes"] if made else None,
    }


def train(options):
    """Trains a preset."""
    from seqzoo.models.presets import found_recipe, preset
    from seqzoo.models.training import train

    recipe = found_recipe(options.config, options.preset) if options.config else preset(options.preset)
    given = {field: getattr(options, field) for field in _RECIPE_FIELDS if getattr(options, field) is not None}
    for field in given:
        if not hasattr(recipe, field):
            raise ValueError(f"The preset {recipe.name} has no --{field.replace('_', '-')}: leave it out")
    recipe = dataclasses.replace(recipe, **given)
    with _progress_on_stderr() as verbose:
        _, metrics = train(
            recipe,
            options.output,
            options.data,
            options.validation_data,
            seed=options.seed,
            verbose=verbose,
            resume=options.resume,
            devices=options.devices,
            distributed=options.distributed,
        )
    if metrics is None:  # The chief has them.
        return
    if options.json:
        print(json.dumps(metrics, ensure_ascii=False))
    else:
        _print_metrics(metrics)
        print(f"written to    {options.output}")


def build(options):
    """Makes what ships of a preset: trains, exports, measures, writes its card."""
    from seqzoo import export
    from seqzoo.models import preset

    with _progress_on_stderr() as verbose:
        card = export.build(preset(options.preset), options.output, options.data, options.seed, verbose, options.resume)
    if options.json:
        print(json.dumps(card, ensure_ascii=False))
        return
    _print_metrics(card["held_out"])
    if sums := card.get("sums"):
        print(f"wrong sums    {sums['errors']:,} of {sums['rows']:,}")
    print(f"card          {options.output}/card.md")


def tune(options):
    """Searches a preset's hyperparameters."""
    from seqzoo import export
    from seqzoo.models import load, preset
    from seqzoo.tuning import search
    from seqzoo.tuning.results import table
    from seqzoo.tuning.run import hypermodel_class
    from seqzoo.tuning.workers import is_worker

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # It warns that each trial is traced anew.
    recipe = preset(options.preset)
    if options.epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=options.epochs)
    model = hypermodel_class(recipe)
    with _progress_on_stderr() as verbose:
        tuner = search(
            recipe,
            options.output,
            options.tuner,
            options.max_trials,
            options.data,
            options.validation_data,
            space={
                name: [model.parsed(name, text) for text in texts.split(",")]
                for name, texts in _by_name("--space", options.space)
            },
            fixed={name: model.parsed(name, text) for name, text in _by_name("--fix", options.fix)},
            seed=options.seed,
            workers=options.workers,
            resume=options.resume,
            verbose=verbose,
        )
    if is_worker():
        return
    rows = table(tuner)
    found = json.loads(pathlib.Path(options.output, "best.json").read_text("utf-8"))
    if options.json:
        print(json.dumps({"best": found, "trials": rows}))
    else:
        hidden = {"error", *(name for name, values in tuner.hypermodel.space.items() if len(values) == 1)}
        columns = [name for name in rows[0] if name not in hidden]
        _print_table([columns, *([_cell(row[name]) for name in columns] for row in rows)])
        objective = tuner.oracle.objective.name
        print(f"best          trial {found['trial']}: {objective} {found[objective]:.4f}")
        print(f"written to    {options.output}")
    if options.export:
        report = export.saved_model(load(f"{options.output}/model.keras"), f"{options.output}/saved_model")
        if not options.json:
            _print_export(report)


def _by_name(option, settings):
    names = [name for name, _ in settings]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{option} names {name} more than once: give all of it at once")
    return settings


def _cell(value):
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def evaluate(options):
    """Scores a model."""
    from seqzoo.models import LanguageModel, evaluate, evaluate_all_sums, load

    model = load(options.model)
    if options.exhaustive:
        if options.data:
            raise ValueError("--exhaustive asks for every sum there is: leave it out, or --data")
        if isinstance(model, LanguageModel):
            raise ValueError(f"{options.model} is a language model: leave out --exhaustive")
        figures = evaluate_all_sums(model)
        if options.json:
            print(json.dumps(figures))
        else:
            _print_sums(figures)
        return
    data = _text(options, model) if isinstance(model, LanguageModel) else _pairs(options, model)
    metrics = evaluate(model, data)
    if options.json:
        print(json.dumps(metrics, ensure_ascii=False))
    else:
        _print_metrics(metrics)


def _print_sums(figures):
    print(f"exact match   {figures['exact_match']:.4%} of {figures['rows']:,} sums")
    print(f"wrong         {figures['errors']:,}")
    for key, title in (("by_digits", "digits"), ("by_carries", "carries")):
        _print_table(
            [
                (title, "sums", "wrong"),
                *((name, f"{g['rows']:,}", f"{g['errors']:,}") for name, g in figures[key].items()),
            ]
        )
    _print_examples(figures["wrong"])


def _text(options, model):
    from seqzoo.pipelines import read_text

    if options.data is None:
        raise ValueError("A language model needs a text to be scored on: give a file, --data FILE")
    return model.preprocessor.encode(read_text(options.data), options.data)


def _pairs(options, model):
    from seqzoo.pipelines import load_test_sums, read_pairs

    pairs = read_pairs(options.data, model.preprocessor) if options.data else load_test_sums(model.preprocessor)
    if pairs is None:
        raise ValueError("This model was not trained on sums of 2 to 5 digits: give pairs to score it on, --data FILE")
    return pairs


def generate(options):
    """Answers sources."""
    from seqzoo.models import LanguageModel, load

    model = load(options.model)
    if isinstance(model, LanguageModel):
        raise ValueError(f"{options.model} is a language model, which answers nothing: use seqzoo sample")
    sources = options.source or (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    interactive = not options.source and sys.stdin.isatty()
    answers = map(model.generate, sources) if interactive else model.generate_each(sources)
    for answer in answers:
        print(answer, flush=interactive)


def sample(options):
    """Lets a language model write on."""
    from seqzoo.models import LanguageModel, load

    model = load(options.model)
    if not isinstance(model, LanguageModel):
        raise ValueError(f"{options.model} is no language model: use seqzoo generate")
    vocabulary = model.preprocessor.vocabulary
    skip = options.skip.split() if vocabulary.split == "whitespace" else options.skip
    pieces = model.stream(options.prompt, options.length, _sampler(options), options.seed, options.stop, skip)
    if unknown := model.preprocessor.unknown_tokens(options.prompt):
        tokens = ", ".join(map(repr, unknown))
        print(f"note: not in the vocabulary, read as the unknown token: {tokens}", file=sys.stderr)
    sys.stdout.write(options.prompt)
    if options.prompt and vocabulary.split == "whitespace":
        sys.stdout.write(" ")
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()


def _sampler(options):
    from seqzoo.models import Chain, Greedy, Temperature, TopK, TopP

    kinds = (Temperature, options.temperature), (TopK, options.top_k), (TopP, options.top_p)
    chosen = [sampler(value) for sampler, value in kinds if value is not None]
    if options.greedy and chosen:
        raise ValueError("--greedy draws nothing: leave out --temperature, --top-k and --top-p, or --greedy")
    return Greedy() if options.greedy else Chain(chosen)


def export(options):
    """Writes a model as a SavedModel or a LiteRT file."""
    from seqzoo import export
    from seqzoo.models import LanguageModel, load

    model = load(options.model)
    if options.data is None:
        data = None
    else:
        data = _text(options, model) if isinstance(model, LanguageModel) else _pairs(options, model)
    if options.format == "litert":
        report = export.litert(model, options.output, options.quantize, data)
    elif options.quantize:
        raise ValueError("Only a LiteRT file is quantised: leave out --quantize, or give --format litert")
    else:
        report = export.saved_model(model, options.output, data)
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print_export(report)


def _print_export(report):
    ties = f", {report['near_ties']:,} differ by rounding" if report["near_ties"] else ""
    ties += f", {report['different']:,} by the quantisation" if report["different"] else ""
    print(f"exported to   {report['path']} ({report['bytes'] / 1024:,.0f} KiB)")
    print(f"signatures    {', '.join(report['signatures'])}")
    print(f"as the model  {report['equal']:,} of {report['rows']:,}{ties}")
    if score := report["score"]:
        form = "{:.4f}" if score["metric"] == "nats_per_token" else "{:.2%}"
        name = score["metric"].replace("_", " ")
        print(f"{name:13s} {form.format(score['model'])} before, {form.format(score['export'])} after")


def page(options):
    """Writes a page that runs models in the browser, and serves it if asked to."""
    from seqzoo import export
    from seqzoo.export.page import server

    with server(options.output, options.port) if options.serve else contextlib.nullcontext() as serving:
        names = export.page(options.output, options.model, options.runtime)
        print(f"written to    {options.output}: {', '.join(names)}")
        if serving:
            print(f"serving       http://127.0.0.1:{serving.server_port}/ (Ctrl-C ends it)", flush=True)
            serving.serve_forever()


def figure(options):
    """Draws the chapter's curves."""
    from seqzoo.models.figure import figure

    with _progress_on_stderr() as verbose:
        curves = figure(
            options.output, options.recipe, options.data, options.validation_data, options.epochs, options.seed, verbose
        )
    for variant, values in curves.items():
        print(f"{variant:16s} {values[-1]:7.2%} after {len(values)} epochs")
    print(f"written to {options.output}")


def _print_metrics(metrics):
    if "exact_match" in metrics:
        print(f"exact match   {metrics['exact_match']:.2%} of {metrics['rows']:,} answers")
        print(f"characters    {metrics['character_accuracy']:.3%}")
    else:
        print(f"nats/token    {metrics['nats_per_token']:.4f} over {metrics['tokens']:,} tokens")
        print(f"bits/token    {metrics['bits_per_token']:.4f}")
        print(f"perplexity    {metrics['perplexity']:.3f}")
    if "cpu_seconds" in metrics:
        print(f"parameters    {metrics['parameters']:,}")
        print(f"CPU time      {metrics['cpu_seconds']['total']:.0f} s, wall time {metrics['wall_seconds']:.0f} s")
    _print_examples(metrics.get("examples", ()))


def _print_examples(examples):
    for example in examples:
        if isinstance(example, str):
            print(f"it writes:\n{example}")
            continue
        note = "" if example["answer"] == example["target"] else f"  (right: {example['target']})"
        print(f"  {example['source']} → {example['answer']}{note}")


@contextlib.contextmanager
def _progress_on_stderr():
    """Sends Keras' progress to standard error; gives `fit`'s `verbose`: a bar on a terminal, else a line an epoch."""
    with contextlib.redirect_stdout(sys.stderr):
        yield 1 if sys.stderr.isatty() else 2


def _free_folder(name):
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(path for path in itertools.chain([name], numbered) if not pathlib.Path(path).exists())
