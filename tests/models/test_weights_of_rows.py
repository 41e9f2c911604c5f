"""Rows, and the tokens of their targets, with weights: in `fit` and `evaluate`, on strings and on batches."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_tasks import OTHER_PAIRS, PAIR_TASK, PAIRS, SEED, SMALL, SOURCES, TARGETS, TEXT_TASK, both

from seqzoo.models import AttentionSeq2Seq

ROWS = len(PAIRS)
WEIGHTS = np.random.default_rng(0).integers(0, 3, ROWS).astype("float32")
OTHER = tuple(map(list, zip(*OTHER_PAIRS, strict=True)))


def trained(*data, model=None, **options):
    model = PAIR_TASK.model(weighted_metrics=["exact_match"]) if model is None else model
    history = model.fit(*data, **{"verbose": 0, **options}).history
    return model, history


def assert_trained_alike(one, other, small):
    assert small.weights(one[0]) == small.weights(other[0])
    assert one[1] == other[1]


def weighted_batches(model, weights, **options):
    return model.preprocessor.batches(PAIRS, 128, shuffle_seed=SEED, weights=weights, **options)


def test_weights_of_strings_in_all_forms_are_those_of_batches(small):
    model = PAIR_TASK.model()
    expected = trained(weighted_batches(model, WEIGHTS), model=model)
    dataset = tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS, WEIGHTS))
    for data, options in [((SOURCES, TARGETS), {"sample_weight": WEIGHTS.tolist()}), ((dataset,), {})]:
        assert_trained_alike(trained(*data, model=PAIR_TASK.model(), **options), expected, small)
    plain = trained(SOURCES, TARGETS, model=PAIR_TASK.model())
    assert small.weights(plain[0]) != small.weights(expected[0])
    ones = trained(SOURCES, TARGETS, model=PAIR_TASK.model(), sample_weight=np.ones(ROWS))
    assert_trained_alike(ones, plain, small)


def test_a_row_of_weight_0_changes_nothing():
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(SEED)
        models.append(PAIR_TASK.build(dropout=0.0))
        models[-1].compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    kept, spoilt = PAIRS[:3], [*PAIRS[:3], ("abc", "DDD")]
    models[0].fit(kept, verbose=0)
    sources, targets = zip(*spoilt, strict=True)
    models[1].fit(list(sources), list(targets), sample_weight=[4 / 3] * 3 + [0], verbose=0)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("buckets", [1, 3])
def test_tokens_have_weights(buckets):
    keras.utils.set_random_seed(SEED)
    model = AttentionSeq2Seq.from_pairs(PAIRS, **{**SMALL, "dropout": 0.0})
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    weights = np.zeros((ROWS, model.preprocessor.target_length), "float32")
    weights[:, 0] = 1
    (inputs, answer, of_tokens), *_ = model.preprocessor.batches(PAIRS, 128, weights=weights, buckets=buckets)
    assert of_tokens.shape == answer.shape
    loss = model.test_on_batch(inputs, answer, of_tokens, return_dict=True)["loss"]
    logits = model(inputs, training=False)[:, 0]
    expected = keras.losses.sparse_categorical_crossentropy(answer[:, 0], logits, from_logits=True)
    np.testing.assert_allclose(loss, np.mean(expected) / model.preprocessor.mean_target_length, rtol=1e-5)


@both
@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.slow(minutes=1)), 2])
def test_weighted_batches_train_and_their_metrics_are_weighed(task, shards):
    model = task.model(
        weighted_metrics=[metric() for metric in task.build().default_metrics], metrics=[], shards=shards
    )
    x, y = next(iter(task.batches(model, task.data, batch_size=8)))
    weights = np.array([2, 0, 0, 0, 0, 0, 0, 0], "float32")
    first = tf.nest.map_structure(lambda ids: ids[:1], (x, y))
    alone = model.test_on_batch(*first, return_dict=True)
    weighed = model.test_on_batch(x, y, weights, return_dict=True)
    for name, value in alone.items():
        assert weighed[name] == pytest.approx(value / 4 if name == "loss" else value, rel=1e-4), name
    assert model.train_on_batch(x, y, weights) is not None
    with_weights = task.batches(model, task.data).map(lambda x, y: (x, y, tf.ones([tf.shape(y)[0]])))
    plain = [task.model(shards=shards).fit(data, verbose=0).history["loss"] for data in
             (with_weights, task.batches(model, task.data))]  # fmt: skip
    assert plain[0] == pytest.approx(plain[1], rel=1e-5)


def test_validation_and_evaluation_are_weighed():
    model = PAIR_TASK.model()
    weights = np.array([1.0, 0.0, 2.0])
    once = model.evaluate(*OTHER, sample_weight=weights, verbose=0, return_dict=True)
    dataset = tf.data.Dataset.from_tensor_slices((*OTHER, weights))
    assert model.evaluate(dataset, verbose=0, return_dict=True) == once
    assert once["loss"] != model.evaluate(*OTHER, verbose=0, return_dict=True)["loss"]
    for other in ((*OTHER, weights), dataset):
        model = PAIR_TASK.model(optimizer=keras.optimizers.SGD(0.0))
        history = model.fit(PAIRS, validation_data=other, verbose=0).history
        assert history["val_loss"] == pytest.approx([once["loss"]])


@pytest.mark.parametrize(
    ("weights", "shape"), [([1.0] * (ROWS - 1), [ROWS - 1]), (np.ones((ROWS, 9)), [ROWS, 9])], ids=["rows", "length"]
)
def test_weights_are_as_many_as_rows(weights, shape):
    message = f"There must be a weight for each of {ROWS} pairs, or [{ROWS}, 3] of their targets' tokens. Received: "
    with pytest.raises(ValueError, match=re.escape(f"{message}weights of the shape {shape}")):
        trained(SOURCES, TARGETS, sample_weight=weights)


@pytest.mark.parametrize(
    ("task", "data", "options", "message"),
    [
        (PAIR_TASK, (SOURCES, TARGETS), {"sample_weight": np.ones((1, 1, 1))}, "must be [rows] or [rows, length]"),
        (PAIR_TASK, (SOURCES, TARGETS), {"sample_weight": WEIGHTS, "validation_split": 0.5}, "pass validation_data"),
        (PAIR_TASK, (SOURCES, TARGETS), {"sample_weight": [None] * ROWS}, "sample_weight must be finite numbers"),
        (PAIR_TASK, (SOURCES, TARGETS), {"sample_weight": [np.nan] * ROWS}, "sample_weight must be finite numbers"),
        (PAIR_TASK, (SOURCES, TARGETS), {"sample_weight": {"a": 1}}, "sample_weight must be finite numbers"),
        (PAIR_TASK, (PAIRS,), {"class_weight": {0: 1.0}}, "weigh the tokens of each target, sample_weight="),
        (TEXT_TASK, (TEXT_TASK.data,), {"class_weight": {0: 1.0}}, "weigh the tokens of each target, sample_weight="),
        (TEXT_TASK, (TEXT_TASK.data,), {"sample_weight": [1.0]}, "A text has no rows to weigh"),
    ],
)
def test_weights_that_have_no_meaning_are_refused(task, data, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        trained(*data, model=task.model(), **options)


def test_a_batch_has_no_class_weights():
    model = PAIR_TASK.model()
    (x, y), *_ = model.preprocessor.batches(PAIRS, 4)
    for arguments, options in [((None, {0: 1.0}), {}), ((), {"class_weight": {0: 1.0}})]:
        with pytest.raises(ValueError, match="class_weight is for models with one label a row"):
            model.train_on_batch(x, y, *arguments, **options)


@both
def test_one_model_takes_weights_of_rows_and_then_of_tokens(task):
    model = task.model(run_eagerly=False, weighted_metrics=[metric() for metric in task.build().default_metrics])
    x, y = next(iter(task.batches(model, task.data, batch_size=8)))
    losses = [
        model.test_on_batch(x, y, np.ones(shape, "float32"), return_dict=True)
        for shape in [(8,), y.shape, (8,), y.shape]
    ]
    assert [figures["loss"] for figures in losses] == pytest.approx([losses[0]["loss"]] * 4)


def test_pairs_that_are_streamed_have_no_weights():
    with pytest.raises(ValueError, match=r"Only pairs in memory have weights\. Received: more than shuffle_buffer=32"):
        PAIR_TASK.build().preprocessor.batches(PAIRS, 16, shuffle_buffer=32, weights=WEIGHTS)
