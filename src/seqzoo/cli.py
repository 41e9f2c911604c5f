"""The command line: its commands and options, and how errors are reported."""

import argparse
import os
import sys

from seqzoo import commands, model_commands, startup
from seqzoo.arguments import (
    Parser,
    natural,
    not_negative,
    port,
    positive,
    positive_float,
    seed,
    separator,
    setting,
    share,
)
from seqzoo.reports import printable
from seqzoo.streams import prepare_streams, status_without_reader, warnings_as_notes

_DEMO_EPOCHS = 12


def main(arguments=None):
    """Runs one command; returns the exit status: 0, 2 for what the user can mend, 130 after Ctrl-C.

    Args:
        arguments: list of `str`; `None` for those of the process.
    """
    prepare_streams()
    if arguments is None:  # The process is ours, and shows no figure; what it inherits may be a notebook's.
        os.environ["MPLBACKEND"] = "agg"
    try:
        with warnings_as_notes():
            status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError as error:
        status = status_without_reader()
        if status is None:
            print(f"error: {_one_line(error)}", file=sys.stderr)
            status = 2
    return status


def _run(arguments):
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as exit_:  # After --help or an error, which have been printed.
        return exit_.code
    # Of each program that it reads from the cache TensorFlow writes, as an error, that the processor does not list what
    # XLA prefers to do on it. True errors reach Python as exceptions.
    reads_cache = getattr(options, "compilation_cache", False) and options.xla
    startup.set_log_level("3" if reads_cache else "2")
    try:
        return options.run(options) or 0
    except BrokenPipeError:
        raise
    except Exception as error:
        if not _is_mendable(error):
            raise
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("interrupted", *interrupt.args, sep=": ", file=sys.stderr)
        return 130


