"""Recipes of pairs: their data, their batches, their schedule, and the book's training."""

import collections
import dataclasses

import pytest

from seqzoo.models import ExactMatch
from seqzoo.pipelines import AdditionData, load_addition
from seqzoo.training import PairRecipe, recipe


def sources(pairs):
    """The sources of a data set of pairs, a list of `str`."""
    return [source.decode() for batch, _ in pairs.batch(1024).as_numpy_iterator() for source in batch]


def sources_of_an_epoch(chosen, pairs):
    """The sources that a recipe trains on in an epoch, a list of `str`."""
    preprocessor = chosen.preprocessor(pairs)
    return [
        text.decode()
        for inputs, _ in chosen.batches(preprocessor, pairs)
        for text in preprocessor.decode(inputs["source"]).numpy()
    ]


def test_learning_rate_warms_up_for_an_epoch_and_decays_to_zero(pairs):
    chosen = dataclasses.replace(recipe("pairs_baseline"), epochs=5, hidden_dim=4)
    model = chosen.build(chosen.preprocessor(pairs))
    chosen.compile(model, steps_per_epoch=10)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 5, 10, 30, 50)]
    assert rates == pytest.approx([0, 2e-3, 4e-3, 2e-3, 0], abs=1e-8)
    assert model.optimizer.global_clipnorm == 5.0


def test_book_recipe_is_the_books(pairs):
    book = recipe("addition_reverse").with_book_recipe()
    model = book.build(book.preprocessor(pairs))
    book.compile(model, steps_per_epoch=10)
    assert (book.epochs, book.batch_size, book.dataset) == (25, 128, AdditionData(3))
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert model.get_config()["pass_cell_state"] is False
    assert model.loss.label_smoothing == 0
    assert model.preprocessor.reverse
    assert recipe("pairs_peeky_reverse").with_book_recipe().dataset is None


def test_model_has_the_recipes_sizes(pairs):
    sizes = {
        "embedding_dim": 3, "hidden_dim": 5, "cell": "gru", "num_layers": 2, "dropout": 0.2,
        "pass_cell_state": False, "initializer": "book",
    }  # fmt: skip
    chosen = PairRecipe("mine", "PeekySeq2Seq", reverse=True, **sizes)
    config = chosen.build(chosen.preprocessor(pairs)).get_config()
    assert sizes.items() <= config.items()


def test_label_smoothing_and_exact_match_are_those_of_the_compiled_model(pairs):
    chosen = dataclasses.replace(recipe("pairs_baseline"), label_smoothing=0.1)
    preprocessor = chosen.preprocessor(pairs)
    model = chosen.build(preprocessor)
    chosen.compile(model, steps_per_epoch=1, jit_compile=False)
    assert model.loss.label_smoothing == 0.1
    model.evaluate(preprocessor.batches(pairs, 84), verbose=0)
    assert any(
        isinstance(each, ExactMatch) for metric in model.metrics for each in getattr(metric, "metrics", [metric])
    )


def test_batches_add_what_the_data_set_of_sums_says():
    training = [("1+22", "23"), ("33+4", "37"), ("55+66", "121"), ("8+8", "16")]
    own = dataclasses.replace(recipe("addition_baseline"), batch_size=1, dataset=AdditionData(2, True, 3))
    expected = ["1+22", "22+1", "33+4", "4+33", "8+8"] * 3 + ["55+66", "66+55"]
    assert sorted(sources_of_an_epoch(own, training)) == sorted(expected)
    once = dataclasses.replace(own, dataset=AdditionData(2, commute=True))
    assert collections.Counter(sources_of_an_epoch(once, training)) == dict.fromkeys(expected, 1)


def test_batches_of_a_file_are_its_pairs_and_nothing_else():
    training = [("1+22", "23"), ("33+4", "37"), ("55+66", "121")]
    own = dataclasses.replace(recipe("addition_baseline"), batch_size=1)
    assert sorted(sources_of_an_epoch(own.for_data("file"), training)) == ["1+22", "33+4", "55+66"]


def test_no_sum_of_an_epochs_batches_is_tested_on_in_either_order():
    own = dataclasses.replace(recipe("addition_baseline"), dataset=AdditionData(2, commute=True, short_sums=3))
    training, test, _ = own.training_data()
    trained, tested = set(sources_of_an_epoch(own, training)), set(sources(test))
    assert len(trained) > 1.9 * len(training)
    assert trained.isdisjoint(tested | {"+".join(reversed(source.split("+"))) for source in tested})


def test_own_data_set_is_validated_on_its_test_split_and_searched_without_it():
    own = dataclasses.replace(recipe("addition_baseline"), dataset=AdditionData(2))
    train, test = (set(sources(part)) for part in load_addition(2, ["train", "test"]))
    training, validation, preprocessor = own.training_data()
    assert (set(sources(training)), set(sources(validation))) == (train, test)
    assert (preprocessor.source_length, preprocessor.target_length) == (5, 3)

    training, validation, same = own.search_data()
    assert same == preprocessor
    assert set(sources(training)) | set(sources(validation)) == train
    assert set(sources(training)).isdisjoint(sources(validation))
    assert 0.05 < len(sources(validation)) / len(train) < 0.15


def test_file_is_validated_on_a_seeded_tenth_or_on_another_file(pairs, pair_file, tmp_path):
    chosen = recipe("pairs_baseline")
    training, validation, preprocessor = chosen.training_data(pair_file)
    everything = {source for source, _ in pairs}
    assert set(sources(training)) | set(sources(validation)) == everything
    assert 0 < len(sources(validation)) < 25
    assert sources(validation) != sources(chosen.training_data(pair_file, seed=1)[1])
    assert sources(validation) == sources(chosen.search_data(pair_file)[1])

    other = tmp_path / "other.tsv"
    other.write_text("cab\tBAC\n")
    training, validation, same = chosen.training_data(pair_file, other)
    assert (set(sources(training)), sources(validation)) == (everything, ["cab"])
    assert same == preprocessor


def test_wrong_or_too_few_pairs_are_one_clear_error(pair_file, tmp_path):
    few, wrong = tmp_path / "few.tsv", tmp_path / "wrong.tsv"
    few.write_text("a\tA\n")
    wrong.write_text("abcd\tDCBA\n")
    with pytest.raises(ValueError, match=r"few\.tsv has too few different sources: no pair is left to "):
        recipe("pairs_baseline").training_data(few)
    with pytest.raises(ValueError, match=r"wrong\.tsv:1: source 'abcd' has 4 characters"):
        recipe("pairs_baseline").training_data(pair_file, wrong)
    with pytest.raises(FileNotFoundError):
        recipe("pairs_baseline").training_data(tmp_path / "missing.tsv")


def test_parameters_are_counted_without_loading_the_data():
    own = recipe("addition_reverse")
    assert own.count_params() == own.build(own.training_data()[2]).count_params()
    assert recipe("pairs_baseline").count_params() is None
