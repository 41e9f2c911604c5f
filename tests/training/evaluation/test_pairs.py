"""Scores of answers: counted as one would by hand, on data that fit the model."""

import keras
import pytest

from seqzoo.models import ExactMatch, Seq2Seq
from seqzoo.pipelines import PairPreprocessor
from seqzoo.training import evaluate
from seqzoo.training.evaluation.pairs import evaluate_pairs


@pytest.fixture(scope="module")
def half_trained(pairs):
    """A model of the small task whose answers are right and wrong."""
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs(pairs)
    model = Seq2Seq(preprocessor, hidden_dim=24)
    model.compile(keras.optimizers.Adam(0.01), metrics=[ExactMatch()], jit_compile=False)
    model.fit(preprocessor.batches(pairs, 28, shuffle_seed=0), epochs=20, verbose=0)
    return model


def test_figures_are_those_of_a_count_by_hand(half_trained, pairs):
    figures = evaluate(half_trained, pairs)
    answers = half_trained.generate([source for source, _ in pairs])
    rows = [(answer, target) for answer, (_, target) in zip(answers, pairs, strict=True)]
    exact = sum(answer == target for answer, target in rows)
    assert figures["rows"] == len(pairs)
    assert 0 < figures["exact_match"] == exact / len(pairs) < 1
    # Each token of the target, and its end unless it is as long as targets may be, whatever the answer has after that.
    counted = [min(len(target) + 1, 3) for _, target in pairs]
    right = sum(
        answer[at : at + 1] == target[at : at + 1]
        for (answer, target), count in zip(rows, counted, strict=True)
        for at in range(count)
    )
    assert figures["character_accuracy"] == pytest.approx(right / sum(counted))


def test_figures_do_not_depend_on_the_batch(half_trained, pairs):
    figures = evaluate_pairs(half_trained, pairs)
    assert evaluate_pairs(half_trained, pairs, batch_size=7) == figures


def test_exact_match_is_the_teacher_forced_one(half_trained, pairs):
    batches = half_trained.preprocessor.batches(pairs, 32)
    teacher_forced = half_trained.evaluate(batches, verbose=0, return_dict=True)["exact_match"]
    assert evaluate(half_trained, pairs)["exact_match"] == pytest.approx(teacher_forced)


def test_examples_show_up_to_five_wrong_answers_before_right_ones(half_trained, trained, pairs):
    examples = evaluate(half_trained, pairs)["examples"]
    assert [each["answer"] == each["target"] for each in examples] == [False] * 5 + [True] * 5
    assert half_trained.generate([each["source"] for each in examples]) == [each["answer"] for each in examples]
    assert {(each["source"], each["target"]) for each in examples} <= set(pairs)
    assert len({each["source"] for each in examples}) == 10

    figures = evaluate(trained, pairs)
    assert (figures["exact_match"], figures["character_accuracy"]) == (1, 1)
    assert [each["answer"] == each["target"] for each in figures["examples"]] == [True] * 10
    few = evaluate(trained, [("abc", "CBA"), ("d", "A")])
    assert few["examples"] == [
        {"source": "d", "target": "A", "answer": "D"},
        {"source": "abc", "target": "CBA", "answer": "CBA"},
    ]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no pairs to evaluate"),
        ([("abcd", "A")], "source 'abcd' has 4 characters"),
        ([("a", "A"), ("b", "é")], "target 'é'"),
    ],
)
def test_pairs_that_do_not_fit_are_an_error(trained, pairs, message):
    with pytest.raises(ValueError, match=message):
        evaluate(trained, pairs)
