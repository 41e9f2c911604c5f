"""Recipes of pairs: their data, their batches, their schedule, and the book's training."""

import collections
import dataclasses

import pytest

from seqzoo.models import AttentionSeq2Seq, ExactMatch
from seqzoo.pipelines import AdditionData, DatesData, PairPreprocessor, load_addition, load_dates
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
        for text in preprocessor.source_vocabulary.join(inputs["source"]).numpy()
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
    attention = recipe("pairs_attention").with_book_recipe()
    assert (attention.is_bidirectional, attention.dropout, attention.min_steps) == (False, 0, 0)
    assert recipe("dates").with_book_recipe().dataset == DatesData()


def test_model_has_the_recipes_sizes(pairs):
    sizes = {
        "embedding_dim": 3, "hidden_dim": 5, "cell": "gru", "num_layers": 2, "dropout": 0.2,
        "pass_cell_state": False, "initializer": "book",
    }  # fmt: skip
    chosen = PairRecipe("mine", "PeekySeq2Seq", reverse=True, **sizes)
    config = chosen.build(chosen.preprocessor(pairs)).get_config()
    assert sizes.items() <= config.items()


@pytest.mark.parametrize("bidirectional", [None, True, False])
@pytest.mark.parametrize("model", ["Seq2Seq", "AttentionSeq2Seq"])
def test_encoder_is_bidirectional_as_the_recipe_or_else_the_model_has_it(pairs, model, bidirectional):
    chosen = PairRecipe("mine", model, embedding_dim=2, hidden_dim=2, bidirectional=bidirectional)
    built = chosen.build(chosen.preprocessor(pairs))
    expected = model == "AttentionSeq2Seq" if bidirectional is None else bidirectional
    assert built.get_config()["bidirectional"] is chosen.is_bidirectional is expected
    assert type(built).__name__ == model


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "Transformer"}, "model must be one of Seq2Seq, PeekySeq2Seq, AttentionSeq2Seq"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"label_smoothing": -0.1}, r"label_smoothing must be in \[0, 1\)"),
        ({"min_steps": -1}, "min_steps must be a whole number from 0"),
        ({"max_tokens": 0}, "max_tokens must be a whole number from 1. Received: max_tokens=0"),
        ({"copy_unknown": True, "max_tokens": 9}, "copy_unknown needs a model with attention, and max_tokens"),
        ({"copy_unknown": True, "model": "AttentionSeq2Seq"}, "Received: model='AttentionSeq2Seq', max_tokens=None"),
    ],
)
def test_wrong_values_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PairRecipe(**{"name": "mine", "model": "Seq2Seq", **wrong})


def test_strings_are_split_and_normalised_as_the_recipe_has_it():
    options = {"source_split": "whitespace", "lower_case": True, "normal_form": "NFKC"}
    words = PairRecipe("mine", "Seq2Seq", **options).preprocessor([("Ｈello World", "Hallo Welt")])
    assert words.source_vocabulary.tokens == ["hello", "world"]
    assert "H" in words.target_vocabulary.tokens
    pronunciation = PairRecipe("mine", "Seq2Seq", target_split="whitespace").preprocessor([("cat", "K AE1 T")])
    assert pronunciation.target_vocabulary.tokens == ["AE1", "K", "T"]


def test_vocabularies_are_bounded_and_unknown_words_copied_as_the_recipe_has_it():
    words = {"source_split": "words", "target_split": "words", "max_tokens": 2, "copy_unknown": True}
    pairs = [("Hi, Tom!", "Salut, Tom !"), ("Hi, Mary!", "Salut !")]
    preprocessor = dataclasses.replace(recipe("pairs_attention"), **words).preprocessor(pairs)
    assert preprocessor == PairPreprocessor.from_pairs(pairs, **words, unknown=True)
    assert preprocessor.copy_unknown
    assert preprocessor.target_vocabulary.tokens == ["!", "Salut"]
    with pytest.raises(ValueError, match="max_tokens must be at least 1, and needs unknown=True"):
        dataclasses.replace(recipe("pairs_attention"), **words, unknown=False).preprocessor(pairs)


