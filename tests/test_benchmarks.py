"""The benchmarks: what they count, what they write, that they run, that other sides compute what seqzoo does."""

import argparse
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import models, pipelines
from seqzoo.training import recipe

ROOT = pathlib.Path(__file__).parents[1]
SUMS = [("57+5", "62"), ("628+521", "1149"), ("0+0", "0"), ("999+1", "1000"), ("12+345", "357"), ("6+78", "84")]
_BEAM = 40  # So wide that hardly anything is lost.


def test_operations_of_a_model_that_can_be_counted_by_hand(benchmark):
    # 2 source steps × (1 + 3) × 12 + 1 target step × (1 + 6) × 12 + 6 × 5 multiplications, each with an addition.
    assert benchmark("sections.training").operations(10, 2, 1, 1, 3, 5) == 3 * 2 * 10 * (96 + 84 + 30)


def test_table_says_what_is_met(benchmark):
    module = benchmark("report")
    cost = module.Cost(0.0125, 2.5e-5)
    rows = [
        module.Row("an epoch", cost, "PyTorch: 1 s", 0.8, 0.85),
        module.Row("writing", cost.rate(100), "PyTorch", 0.999, 1, least=True),
        module.Row("start", "0.51 s", "–", 0.51, 0.5, unit="s"),
        module.Row("an epoch", cost, "NumPy", 2.0),
    ]
    table = [
        "| what | seqzoo | beside it | ratio or figure | target |  |",
        "| --- | --- | --- | --- | --- | --- |",
        "| an epoch | 12.5 ms · 25 µs | PyTorch: 1 s | 0.8 | ≤ 0.85 | met |",
        "| writing | 8,000/s · 4,000,000/s | PyTorch | 0.999 | ≥ 1 | **missed** |",
        "| start | 0.51 s | – | 0.51 s | ≤ 0.5 s | **missed** |",
        "| an epoch | 12.5 ms · 25 µs | NumPy | 2 | – | – |",
    ]
    assert module.markdown(rows).splitlines() == table


def test_sections_text_names_the_machine_above_its_table(benchmark, monkeypatch):
    module = benchmark("report")
    monkeypatch.setattr(module, "_PACKAGES", ("seqzoo", "not-installed", "keras"))
    row = module.Row("an epoch", "1 s", "–", 1.0)
    machine, table, note = module.section_text([row, "A paragraph."]).split("\n\n")
    assert re.search(r"\d+ cores, with(out)? AVX-512; Python 3[.\d]+, seqzoo \S+, keras [.\d]+\.$", machine)
    assert (table, note) == (module.markdown([row]), "A paragraph.")


def test_table_takes_the_place_of_its_own_section_in_the_page(benchmark):
    replace_table = benchmark("report").replace_table
    page = "# Speed\n\n<!-- table: a -->\nold a\n<!-- end -->\n\n<!-- table: b -->\nold b\n<!-- end -->\n\nReasons.\n"
    for name in "ab":
        assert replace_table(page, name, "new") == page.replace(f"old {name}", "new")
    for wrong in ("# Speed\n", page.replace("<!-- end -->", ""), page + page):
        with pytest.raises(ValueError, match="<!-- table: a -->"):
            replace_table(wrong, "a", "new")


def test_speeds_page_has_a_place_for_each_sections_table(benchmark):
    page = (ROOT / "docs/speed.md").read_text(encoding="utf-8")
    sections = [each.__name__ for each in benchmark("side_by_side").SECTIONS]
    assert re.findall(r"^<!-- table: (\w+) -->$", page, re.MULTILINE) == sections
    for name in sections:
        assert benchmark("report").replace_table(page, name, "new")


