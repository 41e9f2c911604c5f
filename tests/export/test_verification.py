"""What verification tells apart: the same answers, near-ties, and exports that differ."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.export.comparison import compared, raise_if_different
from seqzoo.export.pair_verification import PairVerification
from seqzoo.export.verification import TextVerification, verification_of
from seqzoo.models import Greedy, Seq2Seq
from seqzoo.pipelines import PairPreprocessor, load_addition

ROWS = [("57+5", "62"), ("628+521", "1149"), ("1+1", "2"), ("999+999", "1998")]


def test_each_task_has_its_own_verification(sums, writer):
    assert type(verification_of(sums)) is PairVerification
    assert type(verification_of(writer)) is TextVerification
    verification = verification_of(sums, ROWS)
    assert verification_of(sums, verification) is verification


def test_pairs_are_compared_row_by_row_and_both_sides_scored(sums):
    verification = verification_of(sums, ROWS)
    own = sums.generate([source for source, _ in ROWS])
    result = verification.compare(lambda sources: [dict(ROWS)[source] for source in sources])
    same = sum(answer == target for answer, (_, target) in zip(own, ROWS, strict=True))
    assert (result["rows"], result["equal"]) == (4, same)
    assert result["near_ties"] + result["different"] == 4 - same
    assert result["score"] == {"metric": "exact_match", "model": same / 4, "export": 1.0}

    result = verification.compare(lambda sources: sums.generate(sources))
    assert (result["equal"], result["near_ties"], result["different"]) == (4, 0, 0)
    raise_if_different(result)


def test_a_source_is_right_if_its_answer_is_any_of_its_targets(phones):
    pairs = [("chat", "t͡ʃ  æ t"), ("chat", "k æ t"), ("cat", "k æ t"), ("hat", "h æ t")]
    answers = {"chat": "t͡ʃ æ t", "cat": "t͡ʃ æ t", "hat": "h æ t"}
    result = verification_of(phones, pairs).compare(lambda sources: [answers[source] for source in sources])
    assert result["score"]["export"] == pytest.approx(2 / 3)


def test_export_is_asked_for_at_most_1024_rows_at_once_and_for_every_row(sums, three_digit_sums):
    verification = verification_of(sums, [(source, "1") for source in three_digit_sums])
    sizes = []

    def answer(sources):
        sizes.append(len(sources))
        return ["1"] * len(sources)

    verification.compare(answer)
    assert sizes == [1024] * 4 + [5000 - 4 * 1024]


def test_own_answers_are_computed_once_for_all_exports(sums, monkeypatch):
    asked = []
    generate = type(sums).generate
    monkeypatch.setattr(type(sums), "generate", lambda self, rows, **_: asked.append(len(rows)) or generate(self, rows))
    verification = verification_of(sums, ROWS)
    for _ in range(3):
        verification.compare(lambda sources: [""] * len(sources))
    assert asked == [4]


def test_differences_that_rounding_cannot_explain_are_named(sums):
    verification = verification_of(sums, ROWS)
    result = verification.compare(lambda sources: ["?"] * len(sources))
    assert result["different"] == 4
    first = verification.own_answers[0]
    with pytest.raises(ValueError, match="answers 4 of 4 rows differently than the model, and not by") as error:
        raise_if_different(result)
    assert f"First: '?', not {first!r}. Nothing was written" in str(error.value)


def test_what_is_no_number_is_no_near_tie():
    assert compared(["1", "2", "3"], ["1", "3", "4"], lambda *_: [np.nan, 0.0])["different"] == 1


def test_two_logits_that_are_all_but_equal_are_a_near_tie(sums):
    """At the first character the two best logits of this model are made equal; whichever an export takes is right."""
    model = type(sums).from_config(sums.get_config())
    model.set_weights(sums.get_weights())
    source = model.preprocessor.encode_sources(["57+5"])[0]
    states = model.initial_state(source)
    logits = model.decoder.step(tf.constant([1]), states)[0].numpy()[0]
    first, second = np.argsort(logits)[:-3:-1]
    bias = model.decoder.dense.bias.numpy()
    bias[second] += logits[first] - logits[second] - 1e-5
    model.decoder.dense.bias.assign(bias)
    tokens = [None, None, *model.preprocessor.vocabulary.tokens]
    other = tokens[second] or ""
    verification = verification_of(model, [("57+5", "62")])
    own = verification.own_answers[0]
    assert own[:1] != other
    result = verification.compare(lambda sources: [other + own[1:]] * len(sources))
    assert (result["equal"], result["near_ties"], result["different"]) == (0, 1, 0)


def test_two_answers_of_one_score_are_a_near_tie_of_a_beam(phones, pronunciations):
    """The second best answer is as good as the best by what a length penalty makes of them, or is not."""
    length = phones.preprocessor.target_length
    for source, _ in pronunciations:
        (best, first), (other, second), *_ = phones.n_best(source, 5)
        tokens, other_tokens = (min(len(answer.split()) + 1, length) for answer in (best, other))
        if first > second + 0.01 and tokens > other_tokens:
            break
    verification = verification_of(phones, [(source, best)], beam_size=5)
    assert verification.own_answers == [best]
    result = verification.compare(lambda sources: [other])
    assert (result["equal"], result["near_ties"], result["different"]) == (0, 0, 1)
    # first / a ** penalty equals second / b ** penalty.
    penalty = np.log(second / first) / np.log((5 + other_tokens) / (5 + tokens))
    verification = verification_of(phones, [(source, best)], beam_size=5, length_penalty=penalty)
    vars(verification)["own_answers"] = [best]
    result = verification.compare(lambda sources: [other])
    assert (result["equal"], result["near_ties"], result["different"]) == (0, 1, 0)


def test_verification_of_another_search_has_the_rows_and_its_own_answers(phones, pronunciations):
    greedy = verification_of(phones, pronunciations)
    beam = verification_of(phones, greedy, beam_size=4)
    assert beam.rows == greedy.rows
    assert beam.own_answers == phones.generate(greedy.rows[0], beam_size=4) != greedy.own_answers
    assert verification_of(phones, beam, beam_size=4) is beam


def test_random_sources_in_a_normal_form_can_be_read():
    """Drawn side by side, a letter and an accent are another character."""
    pairs = [("é", "e"), ("e", "e"), ("\u0301", "a"), ("ab", "c")]
    model = Seq2Seq.from_pairs(pairs, normal_form="NFC", embedding_dim=4, hidden_dim=4)
    sources, _ = verification_of(model).rows
    assert 100 < len(sources) < 1000
    assert not model.preprocessor.encode_sources(sources)[1].numpy().astype(bool).any()


def test_without_data_sums_are_the_test_sums_and_other_sources_are_drawn(sums):
    sources, targets = verification_of(sums).rows
    expected = list(load_addition(3, "test").as_numpy_iterator())
    assert list(zip(sources, targets, strict=True)) == [(a.decode(), b.decode()) for a, b in expected]

    model = Seq2Seq(PairPreprocessor.from_pairs([("ab", "ba"), ("abc", "c")]), 4, 4)
    sources, targets = verification_of(model).rows
    assert targets is None
    assert len(sources) == 1000
    assert {len(source) for source in sources} == {1, 2, 3}
    assert set("".join(sources)) == set("abc")
    assert verification_of(model).rows[0] == sources
    assert verification_of(model).compare(lambda rows: [""] * len(rows))["score"] is None


def test_no_pairs_at_all_are_refused(sums):
    empty = tf.data.Dataset.from_tensor_slices((tf.constant([], tf.string), tf.constant([], tf.string)))
    with pytest.raises(ValueError, match=r"There are no pairs to compare on\. Received an empty data set"):
        verification_of(sums, empty).compare(lambda sources: sources)


def test_texts_are_compared_by_continuations_of_pieces_of_the_data(writer):
    text = "the cat sat on the hen.\n" * 40
    verification = verification_of(writer, text)
    *others, last = verification.prompts
    assert others[0] == text[:20]
    assert len(others) == 63
    assert {len(prompt) for prompt in others} == {20}
    assert all(prompt in text for prompt in others)
    assert last == text[-19:]  # And the end.

    def run(signature, prompt, length, **options):
        assert signature == "sample"
        written = writer.generate(prompt, int(length[0]), Greedy())
        return {"text": [(text if at else "?" + text[1:]).encode() for at, text in enumerate(written)]}

    result = verification.verify_saved_model(run)
    assert (result["rows"], result["equal"], result["different"]) == (64, 63, 1)
    assert result["score"] is None
