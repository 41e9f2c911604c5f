"""seqzoo beside what one would pick instead, measured in one run: `python benchmarks/side_by_side.py`.

Needs the extra `bench`. Each side has a process of its own, which stays; the sides take turns in each round, so that a
noisy machine is noisy for all of them. Figures are medians of the rounds. Prints a table for each section as Markdown;
with `--page docs/speed.md` each also takes the place of its own in that page, and figures are written beside it.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).with_name("peers")))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from report import replace_table, section_text
from sections.answers import answers
from sections.attention import attention, attention_answers
from sections.goals import goals
from sections.growth import growth, growth_attention
from sections.starts import starts
from sections.texts import texts
from sections.training import shards, training

# In the order of the page.
SECTIONS = (goals, training, shards, texts, attention, attention_answers, answers, starts, growth, growth_attention)

# Enough for 100 full batches of 128, and words to ask for that are not among them.
_WORDS, _ASKED = 12_800, 2_048


def what_it_takes(sections):
    """The sections, and about how many minutes each takes on two cores, as lines."""
    width = max(len(each.__name__) for each in sections)
    lines = [f"{each.__name__:{width}} {each.minutes:3} min  {each.__doc__.splitlines()[0]}" for each in sections]
    return "\n".join([*lines, f"{'together':{width}} {sum(each.minutes for each in sections):3} min"])


def write_data(run, data, validation_data, text, pronunciations):
    """Puts what all sides read into files, as far as the user gave none."""
    from seqzoo import pipelines

    run.training, run.test, run.text = data, validation_data, text
    if data is None:
        run.training, run.test = run.folder / "training.tsv", run.folder / "test.tsv"
        for path, pairs in zip((run.training, run.test), pipelines.load_addition(3, ["train", "test"]), strict=True):
            path.write_bytes(b"".join(b"%s\t%s\n" % pair for pair in pairs.as_numpy_iterator()))
    if text is None:
        run.text = run.folder / "text.txt"
        run.text.write_bytes(b"".join(pipelines.load_python_topics().as_numpy_iterator()))
    run.rows = run.training.read_bytes().count(b"\n")
    run.pronunciations, run.words_name = pronunciations, pronunciations and pronunciations.name
    if pronunciations is None:
        run.pronunciations, run.words_name = run.folder / "dates.tsv", "the data set `dates`"
        with open(run.pronunciations, "w", encoding="utf-8") as file:
            for source, target in pipelines.load_dates().as_numpy_iterator():
                file.write(f"{source.decode()}\t{' '.join(target.decode())}\n")
    draw_words(run)


def draw_words(run, words=_WORDS, asked=_ASKED):
    """Draws the rows to train on and those to ask for, in a seeded order, into files of their own."""
    lines = run.pronunciations.read_text(encoding="utf-8").splitlines(keepends=True)
    if len(lines) < words + asked:
        raise ValueError(f"{run.pronunciations} needs at least {words + asked:,} rows. Received: {len(lines):,}")
    random.Random(0).shuffle(lines)
    run.words, run.asked, run.words_rows = run.folder / "words.tsv", run.folder / "asked.tsv", words
    run.words.write_text("".join(lines[:words]), encoding="utf-8")
    run.asked.write_text("".join(lines[words : words + asked]), encoding="utf-8")


def measure(run, section):
    """What a section yields, a list; says what comes, and how long it takes."""
    print(f"{section.__name__}: about {section.minutes} minutes", file=sys.stderr, flush=True)
    start, found = time.monotonic(), []
    for each in section(run):
        found.append(each)
        print(each if isinstance(each, str) else " | ".join(each.cells()), file=sys.stderr, flush=True)
    print(f"{section.__name__}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return found


def main():
    """Measures and writes."""
    names = [each.__name__ for each in SECTIONS]
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=what_it_takes(SECTIONS), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=pathlib.Path, help="sums of three digits to train on (default: addition/digits_3)")
    add("--validation-data", type=pathlib.Path, help="sums to test on; with --data")
    add("--text", type=pathlib.Path, help="for the language model (default: the Python documentation)")
    add("--pronunciations", type=pathlib.Path, metavar="FILE", help="word<TAB>phonemes, for attention (default: dates)")
    add("--rounds", type=int, default=3)
    add("--only", nargs="+", choices=names, metavar="SECTION", help="sections to measure (default: all)")
    add("--list", action="store_true", help="say which sections there are and what they take, and measure none")
    add("--page", type=pathlib.Path, help="the page whose tables are replaced, each by its own section")
    options = parser.parse_args()
    if options.list:
        print(what_it_takes(SECTIONS))
        return
    if (options.data is None) != (options.validation_data is None):
        parser.error("--data and --validation-data belong together")
    chosen = [each for each in SECTIONS if not options.only or each.__name__ in options.only]
    if options.page:  # Better now than in a quarter of an hour.
        for section in chosen:
            replace_table(options.page.read_text(encoding="utf-8"), section.__name__, "")
    print(what_it_takes(chosen), file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        run = argparse.Namespace(folder=pathlib.Path(folder), rounds=options.rounds, page=options.page)
        write_data(run, options.data, options.validation_data, options.text, options.pronunciations)
        for section in chosen:
            text = section_text(measure(run, section))
            print(f"{section.__name__}\n\n{text}\n", flush=True)
            if options.page:  # After each section, so that a run that is cut short keeps what it has.
                page = options.page.read_text(encoding="utf-8")
                options.page.write_text(replace_table(page, section.__name__, text), encoding="utf-8")


if __name__ == "__main__":
    main()
