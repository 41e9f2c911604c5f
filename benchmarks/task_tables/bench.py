"""What the tables share: trainings and scores that are kept, and figures as Markdown."""

import json
import pathlib
import statistics
import subprocess
import sys
from typing import NamedTuple

BEAM = 5
SEEDS = (0, 1, 2)


class Bench(NamedTuple):
    """Where results and pictures are, and where the files of data sets are that are not downloaded."""

    folder: pathlib.Path
    pictures: pathlib.Path
    manual_dir: pathlib.Path | None

    @property
    def data_options(self):
        """Options of a training on a data set whose files may be in `manual_dir`, a list."""
        return ["--manual-dir", self.manual_dir] if self.manual_dir else []

    def train(self, name, recipe, *options):
        """The folder of a training by a recipe, which goes on where it was cut off."""
        folder = self.folder / name
        if not (folder / "metrics.json").exists():
            resume = ["--resume"] if (folder / "run.json").exists() else []
            run("train", recipe, "--output", folder, *options, *resume)
        return folder

    def score(self, name, folders, *options, beam=1):
        """The figures of a model, or of an ensemble of several, on test rows."""
        first, *others = (folder / "model.keras" for folder in folders)
        place = self.folder / f"{name}_beam_{beam}.json"
        if not place.exists():
            others = [each for other in others for each in ("--with", other)]
            figures = run("evaluate", first, *others, "--beam-size", beam, *options, "--json")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(figures, encoding="utf-8")
        return json.loads(place.read_text("utf-8"))


def run(*arguments):
    """The standard output of a `seqzoo` command."""
    command = [sys.executable, "-m", "seqzoo", *map(str, arguments)]
    print("+", *command[1:], file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def word_errors(score):
    """The word error rate in per cent."""
    return 100 * (1 - score["exact_match"])


def rates(scores):
    """The means of word and token error rates in per cent, as texts."""
    words = statistics.mean(map(word_errors, scores))
    tokens = statistics.mean(100 * score["token_error_rate"] for score in scores)
    return f"{words:.2f}", f"{tokens:.2f}"


def table(header, rows):
    """A Markdown table of texts."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
