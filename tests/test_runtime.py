"""How batches are split between processors, graphs that Python calls quickly, what is unrolled and compiled."""

import os
import signal
import subprocess
import sys
import threading

import keras
import pytest
import tensorflow as tf

from seqzoo import models, runtime
from seqzoo.runtime import compiled_for_python, in_parallel, split_rows


@pytest.fixture
def three_processors(monkeypatch):
    monkeypatch.setattr(runtime, "processors", lambda: 3)


@pytest.mark.parametrize(("rows", "parts"), [(0, 1), (1, 1), (127, 1), (128, 2), (193, 3), (1000, 3)])
def test_rows_are_shared_out_evenly(three_processors, rows, parts):
    shared = [list(range(rows))[part] for part in split_rows(rows, 64)]
    assert [row for part in shared for row in part] == list(range(rows))
    assert len(shared) == parts
    sizes = list(map(len, shared))
    assert max(sizes) - min(sizes) <= 1


def test_a_gpu_gets_all_rows_at_once(three_processors, monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    assert split_rows(1000, 64) == [slice(0, 1000)]


@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_results_come_in_order_whichever_ends_first(three_processors, number):
    """Every third item ends after the one that follows it."""
    done = [threading.Event() for _ in range(number)]

    def negate(item):
        if item % 3 == 0 and item + 1 < number:
            done[item + 1].wait()
        done[item].set()
        return -item

    assert list(in_parallel(negate, range(number))) == [-item for item in range(number)]


def test_one_item_stays_on_this_thread_and_several_run_side_by_side(three_processors):
    def thread(_):
        barrier.wait()
        return threading.get_ident()

    barrier = threading.Barrier(1)
    assert list(in_parallel(thread, [0])) == [threading.get_ident()]
    barrier = threading.Barrier(3)  # Each waits for two others.
    assert len(set(in_parallel(thread, range(3)))) == 3


def test_an_items_error_is_raised_in_its_turn(three_processors):
    results = in_parallel(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_has_begun_is_waited_for_when_the_rest_is_not_wanted(three_processors):
    running, ended, may_end = threading.Semaphore(0), [], threading.Event()

    def work(item):
        if item:
            running.release()
            may_end.wait()
        ended.append(item)
        return item

    results = in_parallel(work, iter(range(100)))
    assert next(results) == 0
    for _ in range(3):
        running.acquire()
    closing = threading.Thread(target=results.close)
    closing.start()
    closing.join(timeout=0.2)
    assert closing.is_alive()
    assert ended == [0]
    may_end.set()
    closing.join()
    assert sorted(ended) == [0, 1, 2, 3]
    assert list(in_parallel(work, range(3))) == [0, 1, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_threads_of_its_own():
    code = """
import os
from seqzoo.runtime import in_parallel
assert list(in_parallel(abs, [-1, -2, -3])) == [1, 2, 3]
child = os.fork()
if not child:
    os._exit(list(in_parallel(abs, [-1, -2, -3])) != [1, 2, 3])
raise SystemExit(os.waitpid(child, 0)[1])
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_compiled_function_takes_and_gives_tensors_and_reads_variables_as_they_are():
    factor = tf.Variable(2)

    def scaled(numbers, texts):
        total = tf.while_loop(lambda at, _: at < tf.size(numbers), lambda at, sum: (at + 1, sum + numbers[at]), (0, 0))[
            1
        ]
        return numbers * factor, tf.cond(total > 5, lambda: texts, lambda: tf.zeros_like(texts)), total

    call = compiled_for_python(scaled, [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.string)])
    numbers, texts, total = call(tf.constant([1, 2, 3]), tf.constant(["a"]))
    assert (numbers.numpy().tolist(), texts.numpy().tolist(), int(total)) == ([2, 4, 6], [b"a"], 6)
    factor.assign(-1)
    numbers, texts, _ = call(tf.constant([1]), tf.constant(["a", "b"]))
    assert (numbers.numpy().tolist(), texts.numpy().tolist()) == ([-1], [b"", b""])


def test_a_compiled_function_is_an_ordinary_one_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    call = compiled_for_python(lambda x: (x + 1, -x), [tf.TensorSpec([], tf.int32)])
    assert [int(each) for each in call(tf.constant(3))] == [4, -3]


@pytest.mark.parametrize(("lengths", "expected"), [((7, 4), True), ((32,), True), ((7, 33), False), ((None,), False)])
def test_short_sequences_are_unrolled_on_a_cpu(monkeypatch, lengths, expected):
    monkeypatch.setattr(runtime, "has_gpu", lambda: False)
    assert runtime.unrolls(*lengths) is expected
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    assert not runtime.unrolls(*lengths)


def test_training_steps_are_compiled_on_a_cpu_and_run_many_at_a_time(monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: False)
    assert runtime.compile_options(352) == {"jit_compile": True, "steps_per_execution": 50}
    assert runtime.compile_options(3) == {"jit_compile": True, "steps_per_execution": 3}
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    assert runtime.compile_options(3) == {"jit_compile": False, "steps_per_execution": 3}


def test_nothing_is_compiled_under_a_strategy_and_others_than_the_known_ones_are_refused(monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: False)
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        assert runtime.compile_options(3) == {"jit_compile": False, "steps_per_execution": 1}
    with (
        tf.distribute.experimental.CentralStorageStrategy(["CPU:0"], "CPU:0").scope(),
        pytest.raises(ValueError, match=r"trains under MirroredStrategy, or .*Received: CentralStorageStrategy"),
    ):
        runtime.compile_options(3)


@pytest.mark.parametrize(
    ("units", "shards", "variable", "configured", "gpu", "expected"),
    [
        (128, 1, None, 0, False, [1]),
        (256, 1, None, 0, False, [1]),
        (257, 1, None, 0, False, []),
        (128, 2, None, 0, False, [2]),
        (257, 3, None, 0, False, [3]),
        (128, 1, "3", 0, False, []),
        (128, 2, None, 2, False, []),
        (128, 2, None, 0, True, []),
    ],
)
def test_narrow_models_compute_on_one_thread_and_shards_on_one_each_unless_the_user_chose(
    monkeypatch, units, shards, variable, configured, gpu, expected
):
    chosen = []
    monkeypatch.setattr(runtime, "has_gpu", lambda: gpu)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: configured)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", chosen.append)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", variable)
    runtime.choose_threads(units, shards)
    assert chosen == expected


def test_threads_are_left_alone_once_tensorflow_has_begun_to_compute():
    tf.zeros(1)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    runtime.choose_threads(1)
    assert tf.config.threading.get_intra_op_parallelism_threads() == threads


class Interrupt(keras.callbacks.Callback):
    """Does what Ctrl-C does, once."""

    def __init__(self, moment):
        super().__init__()
        setattr(self, moment, self.interrupt)
        self.moment = moment

    def interrupt(self, *_, **__):
        os.kill(os.getpid(), signal.SIGINT)
        setattr(self, self.moment, lambda *_, **__: None)


@pytest.mark.parametrize(
    ("moment", "steps"), [("on_train_batch_begin", 1), ("on_test_batch_begin", 3), ("on_train_end", 6)]
)
def test_an_interrupt_ends_a_training_between_steps(pairs, moment, steps):
    model = models.Seq2Seq.from_pairs(pairs, hidden_dim=2, embedding_dim=2)
    model.compile(run_eagerly=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(pairs, batch_size=28, epochs=2, validation_data=pairs, callbacks=[Interrupt(moment)], verbose=0)
    assert model.optimizer.iterations == steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_does_not_wait_for_the_step(pairs):
    model = models.Seq2Seq.from_pairs(pairs, hidden_dim=2, embedding_dim=2)
    model.compile(run_eagerly=True)
    interrupts = [Interrupt("on_train_batch_begin"), Interrupt("on_train_batch_begin")]
    with pytest.raises(KeyboardInterrupt):
        model.fit(pairs, batch_size=28, callbacks=interrupts, verbose=0)
    assert model.optimizer.iterations == 0


def test_a_program_that_handles_interrupts_itself_goes_on_doing_so(pairs):
    received = []
    before = signal.signal(signal.SIGINT, lambda *_: received.append(1))
    try:
        model = models.Seq2Seq.from_pairs(pairs, hidden_dim=2, embedding_dim=2)
        model.compile(run_eagerly=True)
        model.fit(pairs, batch_size=28, callbacks=[Interrupt("on_train_batch_begin")], verbose=0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == [1]
