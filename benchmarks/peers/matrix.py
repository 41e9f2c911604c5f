"""The float32 matrix rate of one core, by one library: `python matrix.py LIBRARY` prints GFLOP/s, the best of ten."""

import sys
import time

SIZE = 2048


def product(library):
    """A function that multiplies two matrices and waits for the result; NumPy's threads are set from outside."""
    if library == "numpy":
        import numpy as np

        a = np.ones((SIZE, SIZE), "float32")
        return lambda: a @ a
    if library == "torch":
        import torch

        torch.set_num_threads(1)
        a = torch.ones(SIZE, SIZE)
        return lambda: a @ a
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    a = tf.ones((SIZE, SIZE))
    return lambda: (a @ a).numpy()


def seconds(work):
    """What a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    work = product(sys.argv[1])
    print(2 * SIZE**3 / min(seconds(work) for _ in range(10)) / 1e9)
