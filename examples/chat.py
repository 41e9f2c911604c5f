"""Learns to converse from a few dialogues, and answers lines: with what it has read, as it measures and says.

    python examples/chat.py [english|korean]

The dialogues are those of https://pypi.org/project/chatterbot-corpus (BSD licence), without the longest utterances. It
needs `pip install '.[examples]'`. In English 40 epochs take 6 min of CPU time; 47.1% of the answers to held-out
utterances are then utterances of the dialogues as they stand there. In Korean 100 epochs take 5 min, and 46.0% are.
"""

import itertools
import math
import pathlib
import random
import sys

import chatterbot_corpus
import keras
import yaml

import seqzoo

EPOCHS = {"english": 40, "korean": 100}
BATCH_SIZE = 32
MAX_CHARACTERS = 80
READING = {"source_split": "words", "target_split": "words", "lower_case": True, "unknown": True}


def read_dialogues(language):
    """`(utterance, reply)` of all utterances of a language that are followed by another."""
    pairs = []
    for file in sorted(pathlib.Path(chatterbot_corpus.__file__).parent.glob(f"data/{language}/*.yml")):
        for dialogue in yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"]:
            pairs += itertools.pairwise(dialogue)
    short = (pair for pair in pairs if max(map(len, pair)) <= MAX_CHARACTERS and "\n" not in "".join(pair))
    return [pair for pair in short if all(map(str.strip, pair))]


def train(pairs, training, language):
    """A model of the pairs, trained on those of `training`; or the one that an earlier call saved."""
    file = pathlib.Path(f"chat_{language}.keras")
    if not file.exists():
        keras.utils.set_random_seed(0)
        model = seqzoo.models.AttentionSeq2Seq.from_pairs(
            pairs, **READING, embedding_dim=128, hidden_dim=256, dropout=0.3
        )
        model.compile()
        model.fit(training, batch_size=BATCH_SIZE, epochs=EPOCHS[language], verbose=2)
        model.save(file)
    return seqzoo.models.load(file)


def reply(model, utterance, draws):
    """One of the five best answers, drawn by their probabilities; or what is wrong with the utterance."""
    answers, error = model.n_best(utterance, n=5, errors="return")
    if error:
        return f"({error})"
    texts, log_probabilities = zip(*answers, strict=True)
    return draws.choices(texts, [math.exp(each) for each in log_probabilities])[0]


def main(language="english"):
    """Trains a model, measures how much of what it says it has read, and answers lines of standard input."""
    pairs = read_dialogues(language)
    training, held_out = seqzoo.pipelines.hold_out(pairs)
    model = train(pairs, training, language)

    utterances = list(seqzoo.pipelines.alternatives(held_out))
    read = {target for _, target in pairs}
    repeated = sum(answer in read for answer in model.generate(utterances)) / len(utterances)
    print(f"{repeated:.1%} of the answers to {len(utterances)} utterances that it has not read stand in the dialogues.")
    draws = random.Random(0)
    for line in sys.stdin:
        print(f"> {line.strip()}\n{reply(model, line.strip(), draws)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
