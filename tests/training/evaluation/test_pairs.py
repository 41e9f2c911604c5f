"""Scores of answers: counted as one would by hand, on data that fit the model."""

import keras
import pytest

from seqzoo.models import ExactMatch, Seq2Seq
from seqzoo.pipelines import PairPreprocessor, Vocabulary
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
    [([], "no pairs to evaluate"), ([("abcd", "A"), ("é", "A")], "row 1: source 'abcd' has 4 characters")],
)
def test_pairs_of_which_none_can_be_read_are_an_error(trained, pairs, message):
    with pytest.raises(ValueError, match=message):
        evaluate(trained, pairs)


def test_what_cannot_be_read_or_written_is_wrong_and_counted(trained):
    pairs = [("abc", "CBA"), ("abcd", "DCBA"), ("é", "A"), ("ab", "BÉ"), ("d", "DDDDDD"), ("d", "É")]
    figures = evaluate(trained, pairs)
    assert (figures["rows"], figures["sources"], figures["unreadable"], figures["unwritable"]) == (6, 5, 2, 3)
    assert figures["exact_match"] == 1 / 5
    # Nothing for two sources, BA in place of BÉ, and D in place of É, which is nearer than DDDDDD.
    assert figures["token_error_rate"] == pytest.approx((4 + 1 + 1 + 1) / (3 + 4 + 1 + 2 + 1))
    assert figures["examples"][0] == {"source": "abcd", "target": "DCBA", "answer": ""}
    assert evaluate(trained, pairs[:1])["unreadable"] == evaluate(trained, pairs[:1])["unwritable"] == 0


class Answering(Seq2Seq):
    """A model whose answers are known."""

    def answer_with(self, answers):
        """Returns the model, which answers each source as the dictionary says from now on."""
        self.answers, self.searches = answers, []
        return self

    def generate_each(self, strings, batch_size=1024, **search):
        """The answers that are known."""
        self.searches.append(search)
        return (self.answers[string] for string in strings)


def answering(pairs, answers, preprocessor=None, **options):
    """A model for some pairs that gives the answers of a dictionary."""
    preprocessor = preprocessor or PairPreprocessor.from_pairs(pairs, **options)
    return Answering(preprocessor, 2, 2).answer_with(answers)


def test_answer_is_right_if_it_is_any_of_the_alternatives():
    pairs = [("data", "deɪtə"), ("tomato", "təmeɪtoʊ"), ("data", "dætə"), ("either", "aɪðə"), ("data", "dætə")]
    figures = evaluate(answering(pairs, {"data": "dætə", "tomato": "təmɑtoʊ", "either": "iðə"}), pairs)
    assert (figures["rows"], figures["sources"], figures["exact_match"]) == (5, 3, pytest.approx(1 / 3))
    # təmɑtoʊ lacks ɪ, and has ɑ in place of e; iðə lacks a, and has i in place of ɪ.
    assert figures["token_error_rate"] == pytest.approx((0 + 2 + 2) / (4 + 8 + 4))
    assert figures["examples"] == [
        {"source": "tomato", "target": "təmeɪtoʊ", "answer": "təmɑtoʊ"},
        {"source": "either", "target": "aɪðə", "answer": "iðə"},
        {"source": "data", "target": "dætə", "answer": "dætə"},
    ]


def test_error_rate_counts_the_nearest_alternative_and_of_equally_near_ones_the_first():
    pairs = [("a", "xxxxxx"), ("a", "bc"), ("a", "bcdd"), ("b", "cc")]
    figures = evaluate(answering(pairs, {"a": "bcd", "b": ""}), pairs)
    assert figures["token_error_rate"] == (1 + 2) / (2 + 2)
    assert figures["examples"][0]["target"] == "bc"


def test_tokens_of_words_are_words():
    pairs = [("cat", "K AE1 T"), ("dog", "D AO1 G")]
    model = answering(pairs, {"cat": "K  AE1 T", "dog": "D T"}, target_split="whitespace")
    figures = evaluate(model, pairs)
    assert (figures["exact_match"], figures["token_error_rate"]) == (0.5, 2 / 6)


def test_sources_and_targets_are_compared_as_they_are_read():
    pairs = [("Ab", "É"), ("aB", "e"), ("b", "e")]
    targets = Vocabulary("e\u0301", lower_case=True, normal_form="NFD")
    preprocessor = PairPreprocessor(Vocabulary("ab", lower_case=True), 2, 3, target_vocabulary=targets)
    figures = evaluate(answering(None, {"ab": "é", "b": "é"}, preprocessor), pairs)
    assert (figures["sources"], figures["exact_match"], figures["token_error_rate"]) == (2, 0.5, 1 / 3)


def test_unknown_token_is_never_right():
    targets = Vocabulary("xy", unknown=True)
    preprocessor = PairPreprocessor(Vocabulary("ab"), 2, 3, target_vocabulary=targets)
    figures = evaluate(answering(None, {"a": "\ufffd"}, preprocessor), [("a", "é")])
    assert (figures["exact_match"], figures["token_error_rate"]) == (0, 1)


def test_answers_come_from_the_search_that_is_asked_for(half_trained, pairs):
    model = answering(pairs, dict(pairs))
    assert evaluate(model, pairs, beam_size=3, length_penalty=0.5)["exact_match"] == 1
    assert model.searches == [{"beam_size": 3, "length_penalty": 0.5}]
    sources = [source for source, _ in pairs]
    found = [answers[0][0] for answers in half_trained.n_best(sources, 1, 4)]
    exact = sum(answer == target for answer, (_, target) in zip(found, pairs, strict=True))
    assert evaluate(half_trained, pairs, beam_size=4)["exact_match"] == exact / len(pairs)
    with pytest.raises(ValueError, match="beam_size must be a whole number from 1"):
        evaluate(half_trained, pairs, beam_size=0)
