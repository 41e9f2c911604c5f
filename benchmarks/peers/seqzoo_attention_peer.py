"""seqzoo's attention model as its users call it: a recipe and `fit`, strings in and strings out."""

import dataclasses
import pathlib
import tempfile

import numpy as np
import words
from seqzoo_peer import forbid_end, prepare

from seqzoo import export, models, pipelines
from seqzoo.training import recipe

_CHOSEN = {"target_split": "whitespace", "dropout": 0.3, "batch_size": 128, "min_steps": 0}


class Words:
    """An attention model and its training.

    Args:
        everything: file whose vocabularies and lengths the model has.
        training: file to train on.
        asked: file whose sources are to be answered.
        hidden_dim: int.
        embedding_dim: int.
        epochs: int, of the schedule.
        shards: int; `None` for the recipe's.
        seed: int.
    """

    def __init__(
        self, everything, training, asked, hidden_dim=256, embedding_dim=128, epochs=1000, shards=None, seed=0
    ):
        attention = recipe("pairs_attention")
        chosen = {"hidden_dim": hidden_dim, "embedding_dim": embedding_dim, "epochs": epochs}
        attention = dataclasses.replace(attention, **_CHOSEN, **chosen, shards=shards or attention.shards)
        prepare(attention, seed)
        preprocessor = attention.preprocessor(pipelines.read_pairs(everything))
        self.batches = attention.batches(preprocessor, pipelines.read_pairs(training), seed)
        self.asked = [source for source, _ in words.read(asked)]
        self.model = attention.build(preprocessor)
        attention.compile(self.model, steps_per_epoch=len(self.batches))
        self.epochs = 0

    def parameters(self):
        """Their number."""
        return self.model.count_params()

    def epoch(self):
        """Trains on all rows once."""
        self.model.fit(self.batches, initial_epoch=self.epochs, epochs=self.epochs + 1, verbose=0)
        self.epochs += 1

    def save(self, path, weights):
        """Writes the model, and its weights by the names that PyTorch's side gives them."""
        self.model.save(path)
        np.savez(weights, **named_weights(self.model))


class _Answering:
    """Answers strings by a model."""

    def generate(self, batch_size, number, beam_size=1):
        """Answers so many batches, strings to strings."""
        for sources in _lists(self.asked, batch_size, number):
            self.model.generate(sources, batch_size, beam_size=beam_size)

    def answers(self):
        """The greedy answers to all sources that are asked."""
        return self.model.generate(self.asked)


class Answers(_Answering):
    """A trained model, and what it was exported to."""

    def __init__(self, trained, asked):
        # On one thread: `generate` divides its batch over the cores.
        prepare(dataclasses.replace(recipe("pairs_attention"), shards=1), seed=0)
        self.model = models.load(trained)
        self.asked = [source for source, _ in words.read(asked)]

    def export(self):
        """Makes the LiteRT files."""
        from ai_edge_litert.interpreter import Interpreter

        self.interpreters = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, quantize in (("float32", None), ("int8", "dynamic_int8")):
                path = export.litert(self.model, f"{folder}/{name}.tflite", quantize)["path"]
                self.interpreters[name] = Interpreter(model_content=pathlib.Path(path).read_bytes(), num_threads=1)

    def invoke(self, name, number):
        """The runtime alone: `serving_default`, the file's first signature, a word after the other."""
        interpreter, length = self.interpreters[name], self.model.preprocessor.source_length
        at = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(at, (1, length))
        interpreter.allocate_tensors()
        for (source,) in _lists(self.asked, 1, number):
            code_points = list(map(ord, source)) + [0] * (length - len(source))
            interpreter.set_tensor(at, np.array([code_points], "int32"))
            interpreter.invoke()


class Endless(_Answering, Words):
    """A model that was not trained and never ends an answer early: they are as long as answers get."""

    def __init__(self, everything, training, asked):
        super().__init__(everything, training, asked, shards=1)
        forbid_end(self.model.decoder.dense.bias)


def named_weights(model):
    """The arrays of a model with one layer of LSTM cells: by PyTorch's names and in its shapes."""
    encoder, decoder = model.encoder, model.decoder
    weights = {
        "encoder_embedding.weight": encoder.embedding.embeddings,
        "decoder_embedding.weight": decoder.embedding.embeddings,
    }
    layers = {"encoder.{}_l0": encoder.recurrent, "encoder.{}_l0_reverse": encoder.backward}
    for name, (layer,) in {**layers, "decoder.{}_l0": decoder.recurrent}.items():
        cell = layer.rnn.cell
        weights[name.format("weight_ih")], weights[name.format("weight_hh")] = cell.kernel, cell.recurrent_kernel
        weights[name.format("bias_ih")] = cell.bias
        weights[name.format("bias_hh")] = np.zeros(cell.bias.shape, "float32")
    attention, ((hidden, cell),) = decoder.attention, encoder.bridges
    dense = {"hidden": hidden, "cell": cell, "dense": decoder.dense}
    dense |= {name: getattr(attention, name) for name in ("key", "value", "query")}
    for name, layer in dense.items():
        weights[f"{name}.weight"] = layer.kernel
        if layer.use_bias:
            weights[f"{name}.bias"] = layer.bias
    arrays = {name: np.asarray(weight) for name, weight in weights.items()}
    return {name: array if "embedding" in name else array.T for name, array in arrays.items()}


def _lists(sources, batch_size, number):
    for i in range(number):
        start = i * batch_size % max(1, len(sources) - batch_size + 1)
        yield sources[start : start + batch_size]
