"""The signatures of SavedModels: answers, errors and draws, read back as TensorFlow Serving reads them."""

import pathlib
import re

import numpy as np
import pytest

from seqzoo.export import saved_model
from seqzoo.export.clients import loaded
from seqzoo.models import Chain, Greedy, LanguageModel, Seq2Seq, Temperature, TopK
from seqzoo.pipelines import START_ID, PairPreprocessor, TextPreprocessor

PROMPTS = ["the", "the cat s", "", "m"]


def test_every_signature_answers_as_the_model(sums, sums_report, three_digit_sums, texts):
    _check_signatures(sums, sums_report, three_digit_sums, texts)


@pytest.mark.slow(minutes=1)
@pytest.mark.parametrize(("cell", "peeky", "reverse"), [("gru", False, False), ("simple_rnn", True, False)])
def test_every_signature_of_other_models_answers_as_they_do(
    sums_model, three_digit_sums, tmp_path, cell, peeky, reverse, texts
):
    model = sums_model(cell, peeky, reverse)
    _check_signatures(model, saved_model(model, tmp_path), three_digit_sums, texts)


def _check_signatures(model, report, three_digit_sums, texts):
    assert report["rows"] == 5000
    assert report["equal"] + report["near_ties"] == 5000
    assert report["near_ties"] <= 5
    own = model.generate(three_digit_sums)
    with loaded(report["path"]) as run:
        reply = run("serving_default", source=three_digit_sums)
        assert set(reply["error"]) == {b""}
        assert np.mean([one == other for one, other in zip(texts(reply["answer"]), own, strict=True)]) >= 0.999

        tokens = model.preprocessor.vocabulary.lookup(three_digit_sums).to_tensor().numpy()
        of_ids = run("ids", source=tokens)
        assert texts(model.preprocessor.decode(of_ids["answer"]).numpy()) == texts(reply["answer"])
        np.testing.assert_allclose(of_ids["log_probability"], reply["log_probability"], atol=1e-4)

        # Teacher forcing has its own way through the graph. Weights like these also write the start token, no text.
        answered = (reply["answer"] != b"") & (of_ids["answer"] != START_ID).all(axis=1)
        assert answered.sum() > 1000
        score = run("score", source=np.array(three_digit_sums)[answered], target=reply["answer"][answered])
        np.testing.assert_allclose(score["log_probability"], reply["log_probability"][answered], atol=1e-4)
        assert score["log_probability"].max() < 0


def test_wrong_rows_have_their_error_and_leave_their_neighbours_alone(sums, run, texts):
    sources = [b"57+5", b"5x", b"1+1", b"", b"12345678", b"\xff1", b"628+521"]
    reply = run("serving_default", source=sources)
    assert texts(reply["error"]) == [
        "",
        "source '5x' has the character 'x', which is not in the vocabulary",
        "",
        "source is empty",
        "source '12345678' has 8 characters, the model takes at most 7",
        r"source is not valid UTF-8: \xff1",
        "",
    ]
    fine = reply["error"] == b""
    assert texts(reply["answer"][fine]) == sums.generate(["57+5", "1+1", "628+521"])
    assert (reply["answer"][~fine] == b"").all()
    assert (reply["log_probability"][~fine] == 0).all()
    assert (reply["log_probability"][fine] < 0).all()


def test_ids_out_of_range_are_errors(run, texts):
    rows = [
        [8, 10, 2, 8],
        [-1, 10, 0, 0],
        [13, 0, 0, 0],
        [1, 5, 0, 0],
        [5, 0, 5, 0],
        [0, 0, 0, 0],
        [2**31 - 1, -5, 0, 0],
    ]
    reply = run("ids", source=rows)
    assert texts(reply["error"]) == [
        "",
        "source has the id -1; a token's is 2 to 12",
        "source has the id 13; a token's is 2 to 12",
        "source has the id 1; a token's is 2 to 12",
        "source has an id after its padding",
        "source is empty",
        "source has the id 2147483647; a token's is 2 to 12",
    ]
    assert (reply["answer"][1:] == 0).all()
    assert reply["answer"][0].any()
    assert texts(run("ids", source=[[3] * 8, [3] * 7 + [0]])["error"]) == [
        "source has 8 ids, the model takes at most 7",
        "",
    ]


