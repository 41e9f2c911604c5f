"""The zoo's tasks beside published figures: `python benchmarks/tasks.py --output DIR`.

Trains the models that do not ship, scores them on test rows, which nothing was chosen on, and prints a table for each
part as Markdown; with `--page docs/tasks.md` each also takes the place of its own in that page, and
pictures stand beside it. Figures of models that
ship are those of their cards. Every training and every score is a `seqzoo` command whose result is a file in DIR: run
it again with the same DIR, and what is done is not repeated, and a training that was cut off goes on after its last
whole epoch.
"""

import argparse
import functools
import pathlib
import sys
from typing import NamedTuple

from report import replace_table
from task_tables import english, languages, presets
from task_tables.bench import Bench


class Part(NamedTuple):
    """A table: its name, what it takes in CPU minutes, and the function from a `Bench` to its text."""

    name: str
    minutes: int
    table: object


# In the order of the page.
PARTS = (
    Part("cmudict", 0, english.cmudict),
    Part("cmudict_errors", 3, english.errors),
    Part("words_a_second", 8, english.words_a_second),
    Part("cmudict_seeds", 300, english.seeds),
    Part("cmudict_widths", 160, functools.partial(presets.widths, "pronounce_english", (64, 96, 128))),
    Part("sigmorphon_high", 300, functools.partial(languages.sigmorphon, "high")),
    Part("sigmorphon_medium", 400, functools.partial(languages.sigmorphon, "medium")),
    Part("sigmorphon_low", 60, functools.partial(languages.sigmorphon, "low")),
    Part("made_on_the_spot", 0, presets.made_on_the_spot),
    Part("dates_widths", 12, functools.partial(presets.widths, "dates", (16, 32, 64))),
    Part("learning_curves", 0, presets.learning_curves),
)


def what_it_takes(parts):
    """The parts, and about how many minutes of CPU time each takes from nothing, as lines."""
    return "\n".join(f"{each.name:20} {each.minutes:4} CPU minutes" for each in parts)


def main():
    """Trains, scores and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=what_it_takes(PARTS), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [each.name for each in PARTS]
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", help="folder for models and scores")
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help="parts to make (default: all)")
    parser.add_argument("--manual-dir", type=pathlib.Path, metavar="DIR", help="where data sets are not downloaded")
    parser.add_argument("--list", action="store_true", help="say which parts there are and what they take")
    parser.add_argument("--page", type=pathlib.Path, help="the page whose tables are replaced, each by its own part")
    options = parser.parse_args()
    chosen = [each for each in PARTS if not options.only or each.name in options.only]
    if options.list:
        print(what_it_takes(chosen))
        return
    if options.output is None:
        parser.error("--output DIR is needed")
    if options.page:  # Better now than in some hours.
        for part in chosen:
            replace_table(options.page.read_text(encoding="utf-8"), part.name, "")
    print(what_it_takes(chosen), file=sys.stderr, flush=True)
    pictures = options.page.parent if options.page else options.output
    pictures.mkdir(parents=True, exist_ok=True)
    for part in chosen:
        text = part.table(Bench(options.output, pictures, options.manual_dir))
        print(f"{part.name}\n\n{text}\n", flush=True)
        if options.page:
            page = options.page.read_text(encoding="utf-8")
            options.page.write_text(replace_table(page, part.name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
