"""Streams millions of pairs through training's input: `python benchmarks/large_data.py [--rows N] [--files N]`.

Prints, for each pass over the data, its rate, its CPU time and the resident memory of the whole process after it.
"""

import argparse
import os
import pathlib
import resource
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from seqzoo import pipelines

_BLOCK = 100_000
_BATCH = 128


def write_sums(folder, rows, files):
    """Random sums of up to six digits in so many files; returns their glob."""
    numbers = np.random.default_rng(0)
    for number in range(files):
        with open(folder / f"sums-{number:03d}.tsv", "w", encoding="utf-8") as file:
            for start in range(0, rows // files, _BLOCK):
                block = numbers.integers(0, 10**6, (min(_BLOCK, rows // files - start), 2)).tolist()
                file.write("".join(f"{a}+{b}\t{a + b}\n" for a, b in block))
    return str(folder / "sums-*.tsv")


def resident():
    """This process's resident memory now, and at most so far, in MiB."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def report(name, rows, began):
    """Prints a pass's figures."""
    wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
    now, peak = resident()
    print(
        f"{name:34s} {rows / wall:11,.0f} pairs/s {cpu:6.1f} s of CPU   {now:6,.0f} MiB, at most {peak:,.0f}",
        flush=True,
    )


def main():
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()

    def now():
        return time.monotonic(), time.process_time()

    print(f"{options.rows:,} pairs in {options.files} file(s); {resident()[0]:,.0f} MiB after the imports")
    with tempfile.TemporaryDirectory() as folder:
        path = write_sums(pathlib.Path(folder), options.rows, options.files)
        began = now()
        pairs = pipelines.read_pairs(path)
        report("check of every line", options.rows, began)
        began = now()
        preprocessor = pipelines.PairPreprocessor.from_pairs(pairs)
        report("vocabulary and lengths", options.rows, began)
        batches = preprocessor.batches(pairs, _BATCH, shuffle_seed=0, drop_remainder=True)
        for epoch in range(options.epochs):
            began, rows = now(), 0
            for _, answers in batches:
                rows += len(answers)
            report(f"epoch {epoch + 1}: shuffled batches of {_BATCH}", rows, began)


if __name__ == "__main__":
    main()
