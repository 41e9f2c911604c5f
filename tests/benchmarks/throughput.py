"""Measures strings to batches, to answers and to written text: `python tests/benchmarks/throughput.py`.

Prints each rate as the median of several rounds, by wall time and by process CPU time, beside this machine's float32
matrix rate on one core. The models are untrained: their answers are as long as answers get, which costs the most; the
language model (256 units) is kept from ending its texts.
"""

import os
import statistics
import string
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's matrix product: one core.

import numpy as np
import tensorflow as tf

from seqzoo import models, pipelines

_ROUNDS = 7
_REPEAT = 10  # A data set's start would otherwise count for as much as its rows.


def rate(work, amount):
    """Runs `work` several times; gives (amount per second of wall time, per second of CPU time), medians."""
    work()
    wall, cpu = [], []
    for _ in range(_ROUNDS):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return amount / statistics.median(wall), amount / statistics.median(cpu)


def main():
    """Prints the table."""
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

    print(f"{'':44} {'per wall s':>12} {'per CPU s':>12}")
    for name, (wall, cpu) in {
        "float32 matrix product 2048³, GFLOP": rate(lambda: matrix @ matrix, 2 * 2048**3 / 1e9),
        "strings to padded batches of 1,024, pairs": rate(
            lambda: batches.reduce(0, lambda count, _: count + 1), _REPEAT * (len(rows) // 1024 * 1024)
        ),
        "generate, batches of 1,024, sums": rate(lambda: model.generate(sources), len(rows)),
        "write from 1 prompt, characters": rate(lambda: writer.generate("ROMEO:", 2000), 2000),
        "write from 64 prompts, characters": rate(lambda: writer.generate(["ROMEO:"] * 64, 500, seed=range(64)), 32000),
    }.items():
        print(f"{name:44} {wall:12,.0f} {cpu:12,.0f}")


if __name__ == "__main__":
    main()
