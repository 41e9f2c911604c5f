"""How models run on this machine: what is unrolled or compiled, on how many threads, where memory stays."""

import collections
import concurrent.futures
import contextlib
import ctypes
import functools
import itertools
import os
import signal
import threading

import keras
import tensorflow as tf
from tensorflow.python.eager import context

_SUPPORTED_STRATEGIES = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,  # As good as none.
)

# Products of wide layers are faster on several threads, of narrower ones on one. Measured on two cores: an epoch of the
# peeky model of 128 units 1.9 s either way, with 2.9 and 1.9 s of CPU time; a step of a language model of 256
# units 26 ms either way, with 40 and 27 ms of CPU time; of two layers of 384 units 97 ms, on one thread 135 ms.
_MAX_SINGLE_THREAD_UNITS = 256

# Unrolled graphs grow with the length; past this a loop compiles sooner and runs as fast.
_MAX_UNROLLED_LENGTH = 32

_MAX_STEPS_PER_EXECUTION = 50


def unrolls(*lengths):
    """Whether recurrent layers should be unrolled over sequences of these lengths on this machine.

    On a CPU XLA makes short unrolled sequences fast; on a GPU unrolling would rule out cuDNN.
    """
    return all(length is not None and length <= _MAX_UNROLLED_LENGTH for length in lengths) and not has_gpu()


def jit_compiles():
    """Whether XLA should compile training steps here: on a CPU, outside distribution strategies."""
    return not has_gpu() and not tf.distribute.has_strategy()


def compile_options(steps_per_epoch):
    """Options of `keras.Model.compile` that make training fast on this machine, a dictionary.

    On a CPU the steps run as one XLA program, 50 at a time: together about twice as fast as Keras' defaults. Under a
    distribution strategy neither is possible. Without XLA weights are the same from run to run but for their last bits:
    `AddN` starts with the first input whose memory nothing else still reads (TensorFlow's `kernels/aggregate_ops.h`).

    Raises:
        ValueError: under a strategy that does not keep a copy of the whole model on each device.
    """
    if tf.distribute.has_strategy():
        strategy = tf.distribute.get_strategy()
        if not isinstance(strategy, _SUPPORTED_STRATEGIES):
            raise ValueError(
                "A recipe trains under MirroredStrategy, or MultiWorkerMirroredStrategy (seqzoo train --distributed). "
                f"Received: {type(strategy).__name__}"
            )
        return {"jit_compile": False, "steps_per_execution": 1}
    return {"jit_compile": jit_compiles(), "steps_per_execution": min(_MAX_STEPS_PER_EXECUTION, steps_per_epoch)}


def choose_threads(hidden_dim, shards=1):
    """Chooses how many threads TensorFlow computes its operations on: for the whole process, from its start.

    One for narrow models, one a shard where batches are cut into shards. Figures are then also the same whatever the
    number of processors. Does nothing once TensorFlow has begun to compute, or where there is a GPU, or the number was
    chosen already (`TF_NUM_INTRAOP_THREADS`, `tf.config.threading`).

    Args:
        hidden_dim: int, the width of the model's widest layer.
        shards: int, see `seqzoo.models.StringModel.compile`.

    Raises:
        RuntimeError: see `check_threads_survive`.
    """
    check_threads_survive()
    chosen = "TF_NUM_INTRAOP_THREADS" in os.environ or tf.config.threading.get_intra_op_parallelism_threads()
    if (shards > 1 or hidden_dim <= _MAX_SINGLE_THREAD_UNITS) and not chosen and not has_gpu():
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(shards)