def test_list_says_what_each_section_takes_and_measures_none():
    command = [sys.executable, ROOT / "benchmarks/side_by_side.py", "--list"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    minutes = [int(re.fullmatch(r"\w+ +(\d+) min(  .+\.)?", line)[1]) for line in lines]
    assert minutes[-1] == sum(minutes[:-1])


def test_run_in_parts_replaces_the_tables_of_its_sections_only(benchmark, tmp_path, monkeypatch):
    module, report = benchmark("side_by_side"), benchmark("report")
    page = tmp_path / "page.md"
    page.write_text("<!-- table: starts -->\nold\n<!-- end -->\n<!-- table: texts -->\nold\n<!-- end -->\n")

    def starts(run):
        """Nothing."""
        yield report.Row("a start", "1 s", "–", 1.0)

    starts.minutes = 0
    monkeypatch.setattr(module, "SECTIONS", (starts,))
    monkeypatch.setattr(module, "write_data", lambda *_: None)
    monkeypatch.setattr(report, "machine", lambda: "A machine.")
    monkeypatch.setattr(sys, "argv", ["side_by_side.py", "--only", "starts", "--page", str(page)])
    module.main()
    starts_table, texts_table = page.read_text(encoding="utf-8").split("<!-- end -->\n", 1)
    assert starts_table.startswith("<!-- table: starts -->\nA machine.\n\n| what |")
    assert texts_table == "<!-- table: texts -->\nold\n<!-- end -->\n"


def test_words_are_drawn_in_a_seeded_order_none_twice(benchmark, tmp_path):
    module, path = benchmark("side_by_side"), tmp_path / "words.tsv"
    lines = [f"WORD{at}\tW ER D\n" for at in range(20)]
    path.write_text("".join(lines))
    run = argparse.Namespace(folder=tmp_path / "drawn", pronunciations=path)
    run.folder.mkdir()
    module.draw_words(run, 12, 8)
    drawn = run.words.read_text().splitlines(keepends=True), run.asked.read_text().splitlines(keepends=True)
    assert list(map(len, drawn)) == [12, 8]
    assert sorted(drawn[0] + drawn[1]) == sorted(lines) != drawn[0] + drawn[1]
    module.draw_words(run, 12, 8)
    assert run.words.read_text() == "".join(drawn[0])
    with pytest.raises(ValueError, match="needs at least 21 rows"):
        module.draw_words(run, 12, 9)


def test_exponent_of_a_power(benchmark):
    assert benchmark("sections.growth").exponent({x: 3 * x**1.5 for x in (10, 100, 1000)}) == pytest.approx(1.5)


def test_figure_of_curves_that_rise_and_fall(benchmark, tmp_path):
    curves = {"cores": {1: 2.0, 2: 1.1}, "beam": {1: 1.0, 4: 3.0}}
    benchmark("sections.growth").draw(curves, ["s", "s"], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_second_goal_is_reached_by_the_recipe_as_it_stands(benchmark):
    chosen = recipe("pairs_peeky_reverse")
    schedule = benchmark("sections.goals").RECIPE
    assert schedule == {"epochs": chosen.epochs, "learning_rate": chosen.learning_rate}


@pytest.fixture
def sums_file(tmp_path):
    """A file of the sums above."""
    path = tmp_path / "sums.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in SUMS), encoding="utf-8")
    return path


@pytest.fixture
def words_file(benchmark, tmp_path):
    """A file of words and what they are read as; the first has the greatest lengths."""
    path = tmp_path / "words.tsv"
    words = ["".join("ABCD"[at >> shift & 3] for shift in range(0, 2 + 2 * (at % 4), 2)) for at in range(256)]
    path.write_text("".join(f"{word}\t{' '.join(2 * letter for letter in word)}\n" for word in ["ABCDDCBA", *words]))
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


@pytest.mark.slow(minutes=4)
def test_attention_sides_do_everything_that_is_measured(benchmark, words_file, tmp_path):
    pytest.importorskip("torch")
    seqzoo, torch, stock = map(benchmark, (f"{name}_attention_peer" for name in ("seqzoo", "torch", "keras")))
    sides = [module.Words(*[words_file] * 3, hidden_dim=16, embedding_dim=8) for module in (seqzoo, torch, stock)]
    assert len({side.parameters() for side in sides}) == 1
    for side in sides:
        side.epoch()
    trained, weights = tmp_path / "trained.keras", tmp_path / "weights.npz"
    sides[0].save(trained, weights)
    ours, theirs = seqzoo.Answers(trained, words_file), torch.Answers(words_file, words_file, weights, threads=1)
    assert ours.answers() == theirs.answers()
    for side in (ours, theirs, seqzoo.Endless(*[words_file] * 3)):
        for beam_size in (1, 5):
            side.generate(10, 2, beam_size)
    ours.export()
    for name in ("float32", "int8"):
        ours.invoke(name, 2)


@pytest.mark.slow(minutes=3)
def test_throughput_prints_a_rate_for_each_line(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/throughput.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    rates = re.findall(r"^(.+?) +([\d,]+) +([\d,]+)$", done.stdout, re.MULTILINE)
    assert len(rates) == 5 + 3 + 3


def test_words_are_read_with_the_ids_of_seqzoos_preprocessor(benchmark, words_file):
    vocabularies = benchmark("words").Vocabularies.of(words_file)
    pairs = pipelines.read_pairs(words_file)
    preprocessor = pipelines.PairPreprocessor.from_pairs(pairs, target_split="whitespace", unknown=True)
    assert vocabularies.sizes == (preprocessor.source_vocabulary.size, preprocessor.target_vocabulary.size)
    sources, targets = zip(*benchmark("words").read(words_file), strict=True)
    expected = preprocessor(sources, [" ".join(target) for target in targets])
    ids = vocabularies.encode(words_file)
    np.testing.assert_array_equal(ids[0], expected[0]["source"])
    np.testing.assert_array_equal(ids[1], expected[1])
    assert vocabularies.decode(ids[1]) == [" ".join(target) for target in targets]
    np.testing.assert_array_equal(vocabularies.encode_sources(["A?"]), preprocessor.encode_sources(["A?"])[0])


def test_pytorchs_attention_has_seqzoos_logits_and_answers(benchmark, words_file):
    torch = pytest.importorskip("torch")
    vocabularies = benchmark("words").Vocabularies.of(words_file)
    preprocessor = pipelines.PairPreprocessor.from_pairs(
        pipelines.read_pairs(words_file), target_split="whitespace", unknown=True
    )
    keras.utils.set_random_seed(0)
    model = models.AttentionSeq2Seq(preprocessor, embedding_dim=4, hidden_dim=8)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.standard_normal(variable.shape))
    bias = model.decoder.dense.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == pipelines.START_ID, -100, bias))  # Trained models do not write it.
    module = benchmark("torch_attention_peer")
    other = module.AttentionSeq2Seq(*vocabularies.sizes, embedding_dim=4, hidden_dim=8).eval()
    weights = benchmark("seqzoo_attention_peer").named_weights(model)
    other.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})

    source, answer = map(torch.from_numpy, vocabularies.encode(words_file))
    target = torch.nn.functional.pad(answer[:, :-1], (1, 0), value=1)
    with torch.inference_mode():
        logits = other(source, target).numpy()
        greedy, best = other.answer(source, 8), other.beam_search(source, 8, _BEAM)
    expected = model({"source": source.numpy(), "target": target.numpy()}, training=False)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    sources = [source for source, _ in benchmark("words").read(words_file)]
    for ids, beam_size, share in ((greedy, 1, 1), (best, _BEAM, 0.98)):  # Each side prunes its beam in its own way.
        answers = zip(model.generate(sources, beam_size=beam_size), vocabularies.decode(ids), strict=True)
        equal = [ours == theirs for ours, theirs in answers if theirs]  # seqzoo gives no empty ones.
        assert len(equal) > 100
        assert np.mean(equal) >= share


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
