"""Data that a model cannot train on are named, and nothing is trained."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_tasks import PAIR_TASK, PAIRS, SOURCES, TARGETS, TASKS, TEXT, both, dataset

from seqzoo.models import Seq2Seq

# === Bad input ===


def pairs_with(row, pair):
    return [*PAIRS[: row - 1], pair, *PAIRS[row - 1 :]]


NO_TARGETS = "Targets are missing: "
NO_PAIRS = "There are no pairs"
WRONG_PAIRS = {
    "long source": ((pairs_with(150, ("abcd", "A")),), "row 150: source 'abcd' has 4 characters, the model takes at"),
    "long target": ((pairs_with(2, ("a", "ABCD")),), "row 2: target 'ABCD' has 4 characters, the model takes at"),
    "character": ((pairs_with(3, ("axb", "A")),), "row 3: source 'axb' has the character 'x', which is not in the"),
    "of a target": ((pairs_with(1, ("a", "é")),), "row 1: target 'é' has the character 'é', which is not in the"),
    "two wrong": (([*pairs_with(9, ("a", "")), ("x", "A")],), "row 9: target is empty"),
    "empty source": ((pairs_with(2, ("", "A")),), "row 2: source is empty"),
    "empty target": ((dataset(pairs_with(2, ("a", ""))),), "row 2: target is empty"),
    "bytes": ((pairs_with(2, (b"\xff", "A")),), r"row 2: source is not valid UTF-8: \xff"),
    "a number": ((pairs_with(2, ("a", 3)),), "Pair 2 must be a (source, target) tuple of strings. Received: ('a', 3)"),
    "no target": ((pairs_with(2, ("a",)),), "Pair 2 must be a (source, target) tuple of strings. Received: ('a',)"),
    "a first number": (([(3, "A"), *PAIRS],), "Pair 1 must be a (source, target) tuple of strings. Received: (3, 'A')"),
    "nothing": ((pairs_with(2, None),), "Pair 2 must be a (source, target) tuple of strings. Received: None"),
    "three": (([("a", "A", "b")],), "Pair 1 must be a (source, target) tuple of strings. Received: ('a', 'A', 'b')"),
    "columns": ((tf.data.Dataset.from_tensor_slices((["a"], ["A"], ["b"])),), "Elements must be (source, target) s"),
    "four": ((tf.data.Dataset.from_tensor_slices((["a"], ["A"], [1], [1])),), "Elements must be (source, target) s"),
    "endless": ((dataset(PAIRS).repeat(),), "The data set has no end, and all of its rows are to be read: leave out"),
    "endless with weights": (
        (tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS, [1.0] * len(PAIRS))).repeat(),),
        "The data set has no end",
    ),
    "a text": ((tf.data.Dataset.from_tensor_slices(["a", "b"]),), "Elements must be (source, target) string scalars"),
    "batched": ((dataset(PAIRS).batch(8),), "Elements must be (source, target) string scalars"),
    "empty list": (([],), NO_PAIRS),
    "empty lists": (([], []), NO_PAIRS),
    "empty array": ((np.array([], "U1"), np.array([], "U1")), NO_PAIRS),
    "empty dataset": ((dataset(PAIRS).take(0),), NO_PAIRS),
    "list": ((SOURCES,), NO_TARGETS),
    "tuple": ((tuple(SOURCES),), NO_TARGETS),
    "one string": (("abc",), NO_TARGETS),
    "array": ((np.array(SOURCES),), NO_TARGETS),
    "tensor": ((tf.constant(SOURCES),), NO_TARGETS),
    "fewer targets": ((SOURCES, TARGETS[:-1]), f"There must be a target for each source. Received: {len(PAIRS)} and"),
    "more targets": ((SOURCES[:-1], TARGETS), f"must be a target for each source. Received: {len(PAIRS) - 1} and"),
    "one target": ((["a", "b"], "AB"), "Sources and targets must be two lists of strings. Received: targets='AB'"),
    "two strings": (("ab", "AB"), "Sources and targets must be two lists of strings. Received: sources='ab'"),
    "numbers": ((["a"], [1]), "Sources and targets must be two lists of strings. Received: targets=[1]"),
    "two datasets": ((dataset(PAIRS), TARGETS), "Sources and targets must be two lists of strings. Received: sources"),
    "key": (({"source": SOURCES},), "must have the keys source and target. Received: ['source']"),
    "keys": (({"en": SOURCES, "de": TARGETS},), "must have the keys source and target. Received: ['de', 'en']"),
    "a long key": (({"source": SOURCES, "target": TARGETS[1:]},), "There must be a target for each source. Received:"),
}


@pytest.fixture(scope="module")
def fresh():
    """Models of both kinds that must not be trained."""
    return {task.part: task.model() for task in TASKS}


def assert_refused(model, call, message):
    """A call raises one error, and nothing is trained."""
    before = model.get_weights()
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        call()
    assert type(error.value) is ValueError
    assert int(model.optimizer.iterations) == 0
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(("data", "message"), WRONG_PAIRS.values(), ids=WRONG_PAIRS)
def test_wrong_pairs_are_named_and_nothing_is_trained(fresh, data, message):
    model = fresh["encoder"]
    assert_refused(model, lambda: model.fit(*data, verbose=0), message)
    assert_refused(model, lambda: model.fit(*data, verbose=0, validation_split=0.1, steps_per_epoch=1), message)
    assert_refused(model, lambda: model.evaluate(*data, verbose=0), message)
    if len(data) == 1 and not isinstance(data[0], tuple):
        assert_refused(model, lambda: model.fit(PAIRS, validation_data=data[0], verbose=0), message)


WRONG_TEXTS = {
    "character": (("the cat\nthe box\n",), "line 2: the text has the character 'b', which is not in the vocabulary"),
    "bytes": ((b"the \xff",), "line 1: the text is not valid UTF-8"),
    "empty": (("",), "There is no text"),
    "empty list": (([],), "There is no text"),
    "empty strings": ((["", ""],), "There is no text"),
    "empty dataset": ((tf.data.Dataset.from_tensor_slices([TEXT]).take(0),), "There is no text"),
    "endless": ((tf.data.Dataset.from_tensor_slices([TEXT]).repeat(),), "The data set has no end"),
    "pairs": ((PAIRS,), "A text must be a string or a sequence of strings. Received: ('a', 'A')"),
    "dataset of pairs": ((dataset(PAIRS),), "Elements must be string scalars"),
    "number": ((["the", 3],), "A text must be a string or a sequence of strings. Received: 3"),
    "targets": (([TEXT], [TEXT]), "A text has no targets"),
}


@pytest.mark.parametrize(("data", "message"), WRONG_TEXTS.values(), ids=WRONG_TEXTS)
def test_wrong_texts_are_named_and_nothing_is_trained(fresh, data, message):
    model = fresh["embedding"]
    assert_refused(model, lambda: model.fit(*data, verbose=0), message)
    assert_refused(model, lambda: model.fit(*data, verbose=0, validation_split=0.1), message)
    assert_refused(model, lambda: model.evaluate(*data, verbose=0), message)
    if len(data) == 1:
        assert_refused(model, lambda: model.fit(TEXT, validation_data=data[0], verbose=0), message)


@both
@pytest.mark.parametrize("share", [1, 1.5, -0.1])
def test_a_share_that_cannot_be_held_out_is_refused(fresh, task, share):
    model = fresh[task.part]
    message = f"validation_split must be between 0 and 1. Received: validation_split={share}"
    assert_refused(model, lambda: model.fit(task.data, validation_split=share, verbose=0), message)


def test_data_too_few_to_hold_out_a_share_are_refused(fresh):
    model = fresh["encoder"]
    message = r"validation_split=0.5 leaves no data to "
    assert_refused(model, lambda: model.fit([("a", "A")] * 9, validation_split=0.5, verbose=0), message)
    model = fresh["embedding"]
    assert_refused(model, lambda: model.fit("t", validation_split=0.5, verbose=0), message)


@both
@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch", "predict_on_batch"])
def test_methods_for_one_batch_take_no_strings(fresh, task, method):
    model = fresh[task.part]
    for strings in (task.data, task.questions, np.array(task.questions), tf.constant(task.questions), []):
        assert_refused(model, lambda strings=strings: getattr(model, method)(strings), f"{method}")
    if method != "predict_on_batch":
        assert_refused(model, lambda: getattr(model, method)(SOURCES, TARGETS), f"{method}")


@both
def test_what_reads_strings_as_a_whole_refuses_endless_ones(task):
    endless = tf.data.Dataset.from_tensor_slices(task.questions).repeat()
    with pytest.raises(ValueError, match="The data set has no end"):
        task.build().predict(endless)
    with pytest.raises(ValueError, match="The data set has no end"):
        Seq2Seq.from_pairs(dataset(PAIRS).repeat())


def test_an_iterator_of_pairs_is_read_once(small):
    model = PAIR_TASK.model()
    expected = model.fit(PAIRS, verbose=0).history
    for data in (lambda: (zip(SOURCES, TARGETS, strict=True),), lambda: (map(str, SOURCES), filter(None, TARGETS))):
        again = PAIR_TASK.model()
        assert again.fit(*data(), verbose=0).history == expected
        assert small.weights(again) == small.weights(model)
        assert again.evaluate(*data(), verbose=0) == pytest.approx(model.evaluate(PAIRS, verbose=0))
    pairs = zip(SOURCES, TARGETS, strict=True)
    Seq2Seq.from_pairs(pairs)
    with pytest.raises(
        ValueError, match=r"The iterator of pairs gave none\. It can be read once, and may have been: use"
    ):
        Seq2Seq.from_pairs(pairs)


@both
def test_inside_a_graph_generate_says_what_to_use(task):
    model = task.build()
    questions = tf.data.Dataset.from_tensor_slices(task.questions)
    instead = "model.answer(strings" if task is PAIR_TASK else 'model.serving_functions()["serving_default"]'
    methods = [model.generate, model.n_best, model.predict] if task is PAIR_TASK else [model.generate, model.predict]
    for data, method in zip([questions, questions.batch(2), questions], methods, strict=False):
        message = f"In a graph, such as the function of Dataset.map, use {instead}"
        with pytest.raises(ValueError, match=re.escape(message)):
            data.map(method)
    if task is PAIR_TASK:
        answers = [answer.numpy()[0, 0].decode() for answer, *_ in questions.batch(1).map(model.answer)]
        assert answers == model.generate(task.questions)


@both
def test_strings_are_refused_before_compile(task):
    model = task.build()
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"call `compile\(\)`"):
            call(task.data, verbose=0)


def test_no_warning_hides_in_these_tests():
    """The filter `error` of the tests above is one that Keras' warning about `shuffle` would trip."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PAIR_TASK.model()
        with pytest.raises(UserWarning, match="shuffle"):
            keras.Model.fit(model, PAIR_TASK.batches(model, PAIRS), shuffle=True, verbose=0)
