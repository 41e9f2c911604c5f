"""SavedModels that search with a beam, list the best answers and align: each signature as the model in Python."""

import json
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from seqzoo.export import saved_model
from seqzoo.export.clients import loaded
from seqzoo.export.comparison import raise_if_different
from seqzoo.export.verification import verification_of
from seqzoo.models import AttentionSeq2Seq, Ensemble, Seq2Seq

BEAM = {"beam_size": 4, "length_penalty": 0.5}
SIGNATURES = ["serving_default", "ids", "score", "n_best", "align"]


@pytest.fixture(scope="module")
def report(phones, pronunciations, tmp_path_factory):
    """What the export of the model `phones` with a beam reports."""
    return saved_model(phones, tmp_path_factory.mktemp("export") / "phones", pronunciations, **BEAM)


@pytest.fixture(scope="module")
def search(report):
    """Runs its signatures."""
    with loaded(report["path"]) as run:
        yield run


def test_every_signature_is_compared_with_the_model(phones, report):
    _check_report(report)
    stored = json.loads(pathlib.Path(report["path"], "export.json").read_text("utf-8"))
    assert (stored["beam_size"], stored["length_penalty"]) == (4, 0.5)
    assert stored["tokens"][2:] == phones.preprocessor.target_vocabulary.tokens
    assert stored["source_tokens"][2:] == sorted("achkptus")


@pytest.mark.slow(minutes=1)
def test_every_signature_of_a_gru_is_compared_with_the_model(gru_phones, pronunciations, tmp_path):
    _check_report(saved_model(gru_phones, tmp_path, pronunciations, beam_size=4))


def _check_report(report):
    assert report["signatures"] == SIGNATURES
    assert report["rows"] == report["equal"] + report["near_ties"] == 60
    assert sorted(report["other_signatures"]) == sorted(SIGNATURES[1:])
    for name, result in report["other_signatures"].items():
        assert result["different"] == 0, name
        assert result["equal"] >= 0.9 * result["rows"] > 20, name


def test_answers_are_those_of_the_beam(phones, pronunciations, search, texts):
    sources = [source for source, _ in pronunciations]
    expected = phones.generate(sources, **BEAM)
    assert texts(search("serving_default", source=sources)["answer"]) == expected
    ids = phones.preprocessor.source_vocabulary.lookup(sources).to_tensor().numpy()
    of_ids = phones.preprocessor.decode(search("ids", source=ids)["answer"]).numpy()
    assert texts(of_ids) == expected


def test_best_answers_have_their_probabilities(phones, pronunciations, search, texts):
    sources = [source for source, _ in pronunciations]
    reply = search("n_best", source=[*sources, "cat?"])
    expected = phones.n_best(sources, 4, 4, BEAM["length_penalty"])
    assert [texts(answers) for answers in reply["answers"][:-1]] == [[text for text, _ in row] for row in expected]
    numbers = [[number for _, number in row] for row in expected]
    np.testing.assert_allclose(reply["log_probabilities"][:-1], numbers, atol=1e-4)
    assert texts(reply["answers"][-1]) == [""] * 4
    assert texts(reply["error"]) == [*[""] * 60, "source 'cat?' has the character '?', which is not in the vocabulary"]


def test_where_there_are_fewer_answers_the_rest_is_impossible(tmp_path, texts):
    """With two tokens and answers of one, none of which is empty, there are no more than two."""
    pairs = [("a", "x"), ("b", "y")]
    model = Seq2Seq.from_pairs(pairs, shared=False, embedding_dim=4, hidden_dim=4)
    report = saved_model(model, tmp_path, [("a", "x")], beam_size=5)
    assert report["other_signatures"]["n_best"]["equal"] == 1
    with loaded(report["path"]) as run:
        reply = run("n_best", source=["a"])
    assert sorted(texts(reply["answers"][0])[:2]) == ["x", "y"]
    assert texts(reply["answers"][0])[2:] == [""] * 3
    assert np.isneginf(reply["log_probabilities"][0]).tolist() == [False] * 2 + [True] * 3
    assert "-Infinity" in pathlib.Path(report["path"], "README.md").read_text("utf-8")