def test_score_names_what_is_wrong_with_either_side(run, texts):
    reply = run("score", source=["1+1", "x", "1+1"], target=["2", "2", "12345"])
    assert texts(reply["error"]) == [
        "",
        "source 'x' has the character 'x', which is not in the vocabulary",
        "target '12345' has 5 characters, the model takes at most 4",
    ]
    assert reply["log_probability"][1:].tolist() == [0, 0]


def test_empty_batches_give_empty_batches(run, write):
    empty = np.zeros([0], object)
    assert run("serving_default", source=empty)["answer"].shape == (0,)
    assert run("ids", source=np.zeros([0, 0], "int32"))["answer"].shape == (0, 4)
    assert run("score", source=empty, target=empty)["log_probability"].shape == (0,)
    assert write("serving_default", prompt=empty)["text"].shape == (0,)
    numbers = {"length": [], "temperature": [], "top_k": [], "seed": []}
    assert write("sample", prompt=empty, **numbers)["text"].shape == (0,)


def test_ten_thousand_fuzzed_strings_give_an_answer_or_an_error_each(sums, run):
    numbers = np.random.default_rng(0)
    any_bytes = [bytes([byte]) for byte in range(256)]
    alphabets = [[c.encode() for c in text] for text in ("0123456789+", "0+é😀한\0\uffff", "57+5\u0301😀")] + [
        any_bytes
    ]

    def fuzzed():
        length = int(numbers.integers(0, 1001) if numbers.random() < 0.3 else numbers.integers(0, 9))
        alphabet = alphabets[numbers.integers(len(alphabets))]
        return b"".join(alphabet[i] for i in numbers.integers(0, len(alphabet), length))[:1000]

    rows = [fuzzed() for _ in range(10_000)]
    valid = [row for row in rows if re.fullmatch(rb"[0-9+]{1,7}", row)]
    assert 500 < len(valid) < 5_000
    expected = dict(zip(valid, sums.generate(valid), strict=True))
    at, different = 0, 0
    while at < len(rows):
        batch = rows[at : at + int(numbers.integers(1, 300))]
        reply = run("serving_default", source=np.array([*batch, None], object)[:-1])
        for row, answer, error in zip(batch, reply["answer"], reply["error"], strict=True):
            if row in expected:
                assert error == b""
                different += answer.decode() != expected[row]
            else:
                assert answer == b""
                assert error.decode().startswith("source ")
        at += len(batch)
    assert different <= 5  # Near-ties.


def test_fuzzed_prompts_give_a_text_or_an_error_each(writer, write, texts):
    numbers = np.random.default_rng(0)
    alphabets = [[c.encode() for c in text] for text in ("the cat", "the é😀\0", "\u0301a")]
    alphabets.append([bytes([byte]) for byte in range(256)])
    rows = [b"".join(numbers.choice(alphabets[i % 4], numbers.integers(0, 40)).tolist()) for i in range(400)]
    known = set(writer.preprocessor.vocabulary.tokens)
    reply = write("serving_default", prompt=np.array([*rows, None], object)[:-1])
    fine = [set(row.decode(errors="replace")) <= known for row in rows]
    assert 100 < sum(fine) < 300
    assert (reply["error"] == b"").tolist() == fine
    expected = writer.generate([row for row, is_fine in zip(rows, fine, strict=True) if is_fine])
    assert texts(reply["text"][fine]) == expected
    assert (reply["text"][~np.array(fine)] == b"").all()


def test_no_operation_has_a_gradient_that_is_not_saved(sums_report):
    """Of which TensorFlow would warn whoever loads it."""
    graph = pathlib.Path(sums_report["path"], "saved_model.pb").read_bytes()
    assert b"TensorListReserve" in graph or b"Tanh" in graph
    assert b"_gradient_op_type" not in graph


