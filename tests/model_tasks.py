"""A small task for each kind of model, and what `fit` makes of its data; for tests of what holds for every model."""

import dataclasses
import itertools

import keras
import pytest
import tensorflow as tf

from seqzoo.models import LanguageModel, Seq2Seq

SEED = 7
# Two batches of `fit`; each source stands there twice.
PAIRS = [
    (source, source[::-1].upper())
    for length in (1, 2, 3, 1, 2, 3)
    for source in map("".join, itertools.product("abcd", repeat=length))
]
OTHER_PAIRS = [("aba", "ABA"), ("cd", "DC"), ("dab", "BAD")]
SOURCES, TARGETS = (list(side) for side in zip(*PAIRS, strict=True))
TEXT = "the cat sat on the mat.\na dog ran to the cat.\n" * 50
OTHER_TEXT = "the mat sat on the dog.\n" * 4
SMALL = {"embedding_dim": 4, "hidden_dim": 4, "cell": "simple_rnn", "dropout": 0.2}


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of model, data for it, and the batches that `fit` and `evaluate` should make of them."""

    build: object
    data: object
    other: object
    batches: object
    validation_batches: object
    questions: list
    wrong_question: str
    part: str

    def model(self, **options):
        """A new model, always the same; trained without XLA unless the options say otherwise."""
        keras.utils.set_random_seed(SEED)
        model = self.build()
        model.compile(**{"run_eagerly": True, "jit_compile": False, **options})
        return model


TASKS = [
    Task(
        build=lambda **options: Seq2Seq.from_pairs(PAIRS, reverse=True, **{**SMALL, **options}),
        data=PAIRS,
        other=OTHER_PAIRS,
        batches=lambda model, data, **options: model.preprocessor.batches(
            data, **{"batch_size": 128, "shuffle_seed": SEED, **options}
        ),
        validation_batches=lambda model, data, size=1000: model.preprocessor.batches(data, size),
        questions=["ab", "dcb", "a"],
        wrong_question="source 'axb' has the character 'x', which is not in the vocabulary",
        part="encoder",
    ),
    Task(
        build=lambda **options: LanguageModel.from_text(TEXT, **{**SMALL, **options}),
        data=TEXT,
        other=OTHER_TEXT,
        batches=lambda model, data, **options: model.preprocessor.windows(
            data, **{"batch_size": 32, "length": 64, "seed": SEED, **options}
        ),
        validation_batches=lambda model, data, size=32: model.preprocessor.consecutive(data, size, 64),
        questions=["the ", "a dog", ""],
        wrong_question="the prompt has the character 'x', which is not in the vocabulary",
        part="embedding",
    ),
]
PAIR_TASK, TEXT_TASK = TASKS
both = pytest.mark.parametrize("task", TASKS, ids=["pairs", "text"])


def dataset(pairs):
    return tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*pairs, strict=True))))


def fitted(task, *data, **options):
    """The model and the history of two epochs."""
    model = task.model()
    return model, model.fit(*data, **{"epochs": 2, "verbose": 0, **options}).history
