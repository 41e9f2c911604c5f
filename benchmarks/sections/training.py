"""An epoch of sums, the batches it is made of, and what shards cost where there is one core only."""

import contextlib
import os
import pathlib
import subprocess
import sys

from report import Row, in_unit
from sides import PYTORCH, PYTORCH_ONE_THREAD, Side, best_pytorch, in_turn, pytorch_sides, same_parameters

from sections.section import section

BATCH_SIZE = 128
_SOURCE_LENGTH, _TARGET_LENGTH = 7, 4
_COMPILED = "PyTorch, torch.compile"
_SHARDED_STEPS = 100

_MATRIX = pathlib.Path(__file__).parents[1] / "peers/matrix.py"
# Some environments choose OpenBLAS's kernels for programs, and not always the fastest: NumPy shall have its best.
_OPENBLAS = {name: os.environ.pop(name) for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ}


def operations(rows, source_length, target_length, embedding_dim, hidden_dim, vocabulary_size):
    """Operations of an epoch by the plain equations of a peeky LSTM model; a multiplication and an addition are two.

    Every matrix product, forwards: in the encoder each step's token and state, in the decoder each step's token,
    context and state, times four gates; the dense layer on context and output. Backwards each costs twice as much: once
    for its inputs and once for its weights.
    """
    gates = 4 * hidden_dim
    encoder = source_length * (embedding_dim + hidden_dim) * gates
    decoder = target_length * (embedding_dim + 2 * hidden_dim) * gates
    dense = target_length * 2 * hidden_dim * vocabulary_size
    return 3 * 2 * rows * (encoder + decoder + dense)


def matrix_rates():
    """The float32 matrix rate of one core in GFLOP/s, by each library, and by NumPy as it is set up here."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

    def rate(library, **environment):
        command = [sys.executable, _MATRIX, library]
        environment = {**os.environ, **one_thread, **environment}
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    rates = {"NumPy": rate("numpy"), "PyTorch": rate("torch"), "TensorFlow": rate("tensorflow")}
    if _OPENBLAS:
        rates[f"NumPy with this environment's {' and '.join(_OPENBLAS)}"] = rate("numpy", **_OPENBLAS)
    return rates


@section(minutes=2)
def training(run):
    """An epoch of the peeky model of 128 units, and the batches it is made of."""
    costs = _epochs(run)
    ours, batches, theirs = costs["seqzoo"], costs["batches"], costs[PYTORCH_ONE_THREAD]
    name, best = best_pytorch(costs)
    what = "training epoch, CPU time"
    yield Row("training epoch, wall time", ours, f"{name}, its best: {best}", ours.wall / best.wall, 0.85)
    yield Row(what, ours, f"{PYTORCH}: {costs[PYTORCH]}", ours.cpu / costs[PYTORCH].cpu, 0.8)
    yield Row(what, ours, f"{PYTORCH_ONE_THREAD}: {theirs}", ours.cpu / theirs.cpu, 1)
    for name, target in ((_COMPILED, 0.85), ("plain Keras", None), ("NumPy", None)):
        if name in costs:
            yield Row(what, ours, f"{name}: {costs[name]}", ours.cpu / costs[name].cpu, target)
    rates = matrix_rates()
    library, rate = max(rates.items(), key=lambda each: each[1])
    trained = run.rows // BATCH_SIZE * BATCH_SIZE
    limit = operations(trained, _SOURCE_LENGTH, _TARGET_LENGTH, 16, 128, 13) / (rate * 1e9)
    yield Row(what, ours, f"the operations at {rate:.0f} GFLOP/s ({library}): {in_unit(limit)}", ours.cpu / limit)
    peer = f"what training consumes: {ours.rate(trained)}"
    yield Row("strings to batches", batches.rate(trained), peer, ours.wall / batches.wall, 10, least=True)
    of_each = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
    yield f"Float32 matrix products on one core, GFLOP/s: {of_each}."


def _epochs(run):
    """What an epoch costs each side, and its batches seqzoo: `{name: Cost}`."""
    paths = run.training, run.test
    with contextlib.ExitStack() as stack:
        sides = {
            "seqzoo": Side("seqzoo_peer", "Sums", *paths),
            **pytorch_sides("torch_peer", "Sums", *paths),
            _COMPILED: Side("torch_peer", "Sums", *paths),
            "NumPy": Side("numpy_peer", "Sums", *paths),
        }
        for side in sides.values():
            stack.enter_context(side)
        same_parameters(sides)
        sides["plain Keras"] = stack.enter_context(Side("keras_peer", "Sums", run.training))
        try:
            sides[_COMPILED].ask("compile")
            sides[_COMPILED].ask("epoch")
        except Exception as error:  # Whatever its compilers raise.
            print(f"torch.compile does not run here: {error!r:.200}", file=sys.stderr)
            del sides[_COMPILED]
        tasks = {name: (side, "epoch") for name, side in sides.items()}
        return in_turn(run.rounds, **tasks, batches=(sides["seqzoo"], "preprocess"))


@section(minutes=4)
def shards(run):
    """What two shards cost on one core, where they gain nothing."""
    everything, words = (run.pronunciations, run.words, run.asked), f"attention, {run.words_name}"
    models = {
        "peeky, 128 units": ("seqzoo_peer", "Sums", (run.training, run.test), ("epoch", _SHARDED_STEPS)),
        "language model, 256 units": ("seqzoo_peer", "Text", (run.text, _SHARDED_STEPS), ("train_steps",)),
        words: ("seqzoo_attention_peer", "Words", everything, ("epoch",)),
    }
    for name, (module, kind, arguments, task) in models.items():
        with (
            Side(module, kind, *arguments, cores=1, shards=2) as sharded,
            Side(module, kind, *arguments, cores=1, shards=1) as whole,
        ):
            costs = in_turn(run.rounds, sharded=(sharded, *task), whole=(whole, *task))
        ours, theirs = costs["sharded"], costs["whole"]
        what = f"training in two shards on one core, CPU time: {name}"
        yield Row(what, ours, f"unsharded: {theirs}", ours.cpu / theirs.cpu, 1.15)