def test_unknown_tokens_are_read_where_the_user_brings_the_data(pair_file, tmp_path):
    other = tmp_path / "other.tsv"
    other.write_text("aé\tA\nb\tB\n", encoding="utf-8")
    for name in ("pairs_attention", "pairs_baseline", "pairs_peeky_reverse"):
        _, validation, preprocessor = recipe(name).training_data(pair_file, other)
        assert preprocessor.source_vocabulary.unknown
        assert not preprocessor.target_vocabulary.unknown
        assert sources(validation) == ["aé", "b"]
    with pytest.raises(ValueError, match=r"other\.tsv:1: source 'aé' has the character 'é', which is not in"):
        dataclasses.replace(recipe("pairs_baseline"), unknown=False).training_data(pair_file, other)
    other.write_text("aé\tA\nb\té\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.tsv:2: target 'é' has the character 'é', which is not in"):
        recipe("pairs_attention").training_data(pair_file, other)


def test_sums_have_one_vocabulary_without_an_unknown_token(tmp_path):
    data = tmp_path / "sums.tsv"
    data.write_text("1+22\t23\n34+5\t39\n")
    sums = [recipe(name) for name in ("addition_reverse", "addition_5_digits")]
    own = dataclasses.replace(recipe("pairs_peeky_reverse"), dataset=AdditionData(2))
    for preprocessor in (
        *(each.for_data(data).preprocessor([("1+22", "23")]) for each in sums),
        own.preprocessor([("1+22", "23")]),
    ):
        assert not preprocessor.source_vocabulary.unknown
        assert preprocessor.target_vocabulary is preprocessor.source_vocabulary


def test_held_out_sources_differ_from_those_trained_on_as_they_are_read(tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{word}\t{word}\n" for at in range(40) for word in (f"w{at}", f"W{at}")))
    training, validation, _ = dataclasses.replace(recipe("pairs_baseline"), lower_case=True).training_data(data)
    trained, held_out = ({source.lower() for source in sources(part)} for part in (training, validation))
    assert trained.isdisjoint(held_out)
    assert len(trained | held_out) == 40


def test_epochs_of_few_pairs_pass_over_them_several_times_for_enough_steps(pairs):
    chosen = dataclasses.replace(recipe("pairs_baseline"), batch_size=20, epochs=10, min_steps=85)
    assert chosen.passes(pairs) == 3  # 9 batches of 20 an epoch, of 84 pairs.
    preprocessor = chosen.preprocessor(pairs)
    assert len(list(chosen.batches(preprocessor, pairs))) == 12
    counts = collections.Counter(sources_of_an_epoch(dataclasses.replace(chosen, batch_size=1), pairs[:4]))
    assert dict(counts) == {source: 3 for source, _ in pairs[:4]}  # 9 of 4
    for plenty in ({"min_steps": 0}, {"min_steps": 40}, {"epochs": 30}):
        assert dataclasses.replace(chosen, **plenty).passes(pairs) == 1


def test_dates_are_the_data_set_of_their_recipe():
    chosen = recipe("dates")
    training, validation, preprocessor = chosen.training_data()
    assert preprocessor == DatesData().preprocessor()
    assert (len(training), sources(validation)) == (50_000, sources(load_dates("validation")))
    assert sources(chosen.test_data(None, validation)) == sources(load_dates("test"))
    model = chosen.build(preprocessor)
    assert isinstance(model, AttentionSeq2Seq)
    assert chosen.count_params() == model.count_params()
    assert dataclasses.replace(chosen, unknown=True).count_params() != chosen.count_params()


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


@pytest.mark.parametrize("method", ["training_data", "search_data"])
def test_too_few_sources_to_hold_out_a_tenth_train_with_validation_data(tmp_path, method):
    """None of these ten is held out by the seed 0."""
    few, other = tmp_path / "few.tsv", tmp_path / "other.tsv"
    few.write_text("".join(f"{letter}\t{letter}\n" for letter in "bcdfghikln"))
    other.write_text("d\td\n")
    data_of = getattr(recipe("pairs_attention"), method)
    message = r"too few different sources: no pair is left to .*, --validation-data FILE \(validation_data=\)"
    with pytest.raises(ValueError, match=message):
        data_of(few)
    training, validation, _ = data_of(few, other)
    assert (sources(training), sources(validation)) == (list("bcdfghikln"), ["d"])


def test_parameters_are_counted_without_loading_the_data():
    own = recipe("addition_reverse")
    assert own.count_params() == own.build(own.training_data()[2]).count_params()
    assert recipe("pairs_baseline").count_params() is None
