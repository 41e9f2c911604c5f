"""Answers that copy a token of the source in place of an unknown one: the one that attention points at."""

import keras
import numpy as np
import pytest

from seqzoo.export import litert, saved_model
from seqzoo.export.clients import loaded
from seqzoo.models import AttentionSeq2Seq, Ensemble, PeekySeq2Seq, load
from seqzoo.training import evaluate

PAIRS = [("I see Tom .", "je vois Tom"), ("I go .", "je vais"), ("Mary and Tom", "Mary et Tom")]
SOURCES = ["I see Zoe .", "Zoe and Kim", "Kim"]
WORDS = {"source_split": "words", "target_split": "words", "unknown": True, "max_tokens": 2, "copy_unknown": True}


def writes_unknown_tokens(seed=0, share=1.0, **options):
    """A model with random weights that writes its unknown token at each step, or at about a share of them."""
    keras.utils.set_random_seed(seed)
    model = AttentionSeq2Seq.from_pairs(PAIRS, **WORDS, hidden_dim=8, embedding_dim=8, **options)
    for variable in model.trainable_variables:  # Larger ones, so that alignments differ from step to step.
        variable.assign(3 * variable)
    bias = model.decoder.dense.bias.numpy()
    bias[[0, 1]], bias[model.preprocessor.target_vocabulary.unknown_id] = -50, 50 if share == 1 else 0
    model.decoder.dense.bias.assign(bias)
    return model


@pytest.mark.parametrize("reverse", [False, True])
def test_each_unknown_token_is_the_most_attended_token_of_the_source(reverse):
    model = writes_unknown_tokens(reverse=reverse)
    found = set()
    for source in SOURCES:
        answer, tokens, alignment = model.align_tokens(source)
        expected = [source.split()[place] for place in alignment.argmax(axis=1)]
        assert tokens == expected
        assert model.generate(source).replace(" .", ".") == " ".join(expected).replace(" .", ".")
        assert answer == model.generate(source)
        found.update(expected)
    assert len(found) > 1
    answers = model.generate(SOURCES)
    assert [listed[0][0] for listed in model.n_best(SOURCES, n=1, beam_size=1)] == answers


@pytest.mark.parametrize("options", [{"lower_case": True}, {"normal_form": "NFD"}, {"normal_form": "NFKD"}])
def test_words_are_copied_as_they_stand_in_the_source(options):
    sources = ["Zoé and KIM", "Ōtsuka", "I  see ZOÉ ."]
    answers = writes_unknown_tokens(**options).generate(sources)
    for source, answer in zip(sources, answers, strict=True):
        assert {*answer.replace(".", " .").split()} <= {*source.split()}


def test_answers_of_a_beam_copy_each_for_itself():
    model = writes_unknown_tokens(share=0.5)
    for source in SOURCES:
        listed = [answer for answer, _ in model.n_best(source, n=5)]
        own_words = set(model.preprocessor.target_vocabulary.tokens) | {*source.split()}
        assert all({*model.preprocessor.target_vocabulary.token_texts(answer)} <= own_words for answer in listed)
        assert any({*answer.split()} & {*source.split()} for answer in listed)


def test_answers_of_a_beam_that_read_alike_are_listed_once():
    """A word that the model writes, and the same one as a copy."""
    found, numbers = zip(*writes_unknown_tokens(share=0.5).n_best("Tom", n=20), strict=True)
    assert len(set(found)) == len(found)
    assert list(numbers) == sorted(numbers, reverse=True)


def test_saved_models_ensembles_and_exports_copy_too(tmp_path):
    model = writes_unknown_tokens()
    answers = model.generate(SOURCES)
    model.save(tmp_path / "model.keras")
    assert load(tmp_path / "model.keras").generate(SOURCES) == answers
    assert Ensemble([model, model]).generate(SOURCES) == answers
    report = saved_model(model, tmp_path / "served", [(source, "je") for source in SOURCES], beam_size=2)
    assert (report["equal"], report["different"]) == (3, 0)
    with loaded(tmp_path / "served/1") as run:
        served = [answer.decode() for answer in run("serving_default", source=SOURCES)["answer"]]
        assert served == model.generate(SOURCES, beam_size=2)
        ids = run("ids", source=model.preprocessor.source_vocabulary.lookup(SOURCES).to_tensor().numpy())["answer"]
        assert model.preprocessor.target_vocabulary.unknown_id in ids


def test_a_copied_word_may_be_right_and_an_unknown_token_never_is():
    model = writes_unknown_tokens()
    answer = model.generate("Kim")
    assert set(answer.split()) == {"Kim"}
    figures = evaluate(model, [("Kim", answer), ("Zoe", "Kim")])
    assert (figures["exact_match"], figures["unwritable"]) == (0.5, 0)
    options = {**WORDS, "copy_unknown": False}
    plain = AttentionSeq2Seq(type(model.preprocessor).from_pairs(PAIRS, **options), hidden_dim=8, embedding_dim=8)
    plain.set_weights(model.get_weights())
    figures = evaluate(plain, [("Kim", answer), ("Zoe", plain.generate("Zoe"))])
    assert set(plain.generate("Zoe").split()) == {"\ufffd"}
    assert (figures["exact_match"], figures["unwritable"]) == (0, 2)


def test_only_models_with_attention_copy_and_litert_refuses_words(tmp_path):
    with pytest.raises(ValueError, match="copy_unknown=True needs a model with attention"):
        PeekySeq2Seq.from_pairs(PAIRS, **WORDS)
    with pytest.raises(ValueError, match="needs a vocabulary of characters, not of words"):
        litert(writes_unknown_tokens(), tmp_path / "model.tflite")
    model = AttentionSeq2Seq.from_pairs([("ab", "a, b")], target_split="words", hidden_dim=4, embedding_dim=4)
    with pytest.raises(ValueError, match="it cannot write split='words'"):
        litert(model, tmp_path / "model.tflite")


def test_alignments_have_a_row_for_each_token_that_was_written_marked_or_not():
    keras.utils.set_random_seed(1)
    pairs = [("a, b!", "(c) d?"), ("a-b", "d: c")]
    model = AttentionSeq2Seq.from_pairs(pairs, source_split="words", target_split="words", hidden_dim=4)
    answer, tokens, alignment = model.align_tokens("a, b!")
    assert alignment.shape == (len(tokens), 4)
    np.testing.assert_allclose(alignment.sum(axis=1), 1, rtol=1e-5)
    assert "".join(tokens) == answer.replace(" ", "")
    assert "￭" not in answer
