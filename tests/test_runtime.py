"""How batches are shared out between processors, and graphs that Python calls quickly."""

import os
import subprocess
import sys
import threading
import time

import pytest
import tensorflow as tf

from seqzoo.models import execution
from seqzoo.runtime import compiled_for_python, in_parallel, shared_out


@pytest.fixture
def three_processors(monkeypatch):
    monkeypatch.setattr(execution, "processors", lambda: 3)


@pytest.mark.parametrize(("rows", "parts"), [(0, 1), (1, 1), (127, 1), (128, 2), (193, 3), (1000, 3)])
def test_rows_are_shared_out_evenly(three_processors, rows, parts):
    shared = [list(range(rows))[part] for part in shared_out(rows, 64)]
    assert [row for part in shared for row in part] == list(range(rows))
    assert len(shared) == parts
    sizes = list(map(len, shared))
    assert max(sizes) - min(sizes) <= 1


def test_a_gpu_gets_all_rows_at_once(three_processors, monkeypatch):
    monkeypatch.setattr(execution, "has_gpu", lambda: True)
    assert shared_out(1000, 64) == [slice(0, 1000)]


@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_results_come_in_order_however_long_each_takes(three_processors, number):
    def slowly(item):
        time.sleep(0.002 * (item % 3 == 0))
        return -item

    assert list(in_parallel(slowly, range(number))) == [-item for item in range(number)]


def test_one_item_stays_on_this_thread_and_several_run_side_by_side(three_processors):
    def thread(_):
        barrier.wait(timeout=10)
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
    running, lock = [0], threading.Lock()

    def count(item):
        with lock:
            running[0] += 1
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return item

    results = in_parallel(count, iter(range(100)))
    assert next(results) == 0
    results.close()
    assert running == [0]
    assert list(in_parallel(count, range(3))) == [0, 1, 2]


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
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


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
    monkeypatch.setattr(execution, "has_gpu", lambda: True)
    call = compiled_for_python(lambda x: (x + 1, -x), [tf.TensorSpec([], tf.int32)])
    assert [int(each) for each in call(tf.constant(3))] == [4, -3]
