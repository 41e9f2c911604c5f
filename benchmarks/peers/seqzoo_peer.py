"""seqzoo as its users call it: a recipe and `fit`, strings in and strings out."""

import atexit
import contextlib
import dataclasses
import functools
import os
import pathlib
import tempfile

import keras
import numpy as np
import rows

from seqzoo import pipelines
from seqzoo.compilation_cache import use_compilation_cache
from seqzoo.runtime import choose_threads
from seqzoo.training import recipe


def prepare(chosen, seed):
    """Does what `seqzoo train` does for a recipe before TensorFlow computes, and sets the seed.

    The environment variable SEQZOO_XLA_CACHE names the folder that keeps XLA's programs; without it none are kept.
    """
    if folder := os.environ.get("SEQZOO_XLA_CACHE"):
        use_compilation_cache(folder)  # Before TensorFlow looks for devices.
    choose_threads(chosen.hidden_dim, chosen.shards)
    keras.utils.set_random_seed(seed)


class Sums:
    """A peeky model of sums and its training, in as many shards as the recipe has unless told otherwise."""

    def __init__(
        self, training, test, hidden_dim=128, epochs=1000, learning_rate=rows.LEARNING_RATE, shards=None, seed=0
    ):
        peeky = recipe("pairs_peeky_reverse")
        chosen = {"hidden_dim": hidden_dim, "epochs": epochs, "learning_rate": learning_rate}
        chosen["unknown"] = False  # One vocabulary for both sides of the pairs, as the other peers have.
        peeky = dataclasses.replace(peeky, **chosen, shards=shards or peeky.shards)
        prepare(peeky, seed)
        self.pairs = pipelines.read_pairs(training)
        self.preprocessor = peeky.preprocessor(self.pairs)
        self.batches = peeky.batches(self.preprocessor, self.pairs, seed)
        tested = pipelines.read_pairs(test).as_numpy_iterator()
        self.test = [(source.decode(), target.decode()) for source, target in tested]
        self.model = peeky.build(self.preprocessor)
        peeky.compile(self.model, steps_per_epoch=len(self.batches))
        self.epochs = 0

    def parameters(self):
        """Their number."""
        return self.model.count_params()

    def epoch(self, steps=None):
        """Trains on all rows once, or on so many batches."""
        options = {"initial_epoch": self.epochs, "epochs": self.epochs + 1, "steps_per_epoch": steps}
        self.model.fit(self.batches, **options, verbose=0)
        self.epochs += 1

    def exact_match(self):
        """The share of test rows answered right, greedily."""
        sources, targets = zip(*self.test, strict=True)
        return sum(map(str.__eq__, self.model.generate(sources), targets)) / len(targets)

    @functools.cached_property
    def strings(self):
        """The rows to train on, in memory."""
        return pipelines.as_pairs(list(self.pairs.as_numpy_iterator()))

    def preprocess(self):
        """Makes an epoch's shuffled batches from strings: each row is checked, encoded and padded."""
        batches = self.preprocessor.batches(self.strings, 128, shuffle_seed=0, drop_remainder=True)
        batches.reduce(0, lambda count, _: count + 1)


class Answers(Sums):
    """A peeky model of sums, not trained, that never ends an answer early: they are as long as answers get."""

    def __init__(self, training, test):
        super().__init__(training, test, shards=1)  # On one thread: `generate` divides its batch over the cores.
        forbid_end(self.model.decoder.dense.bias)

    def generate(self, batch_size, number):
        """Answers so many lists of test sources, strings to strings."""
        for sources in self._lists(batch_size, number):
            self.model.generate(sources)

    def million(self):
        """Answers every sum of two numbers below 1,000."""
        sources = (f"{a}+{b}" for a in range(1000) for b in range(1000))
        return sum(1 for _ in self.model.generate_each(sources))

    def _lists(self, batch_size, number):
        sources = [source for source, _ in self.test]
        for i in range(number):
            start = i * batch_size % max(1, len(sources) - batch_size + 1)
            yield sources[start : start + batch_size]


class Exports(Answers):
    """The same, and what it was exported to."""

    def __init__(self, training, test):
        from ai_edge_litert.interpreter import Interpreter

        from seqzoo import export
        from seqzoo.export.clients import loaded

        super().__init__(training, test)
        with tempfile.TemporaryDirectory() as folder:
            stack = contextlib.ExitStack()
            atexit.register(stack.close)
            self.run = stack.enter_context(loaded(export.saved_model(self.model, folder)["path"]))
            self.interpreters = {}
            for name, quantize in (("float32", None), ("int8", "dynamic_int8")):
                path = export.litert(self.model, pathlib.Path(folder, f"{name}.tflite"), quantize)["path"]
                self.interpreters[name] = Interpreter(model_content=pathlib.Path(path).read_bytes(), num_threads=1)

    def serve(self, batch_size, number):
        """Answers so many requests, one after the other, by the loader that TensorFlow Serving uses."""
        for sources in self._lists(batch_size, number):
            self.run("serving_default", source=np.array(sources, object))

    def call(self, name, number):
        """Answers a sum so many times by a LiteRT file's signature, NumPy arrays in and out."""
        answer = self.interpreters[name].get_signature_runner("batch_1")
        source = _code_points()
        for _ in range(number):
            answer(source=source)

    def invoke(self, name, number):
        """The runtime alone: `serving_default`, the file's first signature, with its input in place."""
        interpreter = self.interpreters[name]
        at = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(at, _code_points().shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(at, _code_points())
        for _ in range(number):
            interpreter.invoke()


class Text:
    """A language model of characters and its training."""

    def __init__(self, path, steps, shards=None, seed=0):
        characters = recipe("char_lstm")
        chosen = {"steps_per_epoch": steps, "epochs": 1000, "shards": shards or characters.shards}
        characters = dataclasses.replace(characters, **chosen)
        prepare(characters, seed)
        text = pipelines.read_text(path)
        self.preprocessor = characters.preprocessor(text)
        self.batches = characters.batches(self.preprocessor, self.preprocessor.encode(text), seed)
        self.model = characters.build(self.preprocessor)
        characters.compile(self.model, steps)
        self.epochs = 0

    def train_steps(self):
        """Trains on windows drawn at random."""
        self.model.fit(self.batches, initial_epoch=self.epochs, epochs=self.epochs + 1, verbose=0)
        self.epochs += 1

    def never_end(self):
        """From here on texts are as long as they may get."""
        forbid_end(self.model.dense.bias)

    def write(self, batch_size, length):
        """Draws texts, strings to strings, by the model's own probabilities."""
        self.model.generate(["\n"] * batch_size, length, seed=range(batch_size))


def forbid_end(bias):
    """Makes a model never end, given its last layer's bias."""
    bias.assign(np.concatenate([[-100], bias.numpy()[1:]]))


def _code_points():
    return np.array([[ord(character) for character in "628+521"]], "int32")
