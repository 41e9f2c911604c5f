"""The benchmarks: what they count, what they write, that they run, and that NumPy's side computes what seqzoo does."""

import importlib
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import models, pipelines

ROOT = pathlib.Path(__file__).parents[1]
SUMS = [("57+5", "62"), ("628+521", "1149"), ("0+0", "0"), ("999+1", "1000"), ("12+345", "357"), ("6+78", "84")]


@pytest.fixture
def benchmark(monkeypatch):
    """Imports a module of the benchmark by its name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks/peers")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # Which seqzoo's side sets.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # Which the benchmark takes away.
        monkeypatch.delenv(name, raising=False)
    return importlib.import_module


def test_operations_of_a_model_that_can_be_counted_by_hand(benchmark):
    # 2 source steps × (1 + 3) × 12 + 1 target step × (1 + 6) × 12 + 6 × 5 multiplications, each with an addition.
    assert benchmark("side_by_side").operations(10, 2, 1, 1, 3, 5) == 3 * 2 * 10 * (96 + 84 + 30)


def test_table_says_what_is_met(benchmark):
    module = benchmark("side_by_side")
    cost = module.Cost(0.0125, 2.5e-5)
    rows = [
        module.Row("an epoch", cost, "PyTorch: 1 s", 0.8, 0.85),
        module.Row("writing", cost.rate(100), "PyTorch", 0.999, 1, least=True),
        module.Row("start", "0.51 s", "–", 0.51, 0.5, unit="s"),
        module.Row("an epoch", cost, "NumPy", 2.0),
    ]
    assert module.markdown(rows).splitlines() == [
        "| what | seqzoo | beside it | ratio or figure | target |  |",
        "| --- | --- | --- | --- | --- | --- |",
        "| an epoch | 12.5 ms · 25 µs | PyTorch: 1 s | 0.8 | ≤ 0.85 | met |",
        "| writing | 8,000/s · 4,000,000/s | PyTorch | 0.999 | ≥ 1 | **missed** |",
        "| start | 0.51 s | – | 0.51 s | ≤ 0.5 s | **missed** |",
        "| an epoch | 12.5 ms · 25 µs | NumPy | 2 | – | – |",
    ]


def test_table_takes_the_place_of_the_one_in_the_page(benchmark):
    replace_table = benchmark("side_by_side").replace_table
    page = "# Speed\n\n<!-- table -->\nold\n<!-- end -->\n\nReasons.\n"
    assert replace_table(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="<!-- table -->"):
        replace_table("# Speed\n", "new")


def test_speeds_page_has_a_place_for_the_table(benchmark):
    page = ROOT / "docs/speed.md"
    assert benchmark("side_by_side").replace_table(page.read_text(encoding="utf-8"), "new")


def test_exponent_of_a_power(benchmark):
    assert benchmark("side_by_side").exponent({x: 3 * x**1.5 for x in (10, 100, 1000)}) == pytest.approx(1.5)


@pytest.fixture
def sums_file(tmp_path):
    """A file of the sums above."""
    path = tmp_path / "sums.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in SUMS), encoding="utf-8")
    return path


def test_large_data_reports_every_pass_over_the_files(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/large_data.py", "--rows", "3000", "--files", "2", "--epochs", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    passes = re.findall(r"^(.+?) +[\d,]+ pairs/s +[\d.]+ s of CPU +[\d,]+ MiB, at most [\d,]+$", done.stdout, re.M)
    assert passes == [
        "check of every line", "vocabulary and lengths", "epoch 1: shuffled batches of 128",
        "epoch 2: shuffled batches of 128",
    ]  # fmt: skip


@pytest.mark.slow(minutes=2)
def test_seqzoos_side_does_everything_that_is_measured(benchmark, tmp_path):
    module = benchmark("seqzoo_peer")
    paths = tmp_path / "train.tsv", tmp_path / "test.tsv"
    for path, split in zip(paths, ("train[:1000]", "test[:100]"), strict=True):
        pairs = pipelines.load_addition(3, split).as_numpy_iterator()
        path.write_bytes(b"".join(b"%s\t%s\n" % pair for pair in pairs))
    exports = module.Exports(*paths)
    assert exports.parameters() == 217_773
    exports.epoch()
    assert 0 <= exports.exact_match() <= 1
    exports.preprocess()
    exports.generate(10, 2)
    exports.serve(10, 2)
    for name in ("float32", "int8"):
        exports.call(name, 2)
        exports.invoke(name, 2)
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat.\n" * 100)
    side = module.Text(text, 2)
    side.train_steps()
    side.never_end()
    side.write(2, 5)


@pytest.mark.slow(minutes=3)
def test_throughput_prints_a_rate_for_each_line(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/throughput.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    rates = re.findall(r"^(.+?) +([\d,]+) +([\d,]+)$", done.stdout, re.MULTILINE)
    assert len(rates) == 5 + 3 + 3


def test_numpy_side_has_seqzoos_gradients_and_answers(benchmark, sums_file):
    side = benchmark("numpy_peer").Sums(sums_file, sums_file, hidden_dim=8, embedding_dim=4)
    for weight in side.weights.values():
        weight[:] = side.random.standard_normal(weight.shape)
    preprocessor = pipelines.PairPreprocessor(pipelines.Vocabulary("+0123456789"), 7, 4, reverse=True)
    model = models.PeekySeq2Seq(preprocessor, embedding_dim=4, hidden_dim=8, pass_cell_state=False)
    assert model.count_params() == side.parameters()
    parts = [model.encoder.embedding, model.encoder.recurrent[0].rnn.cell]
    parts += [model.decoder.embedding, model.decoder.recurrent[0].rnn.cell, model.decoder.dense]
    variables = [variable for part in parts for variable in part.trainable_variables]
    for variable, (name, weight) in zip(variables, side.weights.items(), strict=True):
        variable.assign(_gates(name, weight))

    inputs, answer = preprocessor(*zip(*SUMS, strict=True))
    with tf.GradientTape() as tape:
        loss = models.SequenceCrossentropy()(answer, model(inputs))
    expected = tape.gradient(loss, [variable.value for variable in variables])
    gradients = side._gradients(side.source, side.target)
    for name, gradient in zip(side.weights, expected, strict=True):
        gradient = keras.ops.convert_to_numpy(tf.convert_to_tensor(gradient))
        np.testing.assert_allclose(_gates(name, gradients[name]), gradient, rtol=1e-3, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(side.answer(side.source), model.decode(inputs["source"])[0][:, 0])


def _gates(name, weight):
    """An LSTM's weight with its gates in Keras' order, for NumPy's forget, input, output, new."""
    if not name.endswith(("_x", "_h", "coder_b")):
        return weight
    forget, take, give, new = np.split(weight, 4, axis=-1)
    return np.concatenate([take, forget, new, give], axis=-1)
