"""The zoo's tasks beside published figures: `python benchmarks/tasks.py --output DIR`.

Trains the models that do not ship, scores them on test rows, which nothing was chosen on, and prints a table for each
part as Markdown; with `--page docs/tasks.md` each also takes the place of its own in that page. Figures of models that
ship are those of their cards. Every training and every score is a `seqzoo` command whose result is a file in DIR: run
it again with the same DIR, and what is done is not repeated, and a training that was cut off goes on after its last
whole epoch.
"""

import argparse
import collections
import functools
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap
from typing import NamedTuple

from ai_edge_litert.interpreter import Interpreter
from report import machine, rate, replace_table

from seqzoo import export
from seqzoo.export.clients import answers_of_litert, answers_of_saved_model, loaded
from seqzoo.models import card, from_preset
from seqzoo.models.files.loading import preset_folder
from seqzoo.pipelines import SigmorphonG2p, alternatives, load_python_topics
from seqzoo.pipelines.datasets.builders import load_prepared, prepare
from seqzoo.training import recipe

BEAM = 5
BATCHES = (1, 64, 1024)
SEEDS = (0, 1, 2)
# Word and phoneme error rates in per cent; the page says where each is from.
CMUDICT_PUBLISHED = (
    ("joint n-grams, Phonetisaurus", "24.4", ""),
    ("bidirectional LSTM with alignments, Yao and Zweig 2015", "23.55", "5.45"),
    ("transformer, 3 layers of 256", "20.6", ""),
    ("attention LSTM, an ensemble, Toshniwal and Livescu 2016", "20.24", ""),
)
# The word error rates of the task's baseline, an ensemble of transducers, on the test rows.
SIGMORPHON_BASELINE = {
    "high": {"eng_us": 41.94},
    "medium": {
        "arm_e": 7.0, "bul": 18.3, "dut": 14.7, "fre": 8.5, "geo": 0.0, "hbs_latn": 32.1, "hun": 1.8, "jpn_hira": 5.2,
        "kor": 16.3, "vie_hanoi": 2.5,
    },
    "low": {
        "ady": 22.0, "gre": 21.0, "ice": 12.0, "ita": 19.0, "khm": 34.0, "lav": 55.0, "mlt_latn": 19.0, "rum": 10.0,
        "slv": 49.0, "wel_sw": 10.0,
    },
}  # fmt: skip
SIGMORPHON_RECIPE = ("pairs_attention", "--target-split", "whitespace", "--normal-form", "NFD")


class Bench(NamedTuple):
    """Where results are, and where the files of data sets are that are not downloaded."""

    folder: pathlib.Path
    manual_dir: pathlib.Path | None

    def train(self, name, recipe, *options):
        """The folder of a training by a recipe, which goes on where it was cut off."""
        folder = self.folder / name
        if not (folder / "metrics.json").exists():
            resume = ["--resume"] if (folder / "run.json").exists() else []
            _seqzoo("train", recipe, "--output", folder, *options, *resume)
        return folder

    def score(self, name, folders, *options, beam=1):
        """The figures of a model, or of an ensemble of several, on test rows."""
        first, *others = (folder / "model.keras" for folder in folders)
        place = self.folder / f"{name}_beam_{beam}.json"
        if not place.exists():
            others = [each for other in others for each in ("--with", other)]
            figures = _seqzoo("evaluate", first, *others, "--beam-size", beam, *options, "--json")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(figures, encoding="utf-8")
        return json.loads(place.read_text("utf-8"))


class Part(NamedTuple):
    """A table: its name, what it takes in CPU minutes, and the function from a `Bench` to its text."""

    name: str
    minutes: int
    table: object


