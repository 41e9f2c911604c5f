"""What each command does that takes a model: calls, and prints. Results go to standard output."""

import contextlib
import functools
import itertools
import os
import shutil
import sys

from seqzoo.reports import print_export, print_json, print_metrics, print_sums, printable

_ROWS_AT_ONCE = 8192


def evaluate(options):
    """Scores a model."""
    from seqzoo.training import evaluate, evaluate_all_sums

    if options.exhaustive and options.data:
        raise ValueError("--exhaustive evaluates every sum there is: leave it out, or --data")
    if options.exhaustive and options.block:
        raise ValueError("--block is of texts, and --exhaustive of sums: leave out one of them")
    _separator(options, "data")
    search, model = _search(options), _model(options)
    figures = (
        evaluate_all_sums(model, **search)
        if options.exhaustive
        else evaluate(model, _data(options, model, check=False), block=options.block, **search)
    )
    if not print_json(options, figures):
        (print_sums if options.exhaustive else print_metrics)(figures)


def _model(options):
    """The model that a command names, or the ensemble of all that it names."""
    from seqzoo.models import Ensemble, load

    models = [load(name) for name in (options.model, *options.others)]
    return Ensemble(models) if options.others else models[0]


def _search(options):
    """What the command line says about the search for answers."""
    names = "beam_size", "length_penalty"
    search = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if search.get("length_penalty") and search.get("beam_size", 1) == 1 and not getattr(options, "n_best", None):
        raise ValueError("--length-penalty ranks the answers of a beam: leave it out, or give --beam-size above 1")
    return search


def _data(options, model, check=True):
    """The data of a file, checked against the model if wanted; without a file the test rows of a known data set."""
    from seqzoo.pipelines import load_test_rows

    preprocessor, separator = model.preprocessor, _separator(options, "data")
    data = preprocessor.read(options.data, check, **separator) if options.data else load_test_rows(preprocessor)
    if data is None:
        raise ValueError(f"{options.model} was not trained on a data set of a recipe: give data, --data FILE")
    return data


def _separator(options, file):
    """What the command line says about the separator of a file, as arguments."""
    if options.separator is None:
        return {}
    if getattr(options, file) is None:
        raise ValueError(f"--separator is that of a file of pairs: leave it out, or give --{file} FILE")
    return {"separator": options.separator}


def generate(options):
    """Answers sources; returns the exit status, 2 where a source is wrong."""
    search, model = _search(options), _model(options)
    model.generate_each((), **search)  # Says at once what is wrong with the search, or that the model answers nothing.
    answer = functools.partial(model.generate, **search)
    if options.n_best:
        model.n_best_each((), options.n_best, **search)
        answer = functools.partial(model.n_best, n=options.n_best, **search)
    look_up = _lexicon(options, model)
    interactive = not options.source and not _input_is_closed() and sys.stdin.isatty()
    sources = map(os.fsencode, options.source) if options.source else _sources_of_standard_input()
    status = 0
    rows_at_once = 1 if interactive else _ROWS_AT_ONCE
    for number, source, listed, answers, error in _answered(model, sources, rows_at_once, look_up, answer):
        if error:
            print(f"error: row {number}: {printable(error)}", file=sys.stderr)
            status = 2
            if options.strict:
                break
        if not options.n_best:
            print(listed[0] if listed else answers or "", flush=interactive)
            continue
        lines = [("lexicon", text, "") for text in listed[: options.n_best]]
        lines += [("model", text, f"{log_probability:z.4f}") for text, log_probability in answers or ()]
        for origin, *columns in lines:
            columns = columns if options.lexicon is None else [origin, *columns]
            print(printable(source.decode(errors="backslashreplace")), *columns, sep="\t", flush=interactive)
    return status


def _lexicon(options, model):
    """A function from a source, `bytes`, to what the lexicon lists for it: a list of `str`, empty if it does not."""
    from seqzoo.pipelines import alternatives, read_pairs

    separator = _separator(options, "lexicon")
    if options.lexicon is None:
        return lambda source: []
    if not model.preprocessor.reads_text:
        raise ValueError("A lexicon lists texts, and this model reads pictures: leave out --lexicon")
    # Neither lengths nor tokens are checked against the model: a lexicon is also for sources that it cannot read.
    targets = alternatives(read_pairs(options.lexicon, **separator), model.preprocessor)
    normalize = model.preprocessor.source_vocabulary.normalize_string

    def look_up(source):
        try:
            return targets.get(normalize(source.decode()), [])
        except UnicodeDecodeError:
            return []

    return look_up