def test_alignments_are_in_the_order_of_the_source(phones, pronunciations, search, texts):
    sources = [source for source, _ in pronunciations][:8]
    reply = search("align", source=[*sources, ""])
    for row, source in enumerate(sources):
        answer, alignment = phones.align(source)
        assert texts(reply["answer"])[row] == answer == phones.generate(source)
        padded = np.zeros(reply["alignment"].shape[1:])
        padded[: len(alignment), : len(source)] = alignment
        np.testing.assert_allclose(reply["alignment"][row], padded, atol=1e-4)
    assert texts(reply["error"]) == [*[""] * 8, "source is empty"]
    assert not reply["alignment"][-1].any()


def test_warm_up_and_readme_have_a_request_for_each_signature(report, search, texts):
    folder = pathlib.Path(report["path"])
    records = tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    assert [log.predict_log.request.model_spec.signature_name for log in logs] == SIGNATURES
    assert report["warm_up"] == 5
    shown = re.findall(r"-d '\n(.*)'\n\n(.*)\n```", (folder / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 5
    for request, reply in (map(json.loads, pair) for pair in shown):
        outputs = search(request["signature_name"], **request["inputs"])
        assert set(outputs) == set(reply["outputs"])
        assert [bool(error) for error in reply["outputs"]["error"]] == [False, True]
        for name, value in reply["outputs"].items():
            if outputs[name].dtype == object:
                assert [each.decode() for each in outputs[name].ravel()] == np.ravel(value).tolist()
            else:  # What an alignment is cut to is all that is not 0.
                cut = outputs[name][tuple(map(slice, np.shape(value)))]
                np.testing.assert_allclose(cut, value, atol=6e-4)
                assert np.count_nonzero(outputs[name]) == np.count_nonzero(cut)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam_size must be a whole number from 1 to 1000. Received: beam_size=0"),
        ({"length_penalty": -1.0}, "length_penalty must be a number from 0. Received: length_penalty=-1.0"),
    ],
)
def test_beams_that_are_none_are_refused(phones, tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        saved_model(phones, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_language_models_have_no_beam(writer, tmp_path):
    with pytest.raises(ValueError, match="A LanguageModel continues prompts and searches for no answers: leave out"):
        saved_model(writer, tmp_path / "new", beam_size=4)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("signature", ["n_best", "align", "score", "ids"])
def test_signature_that_differs_from_the_model_is_named(phones, pronunciations, search, signature):
    def wrong(name, **inputs):
        reply = search(name, **inputs)
        if name != signature:
            return reply
        changes = {"n_best": "answers", "align": "alignment", "score": "log_probability", "ids": "answer"}
        changed = changes[name]
        return {**reply, changed: np.roll(reply[changed], 1, axis=-1 if signature in ("n_best", "align") else 0)}

    result = verification_of(phones, pronunciations, **BEAM).verify_saved_model(wrong)
    with pytest.raises(ValueError, match=f"The export's signature {signature} answers "):
        raise_if_different(result)


@pytest.mark.slow(minutes=1)
def test_an_ensemble_is_exported_as_one_model(pronunciations, tmp_path, texts):
    keras.utils.set_random_seed(5)
    words = [(source, target.replace("t͡ʃ", "c").replace(" ", "")) for source, target in pronunciations]
    options = {"embedding_dim": 3, "hidden_dim": 4, "cell": "simple_rnn", "shared": False}
    ensemble = Ensemble([kind.from_pairs(words, **options) for kind in (AttentionSeq2Seq, Seq2Seq)])
    report = saved_model(ensemble, tmp_path / "two", words, beam_size=2)
    assert report["signatures"] == SIGNATURES[:-1]
    assert report["rows"] == report["equal"] + report["near_ties"]
    with loaded(report["path"]) as run:
        sources = [source for source, _ in words[:20]]
        assert texts(run("serving_default", source=sources)["answer"]) == ensemble.generate(sources, beam_size=2)


def test_sources_are_normalised_in_the_graph(tmp_path, texts):
    pairs = [("\u00e9a", "x"), ("한글", "yy")]
    model = AttentionSeq2Seq.from_pairs(pairs, normal_form="NFC", embedding_dim=3, hidden_dim=4, cell="simple_rnn")
    model.preprocessor.encode_sources(["a"])  # Whatever was normalised before.
    folder = saved_model(model, tmp_path / "nfc", pairs)["path"]
    with loaded(folder) as run:
        reply = run("serving_default", source=["\u00e9a", "e\u0301a", "한글", "한글"])
    answers = texts(reply["answer"])
    assert texts(reply["error"]) == [""] * 4
    assert answers[0] == answers[1] == model.generate("e\u0301a")
    assert answers[2] == answers[3] == model.generate("한글")