def processors():
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_rows(rows, min_rows, max_rows=None):
    """Cuts a batch's rows evenly into a slice a processor, each of at least `min_rows` if several; one on a GPU.

    With `max_rows` there are as many slices as it takes for none to have more.
    """
    count = 1 if has_gpu() else max(1, min(processors(), rows // min_rows), -(-rows // max_rows) if max_rows else 1)
    edges = [rows * part // count for part in range(count + 1)]
    return [slice(start, end) for start, end in itertools.pairwise(edges)]


def in_parallel(function, items):
    """`map` on a thread a processor, some items read ahead; on this thread for a single item, which costs less.

    For calls of compiled graphs, which run beside Python. What has been begun is waited for after an error too.

    Raises:
        RuntimeError: see `check_threads_survive`.
    """
    check_threads_survive()
    items = iter(items)
    ahead = list(itertools.islice(items, 2 * processors()))
    if len(ahead) < 2:
        yield from map(function, ahead)
        return
    pool = _threads(processors())
    waiting = collections.deque(pool.submit(function, item) for item in ahead)
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
    finally:
        concurrent.futures.wait([future for future in waiting if not future.cancel()])


@functools.cache
def _threads(number):
    """A pool that stays: starting threads takes longer than answering some hundred strings."""
    return concurrent.futures.ThreadPoolExecutor(number)


_lost_threads_of = None
"""The number of the process whose fork this one is, or descends from, if TensorFlow had its threads by then."""


def check_threads_survive():
    """Raises an error in a process that was forked after TensorFlow had started its threads.

    TensorFlow starts them with its first operation, and a fork has none but the thread that forked: what is handed to
    another one there is never done, and a call waits for ever. An import alone starts none.

    Raises:
        RuntimeError: in such a process.
    """
    if _lost_threads_of is not None:
        raise RuntimeError(
            "TensorFlow had started before this process was forked, as it does when a model is loaded, and its threads "
            "are not here: a call could wait for ever. Load the model after the fork, in the process that uses it "
            "(gunicorn: in the worker, without --preload), or start processes by multiprocessing's 'spawn'. "
            f"Received: process {os.getpid()}, forked from {_lost_threads_of}"
        )


def _after_fork():
    global _lost_threads_of
    _threads.cache_clear()  # A child has no threads but its own.
    if _lost_threads_of is None and _has_started():
        _lost_threads_of = os.getppid()


def _has_started():
    """Whether TensorFlow has its threads: by private names, which take no lock that a fork might have lost too."""
    return getattr(getattr(context, "_context", None), "_initialized", False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def compiled_for_python(function, signature):
    """A function of tensors as one graph, traced at once, that Python calls in little time.

    A call of a `tf.function` looks up which graph fits, and the operations are handed from thread to thread. Here the
    graph is named and runs on the thread that calls it; where there is a GPU it is an ordinary concrete function.
    Options of `tf.config.optimizer` do not reach it.

    Args:
        function: takes tensors and returns a tuple of tensors.
        signature: list of `tf.TensorSpec`, of its arguments.

    Raises:
        RuntimeError: see `check_threads_survive`.
    """
    check_threads_survive()
    function = tf.function(function, input_signature=signature, autograph=False)
    if has_gpu():
        return function.get_concrete_function()
    executor = "SINGLE_THREADED_EXECUTOR"
    with tf.experimental.function_executor_type(executor):  # Else loops and conditions become what it cannot run.
        graph = function.get_concrete_function()
    captured, dtypes = list(graph.captured_inputs), [output.dtype for output in graph.outputs]

    def call(*inputs):
        return tf.raw_ops.StatefulPartitionedCall(
            args=[*inputs, *captured], Tout=dtypes, f=graph, executor_type=executor
        )

    return call


def has_gpu():
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def keep_freed_memory():
    """Has glibc keep the memory that is freed, for the whole process; does nothing where there is no glibc.

    Every training step allocates its buffers anew. glibc would give them back to the kernel, which clears each page
    again: a tenth or more of a language model's CPU time.
    """
    no_mmap, no_trim = (-4, 0), (-1, 2**31 - 1)  # M_MMAP_MAX, M_TRIM_THRESHOLD; see mallopt(3).
    mallopt = os.name == "posix" and getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(*no_mmap)
        mallopt(*no_trim)


class _Interruption(keras.callbacks.Callback):
    async_safe = True  # Keras need not wait for it.
    is_requested = False

    def request(self, *_):
        """Handles Ctrl-C: the running batch is the last one, unless it is pressed again."""
        self.is_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_train_batch_end(self, batch=None, logs=None):
        """Ends the training, if that is requested."""
        if self.is_requested:
            raise KeyboardInterrupt

    on_test_batch_end = on_train_batch_end


@contextlib.contextmanager
def interrupted_between_steps():
    """Yields a callback by which Ctrl-C ends a training after its running batch, and a second Ctrl-C at once.

    TensorFlow 2.21 frees memory twice, and aborts, where an interrupt arrives while it creates an operation that has
    lists as attributes, such as an iterator. Does nothing where the program handles the signal, or outside the main
    thread.

    Raises:
        RuntimeError: see `check_threads_survive`.
    """
    check_threads_survive()
    callback, is_main = _Interruption(), threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield callback
        return
    signal.signal(signal.SIGINT, callback.request)
    try:
        yield callback
        callback.on_train_batch_end()  # Where it was requested after the last batch.
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
