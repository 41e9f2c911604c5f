"""English words: published figures and ours, errors, speed, other seeds."""

import collections
import functools
import random
import re
import tempfile
import textwrap

from ai_edge_litert.interpreter import Interpreter
from report import machine, rate

from seqzoo import export
from seqzoo.export.clients import answers_of_litert, answers_of_saved_model, loaded
from seqzoo.models import card, from_preset
from seqzoo.models.files.loading import preset_folder
from seqzoo.pipelines import alternatives, load_python_topics
from seqzoo.training import recipe
from task_tables.bench import BEAM, SEEDS, rates, table

BATCHES = (1, 64, 1024)
# Word and phoneme error rates in per cent; the page says where each is from.
PUBLISHED = (
    ("joint n-grams, Phonetisaurus", "24.4", ""),
    ("bidirectional LSTM with alignments, Yao and Zweig 2015", "23.55", "5.45"),
    ("transformer, 3 layers of 256", "20.6", ""),
    ("attention LSTM, an ensemble, Toshniwal and Livescu 2016", "20.24", ""),
)


def cmudict(_):
    """English words: what is published, and what ships, by its card."""
    about = card("pronounce_english")
    costs = f"{about['parameters'] / 1e6:.2f} M", f"{about['cpu_minutes']:.0f}"
    rows = [
        *((*each, "", "") for each in PUBLISHED),
        ("`pronounce_english`, greedy", *rates([about["held_out"]]), *costs),
        (f"`pronounce_english`, beam of {BEAM}", *rates([about["beam"]]), *costs),
    ]
    return table(("", "word error rate, %", "phoneme error rate, %", "parameters", "CPU minutes"), rows)


def errors(bench):
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
    return f"{textwrap.fill(text, 120)}\n\n{table(('word', 'answer', 'right', 'place of the right one'), rows)}"


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
                    by_size = (_words_a_second(answer, words, size) for size in BATCHES)
                    rows.append((name, "greedy" if beam == 1 else f"beam of {beam}", *by_size))
    return f"{table(('', 'search', *(f'batches of {size:,}' for size in BATCHES)), rows)}\n\n{machine()}"


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


def seeds(bench):
    """English words: what ships and two models of other seeds, and the three as an ensemble."""
    ships = preset_folder("pronounce_english")
    own = "pronounce_english", *bench.data_options
    others = [bench.train(f"cmudict/{seed}", *own, "--seed", seed) for seed in SEEDS[1:]]
    models = {"shipped": ships, **{f"seed {folder.name}": folder for folder in others}}
    rows = []
    for beam in (1, BEAM):
        scores = [bench.score(f"cmudict/{name}", [folder], beam=beam) for name, folder in models.items()]
        search = "greedy" if beam == 1 else f"beam of {BEAM}"
        rows += [(f"{name}, {search}", *rates([score])) for name, score in zip(models, scores, strict=True)]
        rows.append((f"**mean, {search}**", *rates(scores)))
    together = bench.score("cmudict/together", list(models.values()), beam=BEAM)
    rows.append((f"the three together, beam of {BEAM}", *rates([together])))
    return table(("", "word error rate, %", "phoneme error rate, %"), rows)
