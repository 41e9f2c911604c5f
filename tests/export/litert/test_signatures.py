"""The signatures of LiteRT files: answers, flags and steps, run by the LiteRT runtime."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo.export import litert
from seqzoo.models import Greedy, Seq2Seq
from seqzoo.pipelines import PairPreprocessor

PAIRS = [("한국", "KR"), ("日本", "JP"), ("🇫🇷", "FR")]


@pytest.fixture(scope="module")
def runners(path):
    """Its signatures: a function that gives the one of a name."""
    return Interpreter(str(path)).get_signature_runner


@pytest.mark.parametrize(
    ("peeky", "options"),
    [(True, {"num_layers": 2, "pass_cell_state": False}), pytest.param(False, {}, marks=pytest.mark.slow(minutes=1))],
)
def test_no_tensor_is_given_under_two_names(sums_model, tmp_path, peeky, options):
    """LiteRT in browsers would give it under one of them."""
    litert(sums_model("lstm", peeky, **options), tmp_path / "sums.tflite")
    interpreter = Interpreter(str(tmp_path / "sums.tflite"))
    for name in interpreter.get_signature_list():
        outputs = interpreter.get_signature_runner(name).get_output_details().values()
        assert len({each["index"] for each in outputs}) == len(outputs), name


@pytest.mark.parametrize(
    ("cell", "peeky", "options"),
    [
        ("lstm", False, {"num_layers": 2, "pass_cell_state": False, "dropout": 0.1, "unroll": False}),
        ("lstm", True, {}),
        pytest.param("gru", False, {}, marks=pytest.mark.slow(minutes=1)),
        ("gru", True, {"num_layers": 2}),
        ("simple_rnn", False, {}),
        pytest.param("simple_rnn", True, {}, marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_answers_are_the_models(sums_model, three_digit_sums, tmp_path, cell, peeky, options, texts, code_points):
    model = sums_model(cell, peeky, reverse=peeky, **options)
    report = litert(model, tmp_path / "sums.tflite")
    assert report["rows"] == 5000
    assert report["equal"] + report["near_ties"] == 5000
    assert report["near_ties"] <= 5
    reply = Interpreter(report["path"]).get_signature_runner("serving_default")(source=code_points(three_digit_sums))
    assert not reply["error"].any()
    same = np.array(texts(reply["answer"])) == np.array(model.generate(three_digit_sums))
    assert same.mean() >= 0.999


def test_wrong_code_points_are_flagged_and_leave_their_neighbours_alone(sums, runners, texts, code_points):
    rows = code_points(["57+5", "5x", "1+1", "", "9+9", "1+1", "1+1", "628+521"])
    rows[4] = [0, *rows[4, :6]]
    rows[5, 1], rows[6, 2] = -5, 0x110000
    reply = runners("serving_default")(source=rows)
    assert reply["error"].dtype == np.int32
    assert reply["error"].tolist() == [0, 1, 0, 1, 1, 1, 1, 0]
    assert texts(reply["answer"]) == [
        *sums.generate(["57+5"]),
        "",
        *sums.generate(["1+1"]),
        *[""] * 4,
        *sums.generate(["628+521"]),
    ]


def test_fixed_batch_of_one_answers_the_same(sums, runners, texts, code_points):
    reply = runners("batch_1")(source=code_points(["57+5"]))
    assert texts(reply["answer"]) == sums.generate(["57+5"])
    assert runners("batch_1").get_input_details()["source"]["shape_signature"].tolist() == [1, 7]
    assert runners("serving_default").get_input_details()["source"]["shape_signature"].tolist() == [-1, 7]


def test_steps_write_the_answer_with_each_tokens_probability(sums, runners, code_points):
    code_point_of = runners("vocabulary")()["code_points"]
    assert code_point_of.tolist() == [0, -1, *map(ord, "+0123456789")]
    for source in ("57+5", "628+521", "1+1"):
        states = runners("encode")(source=code_points([source]))
        assert not states.pop("error")[0]
        written, token = [], np.zeros([1], "int32")
        for _ in range(4):
            reply = runners("decode_step")(token=token, **states)
            np.testing.assert_allclose(reply["probabilities"].sum(), 1, atol=1e-5)
            assert code_point_of[reply["probabilities"].argmax()] == reply["next"][0]
            assert not reply["error"][0]
            states |= {name: value for name, value in reply.items() if name in states}
            token = reply["next"]
            if token[0] <= 0:
                break
            written.append(chr(token[0]))
        assert sums.generate(source).startswith("".join(written))
        if token[0] == 0:
            assert sums.generate(source) == "".join(written)
    wrong = runners("decode_step")(token=np.array([ord("x")], "int32"), **states)
    assert wrong["error"][0]
    np.testing.assert_array_equal(wrong["state_0_1"], states["state_0_1"])
    assert runners("encode")(source=code_points(["x"]))["error"][0]


def test_any_characters_and_an_unknown_one(tmp_path, code_points):
    keras.utils.set_random_seed(0)
    for unknown in (False, True):
        model = Seq2Seq(PairPreprocessor.from_pairs(PAIRS, unknown=unknown), embedding_dim=8, hidden_dim=16)
        report = litert(model, tmp_path / "model.tflite", data=PAIRS)
        assert (report["rows"], report["equal"] + report["near_ties"]) == (3, 3)
        sources = ["日本", "日é", "\ud800"]
        reply = Interpreter(report["path"]).get_signature_runner("serving_default")(source=code_points(sources, 2))
        assert reply["error"].tolist() == [False, not unknown, True]


def test_language_model_steps_as_the_model(writer, text_model, tmp_path):
    for unknown in (False, True):
        model = text_model(unknown, num_layers=2, cell="gru") if unknown else writer
        report = litert(model, tmp_path / "model.tflite")
        assert report["rows"] > 200
        assert report["different"] == 0
        assert report["score"]["export"] == pytest.approx(report["score"]["model"], abs=1e-4)
        signature = Interpreter(report["path"]).get_signature_runner
        code_point_of, step = signature("vocabulary")()["code_points"], signature("step")
        states = {name: np.zeros([1, 32], "float32") for name in step.get_input_details() if name != "token"}
        token, text = np.zeros([1], "int32"), ""
        for _ in range(40):
            reply = step(token=token, **states)
            states = {name: reply[name] for name in states}
            token = code_point_of[[np.where(code_point_of < 0, -np.inf, reply["logits"][0]).argmax()]]
            text += chr(token[0])
        assert text == model.generate("", 40, Greedy())
        assert step(token=np.array([ord("é")], "int32"), **states)["error"][0] == (not unknown)
        many = {name: np.repeat(state, 3, axis=0) for name, state in states.items()}
        assert signature("serving_default")(token=np.array([0, 1, 2**31 - 1], "int32"), **many)["logits"].shape[0] == 3
