"""LiteRT files of models with attention: greedy and beam search, answers in words, capitals, steps with alignments."""

import json
import pathlib

import numpy as np
import openvino
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo.export import litert
from seqzoo.export.clients import answers_of_litert, steps_of_litert
from seqzoo.models import AttentionSeq2Seq
from seqzoo.pipelines import START_ID


@pytest.fixture(scope="module")
def greedy(phones, pronunciations, tmp_path_factory):
    """`(report, interpreter)` of the model `phones`."""
    report = litert(phones, tmp_path_factory.mktemp("litert") / "phones.tflite", data=pronunciations)
    return report, Interpreter(report["path"])


@pytest.fixture(scope="module")
def beam(gru_phones, pronunciations, tmp_path_factory):
    """`(report, interpreter)` of the model `gru_phones` with a beam."""
    path = tmp_path_factory.mktemp("litert") / "beam.tflite"
    report = litert(gru_phones, path, None, pronunciations, beam_size=4, length_penalty=0.5)
    return report, Interpreter(report["path"])


def test_reports_say_how_answers_are_searched_and_texts_read(greedy, beam):
    for (report, _), beam_size, length_penalty in ((greedy, 1, 0.0), (beam, 4, 0.5)):
        stored = json.loads(pathlib.Path(report["path"] + ".json").read_text(encoding="utf-8"))
        assert stored == {key: value for key, value in report.items() if key != "path"}
        assert (stored["beam_size"], stored["length_penalty"]) == (beam_size, length_penalty)
        assert (stored["lower_case"], stored["normal_form"]) == (True, None)
        assert stored["rows"] == stored["equal"] + stored["near_ties"] == 60
        others = stored["other_signatures"]
        assert {name: (each["rows"], each["different"]) for name, each in others.items()} == {
            "batch_1": (16, 0), "decode_step": (16, 0),
        }  # fmt: skip


def test_answers_in_words_are_the_models(greedy, phones, beam, gru_phones, pronunciations):
    sources = [source for source, _ in pronunciations]
    for (_, interpreter), model, options in (
        (greedy, phones, {}),
        (beam, gru_phones, {"beam_size": 4, "length_penalty": 0.5}),
    ):
        expected = model.generate(sources, **options)
        assert any("t͡ʃ" in answer and " " in answer for answer in expected)
        assert answers_of_litert(interpreter, model)(sources) == expected
        one_by_one = answers_of_litert(interpreter, model, "batch_1")
        assert [one_by_one([source])[0] for source in sources[:20]] == expected[:20]


def test_unknown_words_are_written_as_the_model_writes_them(tmp_path):
    rows = [("ab", "x y"), ("ba", "y z"), ("aa", "z")]
    options = {"target_split": "whitespace", "unknown": True, "max_tokens": 2, "embedding_dim": 4, "hidden_dim": 4}
    model = AttentionSeq2Seq.from_pairs(rows, **options)
    bias = np.zeros(model.decoder.dense.bias.shape)
    bias[[START_ID, model.preprocessor.target_vocabulary.unknown_id]] = -20.0, 5.0
    model.decoder.dense.bias.assign(bias)
    assert "<unk>" in model.generate("ab")
    report = litert(model, tmp_path / "model.tflite", data=rows)
    assert {name: each["equal"] for name, each in report["other_signatures"].items()} == {
        "batch_1": 3,
        "decode_step": 3,
    }


def test_file_itself_reads_capitals(greedy, code_points, texts, phones):
    _, interpreter = greedy
    answer = interpreter.get_signature_runner("serving_default")
    length = phones.preprocessor.source_length
    reply = answer(source=code_points(["CHAT", "chat", "ChAt", "cha!", "CHA\u0130"], length))
    assert reply["error"].tolist() == [0, 0, 0, 1, 1]
    assert texts(reply["answer"]) == [*phones.generate(["chat"]) * 3, "", ""]


def test_steps_take_and_return_ids_of_words_and_align(greedy, phones):
    _, interpreter = greedy
    code_points = interpreter.get_signature_runner("vocabulary")()["code_points"]
    words = ["".join(map(chr, row[row > 0])) for row in code_points]
    assert words == ["", "", *phones.preprocessor.target_vocabulary.tokens]
    assert code_points[1, 0] == -1
    step, encode = (interpreter.get_signature_runner(name) for name in ("decode_step", "encode"))
    assert all(details["dtype"] in (np.int32, np.float32) for details in encode.get_output_details().values())
    steps = steps_of_litert(interpreter, phones)
    for source in ("chat", "Hut", "spakt"):
        answer, alignment = steps(source)
        expected, own = phones.align(source)
        assert answer == expected
        np.testing.assert_allclose(alignment[: len(own), : len(source)], own, atol=1e-4)
        assert not alignment[len(own) :].any()
        assert not alignment[:, len(source) :].any()
    states = {name: np.zeros(each["shape"], each["dtype"]) for name, each in step.get_input_details().items()}
    for token, is_wrong in ((0, 0), (1, 0), (len(words) - 1, 0), (len(words), 1), (-1, 1)):
        reply = step(**{**states, "token": np.array([token], "int32")})
        assert reply["error"].tolist() == [is_wrong]
    assert reply["next"].tolist() == [0]
    assert not reply["alignment"].any()


def test_no_tensor_is_given_under_two_names(greedy):
    """LiteRT in browsers would give it under one of them."""
    _, interpreter = greedy
    for name in interpreter.get_signature_list():
        details = interpreter.get_signature_runner(name).get_output_details().values()
        assert len({each["index"] for each in details}) == len(details), name


def test_openvino_answers_as_the_model(greedy, phones, pronunciations, code_points, texts):
    """It reads the first signature by name, `batch_1`, and computes in bfloat16 unless told not to."""
    report, _ = greedy
    core = openvino.Core()
    run = core.compile_model(core.read_model(report["path"]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    sources = [source for source, _ in pronunciations[:50]]
    answers = [run(code_points([source], phones.preprocessor.source_length))[0] for source in sources]
    assert [texts(answer)[0] for answer in answers] == phones.generate(sources)


def test_normal_form_is_the_clients_part(tmp_path, code_points):
    pairs = [("한국", "K R"), ("ＫＡ", "K A")]
    options = {"normal_form": "NFKD", "target_split": "whitespace", "embedding_dim": 4, "hidden_dim": 4}
    model = AttentionSeq2Seq.from_pairs(pairs, **options, cell="simple_rnn")
    report = litert(model, tmp_path / "model.tflite", data=pairs)
    assert report["normal_form"] == "NFKD"
    assert report["equal"] == 2
    interpreter = Interpreter(report["path"])
    reply = interpreter.get_signature_runner("serving_default")(source=code_points(["한국", "KA"], 6))
    assert reply["error"].tolist() == [1, 0]
    assert answers_of_litert(interpreter, model)(["한국"]) == model.generate(["한국"])


def test_sources_of_words_are_refused(tmp_path):
    model = AttentionSeq2Seq.from_pairs([("a b", "c")], source_split="whitespace", embedding_dim=4, hidden_dim=4)
    with pytest.raises(ValueError, match="needs a vocabulary of characters, not of words"):
        litert(model, tmp_path / "model.tflite")


def test_language_models_have_no_beam(writer, tmp_path):
    with pytest.raises(ValueError, match="A LanguageModel continues prompts and searches for no answers: leave out"):
        litert(writer, tmp_path / "model.tflite", beam_size=4)
    assert list(tmp_path.iterdir()) == []