def _seqzoo(*arguments):
    """The standard output of a command."""
    command = [sys.executable, "-m", "seqzoo", *map(str, arguments)]
    print("+", *command[1:], file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def cmudict(_):
    """English words: what is published, and what ships, by its card."""
    about = card("pronounce_english")
    costs = f"{about['parameters'] / 1e6:.2f} M", f"{about['cpu_minutes']:.0f}"
    rows = [
        *((*each, "", "") for each in CMUDICT_PUBLISHED),
        ("`pronounce_english`, greedy", *_rates([about["held_out"]]), *costs),
        (f"`pronounce_english`, beam of {BEAM}", *_rates([about["beam"]]), *costs),
    ]
    return _table(("", "word error rate, %", "phoneme error rate, %", "parameters", "CPU minutes"), rows)


def cmudict_errors(bench):
    """English words: where the right answer stands among the five best ones, and ten errors drawn at random."""
    data = recipe("pronounce_english").dataset
    data.prepare(bench.manual_dir)
    model = from_preset("pronounce_english")
    targets = alternatives(data.load_test(), model.preprocessor)
    listed = dict(zip(targets, model.n_best(list(targets), BEAM, BEAM), strict=True))
    places = {word: _place(right, [answer for answer, _ in listed[word]]) for word, right in targets.items()}
    words_at = collections.Counter(places.values())
    counts = words_at[1], words_at[2], sum(words_at[place] for place in range(3, BEAM + 1)), words_at[0]
    first, second, later, none = (f"{count / len(places):.1%}" for count in counts)
    wrong = random.Random(0).sample([word for word, place in places.items() if place != 1], 10)
    rows = [
        (
            f"`{word}`",
            f"`{listed[word][0][0]}`",
            " or ".join(f"`{right}`" for right in targets[word]),
            str(places[word] or "–"),
        )
        for word in wrong
    ]
    text = (
        f"Its answer is one that the dictionary lists for {first} of the test words; the dictionary's is the second of "
        f"its five best ones for another {second}, the third to fifth for {later}, and none of them for {none}. "
        "Ten of its errors with a beam of five, drawn at random:"
    )
    return f"{textwrap.fill(text, 120)}\n\n{_table(('word', 'answer', 'right', 'place of the right one'), rows)}"


def _place(right, listed):
    """The place of the first right answer in a list, from 1; 0 where there is none."""
    return next((at for at, answer in enumerate(listed, 1) if answer in right), 0)


def words_a_second(_):
    """English words: how many `pronounce_english` answers a second, as a model and as its exports."""
    model, words, rows = from_preset("pronounce_english"), _english_words(max(BATCHES)), []
    for beam in (1, BEAM):
        with tempfile.TemporaryDirectory() as folder:
            saved = export.saved_model(model, folder, beam_size=beam)["path"]
            file = export.litert(model, f"{folder}/model.tflite", beam_size=beam)["path"]
            with loaded(saved) as run:
                answers = {
                    "model": functools.partial(model.generate, beam_size=beam),
                    "SavedModel": functools.partial(answers_of_saved_model, run),
                    "LiteRT, one thread": _answers_of_litert(file, model),
                }
                for name, answer in answers.items():
                    rates = (_words_a_second(answer, words, size) for size in BATCHES)
                    rows.append((name, "greedy" if beam == 1 else f"beam of {beam}", *rates))
    return f"{_table(('', 'search', *(f'batches of {size:,}' for size in BATCHES)), rows)}\n\n{machine()}"


def _answers_of_litert(file, model):
    """A function from a list of words to the answers of a LiteRT file, by the signature that suits their number."""
    interpreter = Interpreter(file, num_threads=1)
    of_one, of_many = (answers_of_litert(interpreter, model, name) for name in ("batch_1", "serving_default"))
    return lambda words: (of_one if len(words) == 1 else of_many)(words)


def _words_a_second(answer, words, size):
    """As text: the rate at which a function answers lists of so many words, by wall time."""
    lists = [words[at : at + size] for at in range(0, min(len(words), 32 * size), size)]
    return f"{rate(lambda: [answer(each) for each in lists], sum(map(len, lists)))[0]:,.0f}"


def _english_words(count):
    """Different words of the Python documentation, of two to twelve letters, in a seeded order."""
    text = b"".join(load_python_topics().as_numpy_iterator()).decode()
    words = sorted(set(re.findall(r"\b[a-z]{2,12}\b", text)))
    return random.Random(0).sample(words, count)


def cmudict_seeds(bench):
    """English words: what ships and two models of other seeds, and the three as an ensemble."""
    own = ["--manual-dir", bench.manual_dir] if bench.manual_dir else []
    ships = preset_folder("pronounce_english")
    others = [bench.train(f"cmudict/{seed}", "pronounce_english", *own, "--seed", seed) for seed in SEEDS[1:]]
    models = {"shipped": ships, **{f"seed {folder.name}": folder for folder in others}}
    rows = []
    for beam in (1, BEAM):
        scores = [bench.score(f"cmudict/{name}", [folder], beam=beam) for name, folder in models.items()]
        search = "greedy" if beam == 1 else f"beam of {BEAM}"
        rows += [(f"{name}, {search}", *_rates([score])) for name, score in zip(models, scores, strict=True)]
        rows.append((f"**mean, {search}**", *_rates(scores)))
    together = bench.score("cmudict/together", list(models.values()), beam=BEAM)
    rows.append((f"the three together, beam of {BEAM}", *_rates([together])))
    return _table(("", "word error rate, %", "phoneme error rate, %"), rows)


def sigmorphon(size, bench):
    """The languages of one size, as single models and as ensembles beside the task's baseline."""
    rows, ensembles, singles = [], [], []
    seeds = SEEDS if size != "low" else SEEDS[:1]
    for language, baseline in SIGMORPHON_BASELINE[size].items():
        files = _sigmorphon_files(bench, language)
        data = ["--data", files["train"], "--validation-data", files["validation"]]
        folders = [
            bench.train(f"sigmorphon/{language}/{seed}", *SIGMORPHON_RECIPE, *data, "--seed", seed) for seed in seeds
        ]
        tested = ["--data", files["test"]]
        place = f"sigmorphon/{language}"
        scores = [bench.score(f"{place}/{each.name}", [each], *tested, beam=BEAM) for each in folders]
        single = statistics.mean(map(_word_errors, scores))
        together = single
        if len(folders) > 1:
            together = _word_errors(bench.score(f"{place}/together", folders, *tested, beam=BEAM))
        singles.append(single)
        ensembles.append(together)
        rows.append((f"`{language}`", f"{baseline:.2f}", f"{single:.2f}", f"{together:.2f}"))
    means = (statistics.mean(each) for each in (SIGMORPHON_BASELINE[size].values(), singles, ensembles))
    rows.append(("**mean**", *(f"**{mean:.2f}**" for mean in means)))
    return _table(("language", "baseline", f"single, mean of {len(seeds)}", f"ensemble of {len(seeds)}"), rows)


def _sigmorphon_files(bench, language):
    """The splits of a language as files of pairs, by their names."""
    files = {split: bench.folder / f"sigmorphon/{language}/{split}.tsv" for split in ("train", "validation", "test")}
    if not all(path.exists() for path in files.values()):
        builder = SigmorphonG2p(config=language)
        prepare(builder, bench.manual_dir)
        for split, path in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = load_prepared(builder, split).as_numpy_iterator()
            path.write_bytes(b"".join(b"%s\t%s\n" % row for row in rows))
    return files


def made_on_the_spot(_):
    """Tasks whose data seqzoo makes: presets, by their cards."""
    rows = []
    for about in map(card, ("dates", "addition_9_digits")):
        score = about["held_out"]
        right = f"{score['exact_match']:.3%} of {score['sources']:,}"
        rows.append((f"`{about['preset']}`", right, f"{about['parameters']:,}", f"{about['cpu_minutes']:.1f}"))
    return _table(("", "whole answers right", "parameters", "CPU minutes"), rows)


def _metrics(folders):
    return [json.loads((folder / "metrics.json").read_text("utf-8")) for folder in folders]


def _word_errors(score):
    return 100 * (1 - score["exact_match"])


def _rates(scores):
    """The means of word and token error rates in per cent, as texts."""
    words = statistics.mean(map(_word_errors, scores))
    tokens = statistics.mean(100 * score["token_error_rate"] for score in scores)
    return f"{words:.2f}", f"{tokens:.2f}"


def _table(header, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


# In the order of the page.
PARTS = (
    Part("cmudict", 0, cmudict),
    Part("cmudict_errors", 3, cmudict_errors),
    Part("words_a_second", 8, words_a_second),
    Part("cmudict_seeds", 300, cmudict_seeds),
    Part("sigmorphon_high", 300, functools.partial(sigmorphon, "high")),
    Part("sigmorphon_medium", 400, functools.partial(sigmorphon, "medium")),
    Part("sigmorphon_low", 60, functools.partial(sigmorphon, "low")),
    Part("made_on_the_spot", 0, made_on_the_spot),
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
    for part in chosen:
        text = part.table(Bench(options.output, options.manual_dir))
        print(f"{part.name}\n\n{text}\n", flush=True)
        if options.page:
            page = options.page.read_text(encoding="utf-8")
            options.page.write_text(replace_table(page, part.name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
