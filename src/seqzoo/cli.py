"""The command line: parses, calls, prints. Results go to standard output, progress to standard error."""

import argparse
import contextlib
import dataclasses
import itertools
import json
import logging
import os
import pathlib
import sys

_DEMO_EPOCHS = 12
_RECIPE_FIELDS = (
    "epochs", "batch_size", "hidden_dim", "embedding_dim", "cell", "reverse", "learning_rate", "window", "lines",
)  # fmt: skip
_DEMO_SUMS = ["57+5", "628+521", "1+1", "999+999", "0+0", "10+990"]


def main(arguments=None):
    """Runs one command; returns the exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        options.run(options)
    except BrokenPipeError:
        # The reader of our output has gone; nothing is left to say, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not _is_mendable(error):
            raise
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("interrupted", *interrupt.args, sep=": ", file=sys.stderr)
        return 130
    return 0


def _demo(options):
    from seqzoo.export import saved_model
    from seqzoo.export.saved_model import ask_in_fresh_process
    from seqzoo.models import PRESETS
    from seqzoo.models.training import train

    preset = dataclasses.replace(PRESETS["addition_peeky_reverse"], epochs=options.epochs)
    output = options.output or _free_folder("seqzoo-demo")
    print(f"Training {preset.name} for {preset.epochs} epochs on 45,000 sums …", file=sys.stderr)
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


def _presets(options):
    from seqzoo.models import PRESETS

    rows = [_preset_row(preset) for preset in PRESETS.values()]
    if options.json:
        print(json.dumps({"presets": rows}))
        return
    columns = ("name", "parameters", "kib", "data", "exact_match", "nats_per_token", "cpu_minutes", "epochs")
    table = [columns, *[["–" if row.get(key) is None else str(row[key]) for key in columns] for row in rows]]
    _print_table(table)


def _print_table(table):
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _preset_row(preset):
    row = dataclasses.asdict(preset)
    row["command"] = preset.command
    row["data"] = preset.data_name or "--data"
    row["parameters"] = preset.count_params()
    row["kib"] = row["parameters"] and round(4 * row["parameters"] / 1024)  # of float32 weights
    return row


def _train(options):
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


def _tune(options):
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


def _evaluate(options):
    from seqzoo.models import LanguageModel, evaluate, load

    model = load(options.model)
    data = _text(options, model) if isinstance(model, LanguageModel) else _pairs(options, model)
    metrics = evaluate(model, data)
    if options.json:
        print(json.dumps(metrics, ensure_ascii=False))
    else:
        _print_metrics(metrics)


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


def _generate(options):
    from seqzoo.models import LanguageModel, load

    model = load(options.model)
    if isinstance(model, LanguageModel):
        raise ValueError(f"{options.model} is a language model, which answers nothing: use seqzoo sample")
    sources = options.source or (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    interactive = not options.source and sys.stdin.isatty()
    answers = map(model.generate, sources) if interactive else model.generate_each(sources)
    for answer in answers:
        print(answer, flush=interactive)


def _sample(options):
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


def _export(options):
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


def _figure(options):
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
    for example in metrics["examples"]:
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


def _is_mendable(error):
    # TensorFlow's own error is known by its name: the command line imports no TensorFlow.
    return isinstance(error, ValueError | OSError | MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _one_line(error):
    text = str(error)
    if not isinstance(error, ValueError | OSError) and "No space left" not in text:
        text = "There is not enough memory for this model or batch: make it smaller"
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(prog="seqzoo", description="Small character-level sequence models: train, ask and ship them.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    demo = command("demo", _demo, "learn to add: data, training, accuracy, plot, export, answers; under two minutes")
    demo.add_argument("--output", metavar="DIR", help="a new or empty folder (default: seqzoo-demo, or the next free)")
    demo.add_argument("--epochs", type=_positive, default=_DEMO_EPOCHS, metavar="N")

    presets = command("presets", _presets, "list the zoo")
    presets.add_argument("--json", action="store_true", help="print one JSON object")

    train = command("train", _train, "train a preset's recipe on its own data, or on yours")
    train.add_argument("preset", metavar="PRESET")
    _add_run_options(train)
    train.add_argument("--batch-size", type=_positive, metavar="N")
    train.add_argument("--hidden-dim", type=_positive, metavar="N")
    train.add_argument("--embedding-dim", type=_positive, metavar="N")
    train.add_argument("--cell", choices=["lstm", "gru", "simple_rnn"])
    train.add_argument("--reverse", action=argparse.BooleanOptionalAction, help="turn sources around")
    train.add_argument("--window", type=_positive, metavar="N", help="tokens that a language model learns from at once")
    train.add_argument("--lines", action=argparse.BooleanOptionalAction, help="each line is a text that ends")
    train.add_argument("--learning-rate", type=_positive_float, metavar="X")
    train.add_argument("--config", metavar="FILE", help="what a search found: its best.json, for the same preset")
    train.add_argument(
        "--resume", action="store_true", help="go on with the run in --output; all other arguments as they were"
    )
    train.add_argument(
        "--devices", type=_positive, default=1, metavar="N", help="divide each batch over N GPUs, or parts of the CPU"
    )
    train.add_argument(
        "--distributed",
        action="store_true",
        help="train one model with other machines, as TF_CONFIG says (docs/faults.md)",
    )
    train.add_argument("--json", action="store_true", help="print the metrics as one JSON object")

    tune = command("tune", _tune, "search a preset's hidden sizes and recipe with KerasTuner")
    tune.add_argument("preset", metavar="PRESET")
    _add_run_options(tune)
    tune.add_argument("--tuner", choices=["random", "grid", "bayesian", "hyperband"], default="random")
    tune.add_argument(
        "--max-trials", type=_positive, metavar="N", help="(default: 10; of grid and hyperband all there are)"
    )
    tune.add_argument(
        "--space",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=V,V,…",
        help="the values to choose from (README)",
    )
    tune.add_argument("--fix", type=_setting, action="append", default=[], metavar="NAME=V", help="the only value")
    tune.add_argument("--workers", type=_positive, default=1, metavar="N", help="trials run side by side")
    tune.add_argument(
        "--resume", action="store_true", help="go on with the search in --output; all other arguments as they were"
    )
    tune.add_argument("--export", action="store_true", help="also write DIR/saved_model, the best model's SavedModel")
    tune.add_argument("--json", action="store_true", help="print one JSON object")

    evaluate = command("evaluate", _evaluate, "score a model on pairs, or a language model on a text")
    evaluate.add_argument("model", metavar="MODEL", help="a .keras file")
    evaluate.add_argument("--data", metavar="FILE", help="source<TAB>target lines, or a text (default: the test sums)")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")

    generate = command("generate", _generate, "answer sources, one answer a line")
    generate.add_argument("model", metavar="MODEL", help="a .keras file")
    generate.add_argument("source", metavar="SOURCE", nargs="*", help="without any, lines are read from standard input")

    sample = command("sample", _sample, "let a language model write on")
    sample.add_argument("model", metavar="MODEL", help="a .keras file")
    sample.add_argument("--prompt", default="", metavar="P", help="how the text starts (default: a new one)")
    sample.add_argument("--length", type=_natural, default=500, metavar="N", help="the most tokens to write")
    sample.add_argument("--greedy", action="store_true", help="always the most probable token")
    sample.add_argument("--temperature", type=float, metavar="T", help="below 1 more probable text, above 1 less")
    sample.add_argument("--top-k", type=int, metavar="K", help="draw among the K most probable tokens")
    sample.add_argument("--top-p", type=float, metavar="P", help="draw among the tokens that make up P of 1")
    sample.add_argument("--seed", type=_seed, default=0, metavar="S")
    sample.add_argument("--stop", metavar="TEXT", help="end after this text")
    sample.add_argument("--skip", default="", metavar="CHARS", help="characters (or words) never to write")

    export = command("export", _export, "write a model as a SavedModel (TensorFlow Serving) or a LiteRT file")
    export.add_argument("model", metavar="MODEL", help="a .keras file")
    export.add_argument("--format", choices=["saved_model", "litert"], required=True)
    export.add_argument(
        "--output", metavar="PATH", required=True, help="a folder that gets the next version, or X.tflite"
    )
    export.add_argument("--quantize", choices=["float16", "dynamic_int8"], help="how a LiteRT file keeps its weights")
    export.add_argument(
        "--data", metavar="FILE", help="what to compare the export on (default: the test sums, or drawn)"
    )
    export.add_argument("--json", action="store_true", help="print one JSON object")

    figure = command("figure", _figure, "draw the chapter's accuracy curves")
    figure.add_argument("--recipe", choices=["book", "zoo"], default="book")
    _add_run_options(figure)
    return parser


def _add_run_options(parser):
    parser.add_argument(
        "--output", metavar="DIR", required=True, help="a folder for the results, new or empty (or to resume)"
    )
    parser.add_argument("--data", metavar="FILE", help="source<TAB>target lines, or a text; UTF-8")
    parser.add_argument("--validation-data", metavar="FILE", help="likewise (default: a tenth of --data is held out)")
    parser.add_argument("--epochs", type=_positive, metavar="N")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N")


def _setting(text):
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name.strip().replace("-", "_"), value


def _positive(text):
    return _whole_number(text, 1, 2**31 - 1)


def _natural(text):
    return _whole_number(text, 0, 2**31 - 1)


def _seed(text):
    return _whole_number(text, 0, 2**32 - 1)


def _whole_number(text, lowest, highest):
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"must be a whole number from {lowest} to {highest}, not {text!r}")
    return int(text)


def _positive_float(text):
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number
