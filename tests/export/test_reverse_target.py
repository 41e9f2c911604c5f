"""Answers that are written from their last token on come out as they are read, from models and from exports."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo.export import litert, saved_model
from seqzoo.export.clients import answers_of_litert, loaded
from seqzoo.models import AttentionSeq2Seq, Ensemble, Seq2Seq, load
from seqzoo.pipelines import PairPreprocessor, Vocabulary

PAIRS = [("a", "x"), ("ab", "xy"), ("abc", "xyz"), ("cab", "zxy"), ("bc", "yz"), ("cb", "zy"), ("ca", "zx")]


@pytest.fixture(scope="module")
def copies():
    """A model that has learnt to write `xyz` for `abc`, from the last letter on."""
    keras.utils.set_random_seed(0)
    preprocessor = PairPreprocessor.from_pairs(PAIRS, reverse_target=True)
    model = AttentionSeq2Seq(preprocessor, embedding_dim=8, hidden_dim=16, cell="gru")
    model.compile(optimizer=keras.optimizers.Adam(2e-2), jit_compile=False)
    model.fit(PAIRS, batch_size=7, epochs=60, verbose=0)
    return model


def test_targets_are_written_from_the_last_token_on():
    preprocessor = PairPreprocessor(Vocabulary("abc"), 4, 4, reverse_target=True)
    inputs, answer = preprocessor(["ab", "b"], ["abc", "c"])
    assert answer.numpy().tolist() == [[4, 3, 2, 0], [4, 0, 0, 0]]
    assert inputs["target"].numpy().tolist() == [[1, 4, 3, 2], [1, 4, 0, 0]]
    assert inputs["source"].numpy().tolist() == [[2, 3, 0, 0], [3, 0, 0, 0]]
    assert preprocessor.decode(answer).numpy().tolist() == [b"abc", b"c"]
    assert PairPreprocessor.from_config(preprocessor.get_config()) == preprocessor
    assert preprocessor != PairPreprocessor(Vocabulary("abc"), 4, 4)


def test_answers_are_in_their_usual_order(copies, tmp_path):
    sources, targets = map(list, zip(*PAIRS, strict=True))
    assert copies.generate(sources) == targets
    assert [best[0][0] for best in copies.n_best(sources, 2)] == targets
    assert copies.evaluate(PAIRS, batch_size=7, verbose=0, return_dict=True)["exact_match"] == 1
    copies.save(tmp_path / "model.keras")
    assert load(tmp_path / "model.keras").generate(sources) == targets


def test_alignment_has_a_row_for_each_token_as_it_is_read(copies):
    answer, alignment = copies.align("abc")
    assert answer == "xyz"
    assert alignment.shape == (3, 3)
    # What the model attends to when it writes its first token, the last one of the answer.
    source, _ = copies.preprocessor.encode_sources(["abc"])
    states = copies.initial_state(source)
    _, first, _ = copies.decoder.aligned_step(np.array([1], "int32"), states)
    np.testing.assert_allclose(alignment[-1], first[0, :3], atol=1e-6)


@pytest.mark.parametrize("beam_size", [pytest.param(1, marks=pytest.mark.slow(minutes=1)), 2])
def test_exports_answer_as_the_model(copies, tmp_path, beam_size):
    sources, targets = map(list, zip(*PAIRS, strict=True))
    report = saved_model(copies, tmp_path / "served", PAIRS, beam_size=beam_size)
    assert report["equal"] == len(PAIRS)
    for name, result in report["other_signatures"].items():
        assert (name, result["different"]) == (name, 0)
    with loaded(report["path"]) as run:
        ids = copies.preprocessor.source_vocabulary.lookup(sources).to_tensor().numpy()
        answers = run("ids", source=ids)["answer"]
        texts = copies.preprocessor.target_vocabulary.join(answers).numpy()
        assert [text.decode() for text in texts] == targets

    report = litert(copies, tmp_path / "model.tflite", data=PAIRS, beam_size=beam_size)
    assert report["equal"] == len(PAIRS)
    for name, result in report["other_signatures"].items():
        assert (name, result["different"]) == (name, 0)
    assert answers_of_litert(Interpreter(report["path"]), copies)(sources) == targets


def test_an_ensemble_writes_in_one_order(copies):
    other = AttentionSeq2Seq(PairPreprocessor.from_pairs(PAIRS), embedding_dim=8, hidden_dim=16, cell="gru")
    with pytest.raises(ValueError, match="Model 2 has another reverse_target than model 1: False, not True"):
        Ensemble([copies, other])


def test_a_model_without_attention_writes_so_too():
    preprocessor = PairPreprocessor.from_pairs(PAIRS, reverse_target=True)
    model = Seq2Seq(preprocessor, embedding_dim=4, hidden_dim=8)
    ids, _ = model.decode(preprocessor.encode_sources(["abc"])[0])
    assert model.generate(["abc"]) == [preprocessor.target_vocabulary.join(ids[:, 0])[0].numpy().decode()[::-1]]