def test_words_go_the_same_way(tmp_path, texts):
    pairs = [("good morning", "bonjour"), ("good night", "bonne nuit"), ("thank you", "merci")]
    model = Seq2Seq(PairPreprocessor.from_pairs(pairs, False, "whitespace", "whitespace", unknown=True), hidden_dim=8)
    report = saved_model(model, tmp_path, pairs)
    assert (report["rows"], report["equal"] + report["near_ties"]) == (3, 3)
    with loaded(tmp_path / "1") as run:
        assert texts(run("serving_default", source=["good day", " ", "a b c"])["error"]) == [
            "",
            "source is empty",
            "source 'a b c' has 3 words, the model takes at most 2",
        ]


def test_texts_are_the_models_and_draws_repeat(writer, write, texts):
    def sample(length, temperature, top_k, seed):
        options = {"length": length, "temperature": temperature, "top_k": top_k, "seed": seed}
        return texts(write("sample", prompt=PROMPTS, **{key: [value] * 4 for key, value in options.items()})["text"])

    assert texts(write("serving_default", prompt=PROMPTS)["text"]) == writer.generate(PROMPTS)
    assert sample(60, 1.0, 1, 0) == writer.generate(PROMPTS, 60, Greedy())
    assert sample(60, 0.7, 5, 9) == writer.generate(PROMPTS, 60, Chain([Temperature(0.7), TopK(5)]), seed=9)
    assert sample(60, 1.0, 99, -3) == writer.generate(PROMPTS, 60, seed=-3)
    assert sample(60, 1.0, 99, 4) != sample(60, 1.0, 99, 5)


def test_each_row_has_its_own_options(writer, write, texts):
    options = {"length": [5, 0, 30, 30], "temperature": [1, 1, 0.5, 2], "top_k": [9, 9, 9, 2], "seed": [1, 1, 2, 3]}
    reply = write("sample", prompt=["the"] * 4, **options)
    expected = [
        writer.generate("the", length, Chain([Temperature(temperature), TopK(k)]), seed)
        for length, temperature, k, seed in [(5, 1, 9, 1), (0, 1, 9, 1), (30, 0.5, 9, 2), (30, 2, 2, 3)]
    ]
    assert texts(reply["text"]) == expected
    assert [len(text) for text in expected][:2] == [5, 0]


def test_wrong_requests_for_a_text_have_their_error(writer, write, texts):
    reply = write(
        "sample",
        prompt=["the", "thé", b"\xff", "the", "the", "the", "the", "the", "t" * 10_001],
        length=[5, 5, 5, -1, 10_001, 5, 5, 5, 5],
        temperature=[1, 1, 1, 1, 1, 0, np.nan, 1, 1],
        top_k=[3, 3, 3, 3, 3, 3, 3, 0, 3],
        seed=[0] * 9,
    )
    assert texts(reply["error"]) == [
        "",
        "the prompt has the character 'é', which is not in the vocabulary",
        "the prompt is not valid UTF-8",
        "length must not be negative. Received: -1",
        "length must be at most 10000. Received: 10001",
        "temperature must be a number above 0. Received: 0.000000",
        "temperature must be a number above 0. Received: nan",
        "top_k must be at least 1. Received: 0",
        "the prompt must have at most 10000 tokens. Received: 10001",
    ]
    assert texts(reply["text"]) == [writer.generate("the", 5, TopK(3)), *[""] * 8]


def test_language_model_of_words_in_lines(tmp_path, texts):
    text = "good morning to you\ngood night to all\n" * 4
    preprocessor = TextPreprocessor.from_text(text, split="whitespace", unknown=True, lines=True)
    model = LanguageModel(preprocessor, 8, 8, cell="gru", tie_embeddings=True)
    report = saved_model(model, tmp_path, text)
    assert report["equal"] + report["near_ties"] == report["rows"] == 64
    with loaded(tmp_path / "1") as run:
        assert texts(run("serving_default", prompt=["good"])["text"]) == [model.generate("good")]
