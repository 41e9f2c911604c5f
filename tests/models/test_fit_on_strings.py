"""Strings train every model as the batches that its preprocessor makes of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_tasks import (
    OTHER_PAIRS,
    OTHER_TEXT,
    PAIR_TASK,
    PAIRS,
    SEED,
    SOURCES,
    TARGETS,
    TASKS,
    TEXT,
    TEXT_TASK,
    both,
    dataset,
    fitted,
)

from seqzoo.pipelines import hold_out
from seqzoo.training import Checkpoint


@pytest.fixture(scope="module", params=TASKS, ids=["pairs", "text"])
def reference(request):
    """A task, and the model and the history of a training on its batches."""
    task = request.param
    model = task.model()
    batches, validation = task.batches(model, task.data), task.validation_batches(model, task.other)
    return task, *fitted(task, batches, validation_data=validation)


@pytest.fixture(scope="module")
def pair_weights(small):
    """The weights of an epoch on batches of pairs."""
    return small.weights(fitted(PAIR_TASK, PAIR_TASK.batches(PAIR_TASK.model(), PAIRS), epochs=1)[0])


@pytest.fixture(scope="module")
def text_training():
    """The model and the history of an epoch on a text."""
    return fitted(TEXT_TASK, TEXT, epochs=1, validation_data=OTHER_TEXT)


@pytest.fixture(scope="module")
def validated():
    """A model after an epoch on a few pairs, and its figures on batches of other ones."""
    validation = PAIR_TASK.validation_batches(PAIR_TASK.model(), OTHER_PAIRS)
    return fitted(PAIR_TASK, PAIRS[:9], epochs=1, validation_data=validation)


# === Training on strings ===


def test_strings_train_to_the_weights_of_their_batches_to_the_bit(reference, small):
    task, model, history = reference
    on_strings, its_history = fitted(task, task.data, validation_data=task.other)
    assert small.weights(on_strings) == small.weights(model) != small.weights(task.model())
    assert its_history == history
    assert task is TEXT_TASK or len(task.batches(model, PAIRS)) == 2


@pytest.mark.slow(minutes=1)
def test_strings_train_to_the_weights_of_their_batches_with_xla():
    pairs = [*PAIRS, *PAIRS][:256]  # Both batches have one shape, for which XLA compiles.
    trained = []
    for as_batches in (False, True):
        model = PAIR_TASK.model(run_eagerly=False, jit_compile="auto")
        assert model.jit_compile
        model.fit(PAIR_TASK.batches(model, pairs) if as_batches else pairs, epochs=2, verbose=0)
        trained.append([weight.tobytes() for weight in model.get_weights()])
    assert trained[0] == trained[1]


PAIR_FORMS = {
    "tuple": (tuple(PAIRS),),
    "lists": ([list(pair) for pair in PAIRS],),
    "bytes": ([(source.encode(), target.encode()) for source, target in PAIRS],),
    "dataset": (dataset(PAIRS),),
    "dataset of dictionaries": (tf.data.Dataset.from_tensor_slices({"source": SOURCES, "target": TARGETS}),),
    "dataset with other fields": (
        tf.data.Dataset.from_tensor_slices({"source": SOURCES, "target": TARGETS, "id": list(range(len(PAIRS)))}),
    ),
    "two lists": (SOURCES, TARGETS),
    "two tuples": (tuple(SOURCES), tuple(TARGETS)),
    "two arrays": (np.array(SOURCES), np.array(TARGETS)),
    "two arrays of objects": (np.array(SOURCES, object), np.array(TARGETS, object)),
    "two tensors": (tf.constant(SOURCES), tf.constant(TARGETS)),
    "an array": (np.array(PAIRS),),
    "a tensor": (tf.constant(PAIRS),),
    "dictionary": ({"source": SOURCES, "target": TARGETS},),
    "dictionary of arrays": ({"source": np.array(SOURCES), "target": np.array(TARGETS)},),
}


def forms(named, quick):
    """Parameters for each form of data, of which those that are not quick run with the slow tests."""
    slow = pytest.mark.slow(minutes=1)
    return [pytest.param(form, id=name, marks=() if name in quick else slow) for name, form in named.items()]


@pytest.mark.parametrize("data", forms(PAIR_FORMS, {"tuple", "bytes", "dataset", "two arrays", "dictionary"}))
def test_pairs_of_every_form_train_the_same(data, pair_weights, small):
    assert small.weights(fitted(PAIR_TASK, *data, epochs=1)[0]) == pair_weights


VALIDATION_FORMS = {
    "tuple of pairs": tuple(OTHER_PAIRS),
    "dataset": dataset(OTHER_PAIRS),
    "two lists": tuple(map(list, zip(*OTHER_PAIRS, strict=True))),
    "two arrays": tuple(map(np.array, zip(*OTHER_PAIRS, strict=True))),
    "two tensors": tuple(map(tf.constant, zip(*OTHER_PAIRS, strict=True))),
    "dictionary": dict(zip(("source", "target"), zip(*OTHER_PAIRS, strict=True), strict=True)),
    "array": np.array(OTHER_PAIRS),
}


@pytest.mark.parametrize("data", forms(VALIDATION_FORMS, {"tuple of pairs", "dataset", "two arrays", "dictionary"}))
def test_validation_pairs_of_every_form_are_scored_the_same(data, validated):
    model, history = validated
    assert fitted(PAIR_TASK, PAIRS[:9], epochs=1, validation_data=data)[1] == history
    data = data if isinstance(data, tuple) and len(data) == 2 else (data,)
    assert model.evaluate(*data, verbose=0) == [history["val_loss"][0], history["val_exact_match"][0]]


@pytest.mark.parametrize(
    "text",
    [TEXT.encode(), TEXT.splitlines(keepends=True), tf.data.Dataset.from_tensor_slices(TEXT.splitlines(keepends=True))],
    ids=["bytes", "list", "dataset"],
)
def test_texts_of_every_form_train_the_same(text, text_training, small):
    expected = text_training
    model, history = fitted(TEXT_TASK, text, epochs=1, validation_data=[OTHER_TEXT])
    assert small.weights(model) == small.weights(expected[0])
    assert history == expected[1]


def test_pairs_are_held_out_by_their_sources(small):
    training, validation = hold_out(PAIRS, SEED, 20)
    sources = [{source for source, _ in part.as_numpy_iterator()} for part in (training, validation)]
    assert all(sources)
    assert not sources[0] & sources[1]
    model, history = fitted(PAIR_TASK, PAIRS, validation_split=0.2, epochs=1)
    expected, its_history = fitted(PAIR_TASK, training, validation_data=validation, epochs=1)
    assert small.weights(model) == small.weights(expected)
    assert history == its_history


def test_the_end_of_a_text_is_held_out(small):
    model = TEXT_TASK.model()
    parts = model.preprocessor.hold_out(TEXT, percent=20)
    batches, validation = TEXT_TASK.batches(model, parts[0]), TEXT_TASK.validation_batches(model, parts[1])
    expected, its_history = fitted(TEXT_TASK, batches, validation_data=validation, epochs=1)
    for data, options in ((TEXT, {"validation_split": 0.2}), (parts[0], {"validation_data": parts[1]})):
        model, history = fitted(TEXT_TASK, data, epochs=1, **options)
        assert small.weights(model) == small.weights(expected)
        assert history == its_history
    assert "val_perplexity" in history


def test_nothing_is_held_out_where_there_is_validation_data(pair_weights, small):
    model, history = fitted(PAIR_TASK, PAIRS, epochs=1, validation_split=0.5, validation_data=OTHER_PAIRS)
    assert small.weights(model) == pair_weights
    assert history["val_loss"] == model.evaluate(OTHER_PAIRS, verbose=0)[:1]


@both
def test_validation_batch_size_is_that_of_validation_strings(task):
    scored = []
    counting = keras.callbacks.LambdaCallback()
    counting.on_test_batch_end = lambda batch, logs=None: scored.append(batch)
    data = task.other if task is PAIR_TASK else TEXT[:200]
    fitted(task, task.data, epochs=1, validation_data=data, validation_batch_size=1, callbacks=[counting])
    assert len(scored) == 3
    scored.clear()
    fitted(task, task.data, epochs=1, validation_split=0.2, validation_batch_size=3, callbacks=[counting])
    assert len(scored) > 2


def test_strings_are_shuffled_by_the_seed_and_anew_in_each_epoch(small):
    def trained(seed, **options):
        model = PAIR_TASK.model()
        tf.random.set_seed(seed)  # Of `keras.utils.set_random_seed`, which would also change the dropout.
        model.fit(PAIRS, verbose=0, **options)
        return small.weights(model)

    first = trained(SEED)
    assert trained(SEED) == first
    assert trained(SEED + 1) != first
    assert trained(SEED, shuffle=False) != first
    assert trained(SEED, initial_epoch=1, epochs=2) != first


@both
def test_strings_keep_their_order_without_shuffling(task, small):
    model, _ = fitted(task, task.data, shuffle=False, epochs=1)
    if task is PAIR_TASK:
        in_order = task.batches(model, PAIRS, shuffle_seed=None)
    else:
        in_order = task.validation_batches(model, TEXT)
    assert small.weights(model) == small.weights(fitted(task, in_order, epochs=1)[0])


@both
def test_batch_size_is_that_of_strings(task, small):
    model, _ = fitted(task, task.data, epochs=1, batch_size=50)
    expected, _ = fitted(task, task.batches(model, task.data, batch_size=50), epochs=1)
    assert small.weights(model) == small.weights(expected)


def test_two_trainings_in_a_row_equal_one(reference, small):
    task, at_once, _ = reference
    model, _ = fitted(task, task.data, epochs=1)
    model.fit(task.data, initial_epoch=1, epochs=2, verbose=0)
    assert small.weights(model) == small.weights(at_once)


def test_a_training_on_strings_resumes_from_a_checkpoint(reference, tmp_path, small):
    task, at_once, _ = reference
    fitted(task, task.data, epochs=1, callbacks=[Checkpoint(tmp_path / "checkpoint.npz")])
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz")
    assert checkpoint.initial_epoch == 1
    options = {"initial_epoch": checkpoint.initial_epoch, "callbacks": [checkpoint]}
    assert small.weights(fitted(task, task.data, **options)[0]) == small.weights(at_once)


def test_steps_per_epoch_are_the_first_batches_of_each_epoch(reference, small):
    task, expected, _ = reference
    size = len(task.data) // 4 if task is PAIR_TASK else 5
    model, _ = fitted(task, task.data, batch_size=size, steps_per_epoch=2)
    assert int(model.optimizer.iterations) == 4
    resumed, _ = fitted(task, task.data, batch_size=size, epochs=1, steps_per_epoch=2)
    resumed.fit(task.data, batch_size=size, initial_epoch=1, epochs=2, steps_per_epoch=2, verbose=0)
    assert small.weights(resumed) == small.weights(model)
    count = len(task.batches(model, task.data))
    whole, _ = fitted(task, task.data, steps_per_epoch=count)
    assert small.weights(whole) == small.weights(expected)
    longer, _ = fitted(task, task.data, epochs=1, steps_per_epoch=count + 1)
    assert int(longer.optimizer.iterations) == count + 1


@pytest.mark.parametrize("as_list", [False, True], ids=["one", "callback list"])
def test_callbacks_may_be_one_or_a_list_of_keras(as_list, pair_weights, small):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    model = PAIR_TASK.model()
    if as_list:
        callback = keras.callbacks.CallbackList([callback], add_history=True, model=model)
    model.fit(PAIRS, verbose=0, callbacks=callback)
    assert seen == [0]
    assert small.weights(model) == pair_weights


@both
@pytest.mark.parametrize("option", ["steps_per_epoch", "batch_size"])
def test_no_steps_and_no_rows_are_refused(task, option):
    with pytest.raises(ValueError, match=f"{option}.* must be at least 1"):
        fitted(task, task.data, epochs=1, **{option: 0})