def _is_mendable(error):
    # TensorFlow's own error is known by its name: the command line imports no TensorFlow.
    return isinstance(error, ValueError | OSError | MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _one_line(error):
    text = str(error)
    if not isinstance(error, ValueError | OSError) and "No space left" not in text:
        text = "There is not enough memory for this model or batch: make it smaller"
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return printable(text)


def _parser():
    parser = Parser(prog="seqzoo", description="Small models from strings to strings: train, use and export them.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text, json=False):
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        if json:
            sub.add_argument("--json", action="store_true", help="print one JSON object")
        return sub

    demo = command("demo", commands.demo, "learn to add, export and answer, in under two minutes")
    demo.add_argument("--output", metavar="DIR", help="a new or empty folder (default: seqzoo-demo, or the next free)")
    demo.add_argument("--epochs", type=positive, default=_DEMO_EPOCHS, metavar="N")
    _add_xla(demo)

    command("presets", commands.presets, "list the presets: models that ship trained", json=True)
    command("recipes", commands.recipes, "list the recipes: how models are trained", json=True)

    inspect = command("inspect", commands.inspect, "show what a file of pairs, or a text, holds", json=True)
    inspect.add_argument("file", metavar="FILE", help="source<TAB>target lines; UTF-8")
    inspect.add_argument("--text", action="store_true", help="it is a text; --source-split is that of the text")
    _add_reading_options(inspect)
    _add_separator(inspect)

    train = command("train", commands.train, "train a recipe on its own data set, or on your data", json=True)
    train.add_argument("recipe", metavar="RECIPE")
    _add_manual_dir(train)
    _add_run_options(train)
    train.add_argument("--batch-size", type=positive, metavar="N")
    train.add_argument("--hidden-dim", type=positive, metavar="N")
    train.add_argument("--embedding-dim", type=positive, metavar="N")
    train.add_argument("--num-layers", type=positive, metavar="N")
    train.add_argument("--cell", choices=["lstm", "gru", "simple_rnn"])
    train.add_argument("--dropout", type=share, metavar="X")
    train.add_argument("--label-smoothing", type=share, metavar="X")
    both = "read sources in both directions"
    train.add_argument("--bidirectional", action=argparse.BooleanOptionalAction, help=both)
    train.add_argument("--reverse", action=argparse.BooleanOptionalAction, help="turn sources around")
    text = "write answers from their last token on"
    train.add_argument("--reverse-target", action=argparse.BooleanOptionalAction, help=text)
    _add_reading_options(train)
    _add_unknown(train)
    train.add_argument("--window", type=positive, metavar="N", help="tokens that a language model learns from at once")
    train.add_argument("--lines", action=argparse.BooleanOptionalAction, help="each line is a text that ends")
    train.add_argument("--shards", type=positive, metavar="N", help="parts of a batch computed side by side")
    train.add_argument("--learning-rate", type=positive_float, metavar="X")
    train.add_argument("--config", metavar="FILE", help="what a search found: its best.json, for the same recipe")
    _add_resume(train)
    train.add_argument(
        "--devices", type=positive, default=1, metavar="N", help="divide batches over N GPUs, or parts of the CPU"
    )
    train.add_argument("--distributed", action="store_true", help="train with other machines, as TF_CONFIG says")

    build = command("build", commands.build, "make a preset: training, exports, figures, model card", json=True)
    build.add_argument("recipe", metavar="RECIPE")
    _add_manual_dir(build)
    build.add_argument("--output", metavar="DIR", required=True, help="a folder, new or empty (or to resume)")
    build.add_argument("--data", metavar="FILE", help="source<TAB>target lines, or a text (default: the recipe's own)")
    _add_separator(build)
    build.add_argument("--seed", type=seed, default=0, metavar="N")
    _add_xla(build)
    _add_resume(build)

    tune = command("tune", commands.tune, "search a recipe's hidden sizes and training with KerasTuner", json=True)
    tune.add_argument("recipe", metavar="RECIPE")
    _add_manual_dir(tune)
    _add_run_options(tune)
    _add_reading_options(tune)
    _add_unknown(tune)
    tune.add_argument("--tuner", choices=["random", "grid", "bayesian", "hyperband"], default="random")
    tune.add_argument("--max-trials", type=positive, metavar="N", help="(default: 10; grid, hyperband: all)")
    settings = {"type": setting, "action": "append", "default": []}
    tune.add_argument("--space", metavar="NAME=V,V,…", help="the values to choose from", **settings)
    tune.add_argument("--fix", metavar="NAME=V", help="the only value", **settings)
    tune.add_argument("--workers", type=positive, default=1, metavar="N", help="trials run side by side")
    _add_resume(tune)
    tune.add_argument("--export", action="store_true", help="also write DIR/saved_model, the best model's SavedModel")

    evaluate = command("evaluate", model_commands.evaluate, "score a model on pairs, or on a text", json=True)
    _add_models(evaluate)
    evaluate.add_argument("--data", metavar="FILE", help="source<TAB>target lines, or a text (default: the test rows)")
    _add_separator(evaluate)
    evaluate.add_argument("--exhaustive", action="store_true", help="evaluate on every sum there is, up to 3 digits")
    text = "a text in blocks of N tokens, each without what stands before it (default: all of the text before a token)"
    evaluate.add_argument("--block", type=positive, metavar="N", help=text)
    _add_search_options(evaluate)

    generate = command("generate", model_commands.generate, "answer sources, one answer a line")
    generate.is_intermixed = generate.takes_text = True
    generate.epilog = (
        "A wrong source does not stop the others: its answer is an empty line (no line with --n-best), and an error "
        "line with its number goes to standard error. The exit status is 2 then. Put -- before sources that begin with "
        "-: seqzoo generate PRESET|FILE -- -5+3"
    )
    _add_models(generate)
    generate.add_argument(
        "source",
        metavar="SOURCE",
        nargs="*",
        default=[],
        help="of a model of pictures, files (default: lines of standard input)",
    )
    text = "the N best answers, a line each: source<TAB>answer<TAB>natural logarithm of its probability"
    generate.add_argument("--n-best", type=positive, metavar="N", help=text)
    text = (
        "source<TAB>target lines: a source that stands there is answered from them, any other by the model; with "
        "--n-best a second column, lexicon or model, says by which, and the lexicon's have no logarithm"
    )
    generate.add_argument("--lexicon", metavar="FILE", help=text)
    _add_separator(generate)
    generate.add_argument("--strict", action="store_true", help="stop at the first wrong source")
    _add_search_options(generate, "1, greedy search; with --n-best N, and at least 5")

    align = command("align", model_commands.align, "show which tokens of a source an answer was read from", json=True)
    align.takes_text = True
    align.epilog = (
        "Each row is a token of the answer, each column one of the source, each digit a tenth of the attention that "
        "the one pays to the other (· less than 0.05). Only models with attention align."
    )
    align.add_argument("model", metavar="PRESET|FILE", help="a preset, or a .keras file")
    align.add_argument("source", metavar="SOURCE", help="a text; of a model of pictures, a file")
    align.add_argument("--output", metavar="FILE.png", help="draw a picture instead")

    sample = command("sample", model_commands.sample, "continue a prompt with a language model")
    sample.add_argument("model", metavar="PRESET|FILE", help="a preset, or a .keras file")
    sample.add_argument("--prompt", default="", metavar="P", help="how the text starts (default: a new one)")
    sample.add_argument("--length", type=natural, default=500, metavar="N", help="the most tokens to write")
    sample.add_argument("--greedy", action="store_true", help="always the most probable token")
    sample.add_argument("--temperature", type=float, metavar="T", help="below 1 more probable text, above 1 less")
    sample.add_argument("--top-k", type=int, metavar="K", help="draw among the K most probable tokens")
    sample.add_argument("--top-p", type=float, metavar="P", help="draw among the tokens that make up P of 1")
    sample.add_argument("--seed", type=seed, default=0, metavar="S")
    sample.add_argument("--stop", metavar="TEXT", help="end after this text")
    sample.add_argument("--skip", default="", metavar="CHARS", help="characters (or words) never to write")

    export = command(
        "export", model_commands.export, "write a SavedModel (TensorFlow Serving) or a LiteRT file", json=True
    )
    _add_models(export)
    export.add_argument("--format", choices=["saved_model", "litert"], required=True)
    export.add_argument("--output", metavar="PATH", required=True, help="a folder for the next version, or X.tflite")
    export.add_argument("--quantize", choices=["float16", "dynamic_int8"], help="how a LiteRT file keeps its weights")
    export.add_argument("--data", metavar="FILE", help="data to compare on (default: test rows, or random)")
    _add_separator(export)
    _add_search_options(export)

    page = command("page", commands.page, "write a web page that runs models in the browser")
    page.add_argument("model", metavar="PRESET|FILE", nargs="*", help="presets or .keras files (default: all presets)")
    page.add_argument("--output", metavar="DIR", required=True, help="a new or empty folder")
    runtime = "the folder where npm installed the LiteRT runtime (default: node_modules)"
    page.add_argument("--runtime", metavar="DIR", default="node_modules", help=runtime)
    page.add_argument("--serve", action="store_true", help="serve it to this machine")
    page.add_argument("--port", type=port, default=0, metavar="N", help="(default: a free one)")

    figure = command("figure", commands.figure, "draw the chapter's accuracy curves")
    figure.add_argument("--recipe", choices=["book", "zoo"], default="book")
    _add_run_options(figure)
    return parser


def _add_manual_dir(parser):
    text = "where the files of the recipe's own data set are, if not to be downloaded"
    parser.add_argument("--manual-dir", metavar="DIR", help=text)


def _add_run_options(parser):
    parser.add_argument("--output", metavar="DIR", required=True, help="a folder, new or empty (or to resume)")
    parser.add_argument("--data", metavar="FILE", help="source<TAB>target lines, or a text; UTF-8")
    parser.add_argument("--validation-data", metavar="FILE", help="likewise (default: a tenth of --data is held out)")
    _add_separator(parser)
    parser.add_argument("--epochs", type=positive, metavar="N")
    parser.add_argument("--seed", type=seed, default=0, metavar="N")
    _add_xla(parser)


def _add_reading_options(parser):
    splits = {"choices": ["characters", "whitespace", "words"], "metavar": "characters|whitespace|words"}
    text = "what a token of a source is: a character, what stands between spaces, or a word or punctuation of sentences"
    parser.add_argument("--source-split", help=text, **splits)
    parser.add_argument("--target-split", help="likewise of a target", **splits)
    text = "read sources in lower case"
    parser.add_argument("--lower-case", action=argparse.BooleanOptionalAction, help=text)
    text = "read sources in this Unicode normal form; NFD and NFKD take Hangul syllables and accents apart"
    parser.add_argument("--normal-form", choices=["NFC", "NFD", "NFKC", "NFKD"], help=text)


def _add_separator(parser):
    text = "what stands between source and target in files of pairs (default: a tab); the first one in a line counts"
    parser.add_argument("--separator", type=separator, metavar="TEXT", help=text)


def _add_unknown(parser):
    text = "read tokens of sources that training lacks as an unknown token (default of pairs_…), or refuse them"
    parser.add_argument("--unknown", action=argparse.BooleanOptionalAction, help=text)
    text = "keep the N most frequent tokens of each side, and read the others as the unknown token"
    parser.add_argument("--max-tokens", type=positive, metavar="N", help=text)
    text = "write, in place of an unknown token, the word of the source that attention points at"
    parser.add_argument("--copy-unknown", action=argparse.BooleanOptionalAction, help=text)


def _add_models(parser):
    parser.add_argument("model", metavar="PRESET|FILE", help="a preset, or a .keras file")
    text = "a further model, with which it answers as an ensemble; may be repeated"
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="PRESET|FILE", help=text)


def _add_search_options(parser, default="1, greedy search"):
    text = f"search for answers with a beam of K (default: {default})"
    parser.add_argument("--beam-size", type=positive, metavar="K", help=text)
    text = "rank the answers of a beam by log-probability / ((5 + tokens) / 6)^P (default: 0)"
    parser.add_argument("--length-penalty", type=not_negative, metavar="P", help=text)


def _add_resume(parser):
    text = "continue what was interrupted in --output; all other arguments as they were"
    parser.add_argument("--resume", action="store_true", help=text)


def _add_xla(parser):
    parser.add_argument(
        "--xla",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compile training with XLA where it pays (default), or never: short trainings start sooner without",
    )
    parser.add_argument(
        "--compilation-cache",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep what XLA compiled for the next training, in the user's folder of caches (default), or do not",
    )
