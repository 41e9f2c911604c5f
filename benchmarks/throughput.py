"""Measures strings to batches, to answers and to written text, and exports: `python benchmarks/throughput.py`.

Prints each rate as the median of several rounds, by wall time and by process CPU time, beside this machine's float32
matrix rate on one core. The models are untrained: their answers are as long as answers get, which costs the most; the
language model (256 units) is kept from ending its texts.
"""

import concurrent.futures
import os
import string
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's matrix product: one core.

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from report import rate

from seqzoo import export, models, pipelines
from seqzoo.export.clients import loaded

_REPEAT = 10  # A data set's start would otherwise count for as much as its rows.


def main():
    """Prints the tables."""
    measure_python()
    with tempfile.TemporaryDirectory() as folder:
        measure_exports(folder)


def measure_python():
    """Pipelines and models, in this process."""
    pairs = pipelines.load_addition(digits=3)
    preprocessor = pipelines.PairPreprocessor.from_pairs(pairs, reverse=True)
    model = models.PeekySeq2Seq(preprocessor, embedding_dim=16, hidden_dim=128)
    rows = [(source, target) for source, target in pairs.as_numpy_iterator()]
    sources, targets = (tf.constant(column) for column in zip(*rows, strict=True))
    blocks = tf.data.Dataset.from_tensor_slices((sources, targets)).batch(1024, drop_remainder=True).cache()
    batches = blocks.repeat(_REPEAT).map(preprocessor, num_parallel_calls=tf.data.AUTOTUNE)
    text = pipelines.TextPreprocessor(pipelines.Vocabulary(string.ascii_letters + " .,:;!?'\n-&$3"))
    writer = models.LanguageModel(text, embedding_dim=64, hidden_dim=256)
    writer.dense.bias.assign(np.eye(text.vocabulary.size)[pipelines.END_ID] * -100)
    matrix = np.ones((2048, 2048), "float32")

    show(
        {
            "float32 matrix product 2048³, GFLOP": rate(lambda: matrix @ matrix, 2 * 2048**3 / 1e9),
            "strings to padded batches of 1,024, pairs": rate(
                lambda: batches.reduce(0, lambda count, _: count + 1), _REPEAT * (len(rows) // 1024 * 1024)
            ),
            "generate, batches of 1,024, sums": rate(lambda: model.generate(sources), len(rows)),
            "write from 1 prompt, characters": rate(lambda: writer.generate("ROMEO:", 2000), 2000),
            "write from 64 prompts, characters": rate(
                lambda: writer.generate(["ROMEO:"] * 64, 500, seed=range(64)), 32000
            ),
        }
    )


def measure_exports(folder):
    """The artefacts of a peeky model of 128 units."""
    preprocessor = pipelines.PairPreprocessor(pipelines.Vocabulary("0123456789+"), 7, 4, reverse=True)
    model = models.PeekySeq2Seq(preprocessor, embedding_dim=16, hidden_dim=128)
    sources = np.array([f"{a}+{b}" for a in range(100, 164) for b in range(200, 264)], object)
    requests = np.split(sources, len(sources) // 1024) * 4
    table = {}
    with loaded(export.saved_model(model, folder)["path"]) as run, concurrent.futures.ThreadPoolExecutor(2) as clients:

        def ask(request):
            return run("serving_default", source=request)

        table["SavedModel, requests of 1,024 from 2 clients, sums"] = rate(
            lambda: list(clients.map(ask, requests)), 1024 * len(requests)
        )
        table["SavedModel, requests of 1,024 one by one, sums"] = rate(
            lambda: list(map(ask, requests)), 1024 * len(requests)
        )
        table["SavedModel, requests of 1, sums"] = rate(lambda: [ask(sources[i : i + 1]) for i in range(200)], 200)
    source = np.array([[ord(character) for character in "628+521"]], "int32")
    for quantize in (None, "float16", "dynamic_int8"):
        path = export.litert(model, f"{folder}/{quantize}.tflite", quantize)["path"]
        answer = Interpreter(path, num_threads=1).get_signature_runner("batch_1")
        table[f"LiteRT, {quantize or 'float32'}, 1 sum at a time, one thread, sums"] = rate(
            lambda answer=answer: [answer(source=source) for _ in range(2000)], 2000
        )
    show(table)


def show(table):
    """Prints rates by name."""
    print(f"{'':52} {'per wall s':>12} {'per CPU s':>12}")
    for name, (wall, cpu) in table.items():
        print(f"{name:52} {wall:12,.0f} {cpu:12,.0f}")


if __name__ == "__main__":
    main()
