"""What holds for every model: it evaluates and predicts on strings and on batches, and says what it cannot."""

import re

import numpy as np
import pytest
import tensorflow as tf
from model_tasks import PAIR_TASK, TEXT_TASK, both

from seqzoo.models import LanguageModel, PeekySeq2Seq, Seq2Seq, StringModel

# === Evaluation and predictions ===


@both
def test_evaluation_on_strings_equals_that_on_batches(task):
    model = task.model()
    for data in (task.data, task.other):
        expected = model.evaluate(task.validation_batches(model, data), verbose=0)
        assert model.evaluate(data, verbose=0) == expected
    expected = model.evaluate(task.validation_batches(model, task.data, 30), verbose=0, return_dict=True)
    assert model.evaluate(task.data, None, 30, 0, return_dict=True) == expected


@both
def test_prediction_on_strings_is_an_array_of_the_answers(task):
    model, strings = task.build(), task.questions
    expected = model.generate(strings)
    for form in (strings, tuple(strings), np.array(strings), tf.constant(strings)):
        answers = model.predict(form)
        assert isinstance(answers, np.ndarray)
        assert answers.dtype.kind == "U"
        assert answers.tolist() == expected
    assert model.predict(tf.data.Dataset.from_tensor_slices(strings)).tolist() == expected
    assert model.predict(strings[0], verbose=0).tolist() == expected[:1]
    assert model.predict([]).shape == (0,)


@both
def test_prediction_on_batches_is_the_logits(task):
    model = task.model()
    batches = task.batches(model, task.data, batch_size=30).repeat().take(2)
    logits = model.predict(batches, verbose=0)
    inputs, answer = next(iter(batches))
    assert logits.shape == (2 * len(answer), answer.shape[1], model.preprocessor.vocabulary.size)
    expected = model(inputs, training=False)
    np.testing.assert_allclose(model.predict_on_batch(inputs), expected, rtol=1e-4, atol=1e-5)


@both
def test_prediction_refuses_what_are_no_strings_of_its_own(task):
    model = task.build()
    with pytest.raises(ValueError, match=r"must be a list, not a dictionary\. Received the keys \['source'\]"):
        model.predict({"source": ["a"]})
    with pytest.raises(ValueError, match=r"axb|not in the vocabulary"):
        model.predict(["a", "axb"])


@both
def test_every_good_row_is_answered_and_the_errors_are_returned(task):
    model = task.build()
    good, wrong = task.questions, task.wrong_question
    expected = model.generate(good)
    answers, errors = model.generate([good[0], "axb", *good[1:], b"\xff"], errors="return")
    assert answers == [expected[0], "", *expected[1:], ""]
    assert errors[:-1] == ["", wrong, *[""] * (len(good) - 1)]
    assert "not valid UTF-8" in errors[-1]
    assert model.generate(good, errors="return") == (expected, [""] * len(good))
    assert model.generate(good[0], errors="return") == (expected[0], "")
    assert model.generate("axb", errors="return") == ("", wrong)
    assert model.generate([], errors="return") == ([], [])
    with pytest.raises(ValueError, match=re.escape(f"row 2: {wrong}")):
        model.generate([good[0], "axb"], errors="raise")


@both
@pytest.mark.parametrize("value", ["ignore", None, True])
def test_errors_are_raised_or_returned_and_nothing_else(task, value):
    with pytest.raises(ValueError, match=rf"errors must be 'raise' or 'return'\. Received: errors={value!r}"):
        task.build().generate(task.questions, errors=value)


# === What a model cannot do ===


@both
def test_the_export_of_keras_points_to_that_of_seqzoo(task, tmp_path):
    with pytest.raises(ValueError, match=r"seqzoo\.export\.saved_model\(.*seqzoo\.export\.litert\("):
        task.build().export(tmp_path / "export")
    assert not list(tmp_path.iterdir())


def test_a_preset_of_another_class_is_refused_by_name():
    message = "The preset addition_reverse is a Seq2Seq, not a LanguageModel: use Seq2Seq.from_preset"
    with pytest.raises(ValueError, match=message):
        LanguageModel.from_preset("addition_reverse")
    with pytest.raises(ValueError, match="is a Seq2Seq, not a PeekySeq2Seq"):
        PeekySeq2Seq.from_preset("addition_reverse")
    assert type(Seq2Seq.from_preset("addition_peeky")) is PeekySeq2Seq
    assert type(StringModel.from_preset("addition_reverse")) is Seq2Seq


def test_a_language_model_answers_no_sources_and_a_seq2seq_model_continues_no_prompts():
    with pytest.raises(ValueError, match=r"A LanguageModel continues prompts and answers no sources: use \S"):
        TEXT_TASK.build().generate_each(["a"])
    with pytest.raises(ValueError, match=r"A Seq2Seq answers sources and continues no prompts: use \S"):
        PAIR_TASK.build().stream("a")
