"""A process that was forked: it computes if TensorFlow had not started before, and says so where it cannot."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

# Runs a function in a fork, and prints what became of it; a fork that hangs is ended.
FORK = """
import os, signal, time
import seqzoo

def fork(name, function, seconds=10):
    child = os.fork()
    if not child:
        try:
            print(name, "returned", function(), flush=True)
        except BaseException as error:
            print(name, type(error).__name__, error, flush=True)
        os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(name, "never returned", flush=True)

def load():
    return seqzoo.models.from_preset("addition_peeky_reverse")
"""


@pytest.fixture
def run(warm_python):
    """Runs code after the above, in a process where TensorFlow has been imported only; returns the lines printed."""

    def run(code):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        done = subprocess.run([warm_python / "python", "-c", FORK + code], **pipes, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_a_fork_loads_and_answers_where_tensorflow_was_imported_only(run):
    code = """
import keras, tensorflow as tf
keras.utils.set_random_seed(0)
tf.config.list_physical_devices()
fork("few", lambda: load().generate(["57+5"]))
fork("many", lambda: set(load().generate(["57+5"] * 400)))
fork("text", lambda: len(seqzoo.models.from_preset("char_lstm_pydoc").generate("The ", 3)))
"""
    assert run(code) == ["few returned ['62']", "many returned {'62'}", "text returned 3"]


CALLS = """
sums = load()
writer = seqzoo.models.from_preset("char_lstm_pydoc")
dates = seqzoo.models.from_preset("dates")
for model in (sums, writer):
    model.compile(jit_compile=False)
pairs, text = [("1+1", "2")] * 3, "The text. " * 30
batch = next(iter(sums.preprocessor.batches(pairs, 3)))
sums.generate(["57+5"])

fork("generate", lambda: sums.generate("57+5"))
fork("generate many", lambda: sums.generate(["57+5"] * 400))
fork("n_best", lambda: sums.n_best("57+5"))
fork("predict", lambda: sums.predict(["57+5"]))
fork("predict batches", lambda: sums.predict(batch[0], verbose=0))
fork("evaluate", lambda: sums.evaluate(pairs, verbose=0))
fork("evaluate batches", lambda: sums.evaluate(*batch, verbose=0))
fork("fit", lambda: sums.fit(pairs, verbose=0))
fork("fit batches", lambda: sums.fit(*batch, verbose=0))
fork("train_on_batch", lambda: sums.train_on_batch(*batch))
fork("test_on_batch", lambda: sums.test_on_batch(*batch))
fork("predict_on_batch", lambda: sums.predict_on_batch(batch[0]))
fork("align", lambda: dates.align("4 may 1990"))
fork("text generate", lambda: writer.generate("The "))
fork("text generate many", lambda: writer.generate(["The "] * 100))
fork("text stream", lambda: next(writer.stream("The ")))
fork("text predict", lambda: writer.predict(["The "]))
fork("text evaluate", lambda: writer.evaluate(text, verbose=0))
fork("text fit", lambda: writer.fit(text, verbose=0))
fork("load", load)
fork("from_pairs", lambda: seqzoo.models.Seq2Seq.from_pairs(pairs))
fork("train", lambda: seqzoo.training.train(seqzoo.training.recipe("addition_baseline"), "run"))
fork("decoded evaluation", lambda: seqzoo.training.evaluate(sums, pairs))
fork("from_text", lambda: seqzoo.models.LanguageModel.from_text(text))
fork("fork of a fork", lambda: fork("inner", lambda: sums.generate("57+5")))
fork("other work", lambda: (sums.count_params(), len(sums.get_weights()), os.system("true")))
print("parent", sums.generate(["57+5"] * 400)[-1])
"""


def test_what_would_wait_for_ever_in_a_fork_is_an_error_that_says_what_to_do(run):
    *calls, parent = run(CALLS)
    outcomes = [line.partition(" RuntimeError ") for line in calls]
    refused = {name: message for name, error, message in outcomes if error}
    assert [name for name, error, _ in outcomes if not error] == [
        "fork of a fork returned None", "other work returned (473901, 10, 0)",
    ]  # fmt: skip
    assert len(refused) == CALLS.count("\nfork(") - 1
    for message in refused.values():
        assert message.startswith("TensorFlow had started before this process was forked")
        assert "Load the model after the fork" in message
        assert "'spawn'. Received: process " in message
    assert parent == "parent 62"


SPAWN = """
import multiprocessing, sys
import seqzoo

def answer(source):
    return seqzoo.models.from_preset("addition_peeky_reverse").generate(source)

if __name__ == "__main__":
    print(answer("57+5"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(answer, ["57+5", "1+1"]))
"""


@pytest.mark.slow(minutes=1)
def test_processes_that_are_spawned_answer(tmp_path):
    (tmp_path / "main.py").write_text(SPAWN)
    done = subprocess.run([sys.executable, tmp_path / "main.py"], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["62", "['62', '2']"]
