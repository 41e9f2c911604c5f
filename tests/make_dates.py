"""Writes a task that is no sum: dates in many spellings, and the ISO date of each.

    python tests/make_dates.py FOLDER

makes `dates_train.tsv` (40,000 lines) and `dates_test.tsv` (5,000). No date of the one stands in the other, in any
spelling.
"""

import datetime
import pathlib
import random
import sys

_FIRST = datetime.date(1900, 1, 1)
_DAYS = 73_000  # to 2099
_TEST_SHARE = 0.1


def spellings(date):
    """The ways in which a date is written, as a list of `str`."""
    month, short, weekday = date.strftime("%B").lower(), date.strftime("%b").lower(), date.strftime("%A").lower()
    day, year = date.day, date.year
    suffix = "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return [
        f"{month} {day}, {year}",
        f"{month} {day}{suffix}, {year}",
        f"{day} {month} {year}",
        f"{day} {short} {year}",
        f"{short} {day} {year}",
        f"{day}{suffix} of {month} {year}",
        f"{weekday}, {day} {month} {year}",
        f"{date.month}/{day}/{year}",
        f"{day:02}.{date.month:02}.{year}",
        f"{year}/{date.month}/{day}",
    ]


def rows(split, count, seed=0):
    """`count` different (spelling, ISO date) rows of `"train"` or `"test"`, as a list of `str` pairs."""
    generator = random.Random(seed)
    days = list(range(_DAYS))
    generator.shuffle(days)
    border = int(_DAYS * _TEST_SHARE)
    days = days[:border] if split == "test" else days[border:]
    drawn = {}
    while len(drawn) < count:
        date = _FIRST + datetime.timedelta(days=generator.choice(days))
        drawn[generator.choice(spellings(date))] = date.isoformat()
    return list(drawn.items())


def write(folder):
    """Writes both files into a folder."""
    for split, count in (("train", 40_000), ("test", 5_000)):
        lines = (f"{source}\t{target}\n" for source, target in rows(split, count))
        (pathlib.Path(folder) / f"dates_{split}.tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