def _sources_of_standard_input():
    """Yields the lines of standard input; empty ones at its end are none."""
    from seqzoo.pipelines.text_files import check_byte_order_mark

    empty = 0
    for number, line in enumerate(_lines_of_standard_input()):
        if number == 0:
            check_byte_order_mark(line, "standard input")
        if not line:
            empty += 1
            continue
        yield from itertools.repeat(b"", empty)
        empty = 0
        yield line


def _lines_of_standard_input():
    from seqzoo.pipelines.text_files import read_lines, with_line_feeds

    if _input_is_closed():
        raise ValueError("standard input is closed: name the sources as arguments, or write them to it, one a line")
    if hasattr(sys.stdin, "buffer"):
        return read_lines(sys.stdin.buffer)
    texts = (with_line_feeds(text).removesuffix("\n") for text in sys.stdin)
    return (line.encode() for text in texts for line in text.split("\n"))


def _input_is_closed():
    return sys.stdin is None or sys.stdin.closed


def _answered(model, sources, rows_at_once, look_up, answer):
    """`(number, source, listed, answers, error)` of each source, in order.

    What the lexicon lists for a source stands in place of the model's answers. A wrong one has neither, and an error.
    """
    numbered = enumerate(sources, 1)
    for block in iter(lambda: list(itertools.islice(numbered, rows_at_once)), []):
        contents, problems = _contents(model, [source for _, source in block])
        _, errors = model.preprocessor.encode_sources(contents)
        found = [look_up(source) for _, source in block]
        errors = [
            "" if listed else problem or error.decode()
            for listed, problem, error in zip(found, problems, errors.numpy(), strict=True)
        ]
        to_answer = [not (listed or error) for listed, error in zip(found, errors, strict=True)]
        answers = iter(answer(list(itertools.compress(contents, to_answer))))
        for (number, source), listed, error, is_answered in zip(block, found, errors, to_answer, strict=True):
            yield number, source, listed, next(answers) if is_answered else None, error


def _contents(model, sources):
    """What a model reads of the sources on the command line, which name pictures, and what is wrong with each."""
    if model.preprocessor.reads_text:
        return sources, [""] * len(sources)
    from seqzoo.pipelines.picture_pairs import as_pictures

    contents, problems, _ = as_pictures(list(map(os.fsdecode, sources)))
    return contents, problems


def align(options):
    """Shows how the tokens of an answer are aligned with those of its source."""
    from seqzoo.alignments import alignment_lines, picture
    from seqzoo.models import load

    with picture(options.output) if options.output else contextlib.nullcontext() as draw:
        model = load(options.model)
        answer, answer_tokens, alignment = model.align_tokens(options.source)
        source_tokens = _source_tokens(model, options.source, alignment)
        if draw:
            draw(source_tokens, answer_tokens, alignment)
    facts = {"source": options.source, "answer": answer, "source_tokens": source_tokens, "answer_tokens": answer_tokens}
    if print_json(options, {**facts, "alignment": alignment.tolist()}):
        return
    print(f"answer        {answer}")
    if options.output:
        print(f"written to    {options.output}")
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(*alignment_lines(source_tokens, answer_tokens, alignment, width), sep="\n")


def _source_tokens(model, source, alignment):
    """The tokens of a source; the columns of a picture by their numbers from 1."""
    read = model.preprocessor.source_vocabulary
    return list(map(str, range(1, alignment.shape[1] + 1))) if read is None else read.token_texts(source)


def sample(options):
    """Continues a prompt with a language model."""
    from seqzoo.models import load
    from seqzoo.pipelines.characters import visible

    model = load(options.model)
    preprocessor, prompt = model.preprocessor, options.prompt
    skip = preprocessor.vocabulary.split_string(options.skip)
    pieces = model.stream(prompt, options.length, _sampler(options), options.seed, options.stop, skip)
    if unknown := preprocessor.unknown_tokens(prompt):
        tokens = ", ".join(map(visible, unknown))
        print(f"note: not in the vocabulary, read as the unknown token: {tokens}", file=sys.stderr)
    sys.stdout.write(prompt)
    if prompt:
        sys.stdout.write(preprocessor.vocabulary.separator)
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

    search, model = _search(options), _model(options)
    separator = _separator(options, "data")
    data = None if options.data is None else model.preprocessor.read(options.data, **separator)
    if options.format == "litert":
        report = export.litert(model, options.output, options.quantize, data, **search)
    elif options.quantize:
        raise ValueError("Only a LiteRT file is quantised: leave out --quantize, or give --format litert")
    else:
        report = export.saved_model(model, options.output, data, **search)
    if not print_json(options, report):
        print_export(report)
