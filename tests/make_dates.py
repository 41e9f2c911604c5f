"""Writes a task that is no sum to files: the data set `dates`, dates in many spellings and the ISO date of each.

    python tests/make_dates.py FOLDER

makes `dates_train.tsv` (50,000 lines), `dates_validation.tsv` (5,000) and `dates_test.tsv` (10,000). No date of one
stands in another, in any spelling.
"""

import pathlib
import sys

from seqzoo.pipelines import load_dates
from seqzoo.pipelines.pairs import decoded


def write(folder):
    """Writes the files into a folder."""
    for split in ("train", "validation", "test"):
        lines = (f"{source}\t{target}\n" for source, target in decoded(load_dates(split)))
        (pathlib.Path(folder) / f"dates_{split}.tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
