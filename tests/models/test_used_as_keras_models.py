"""What users of Keras do with a model beside fitting it: threads, long runs, averages, second derivatives."""

import concurrent.futures
import os
import pathlib
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_tasks import PAIR_TASK, TEXT_TASK, both

from seqzoo import models

pairs_and_slowly_text = pytest.mark.parametrize(
    "task", [PAIR_TASK, pytest.param(TEXT_TASK, marks=pytest.mark.slow(minutes=1))], ids=["pairs", "text"]
)

# === Calls ===


@pairs_and_slowly_text
def test_sixteen_threads_that_make_the_first_call_together_get_its_answers(task, tmp_path):
    model = task.model()
    model.save(tmp_path / "model.keras")
    expected, number = model.generate(task.questions), 16
    fresh, together = models.load(tmp_path / "model.keras"), threading.Barrier(number)

    def answer(_):
        together.wait()
        return fresh.generate(task.questions)

    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        assert list(pool.map(answer, range(number))) == [expected] * number


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize(
    ("task", "calls"),
    [
        pytest.param(PAIR_TASK, 300, id="pairs-300"),
        pytest.param(PAIR_TASK, 3000, id="pairs-3000", marks=pytest.mark.slow(minutes=1)),
        pytest.param(TEXT_TASK, 1000, id="text-1000", marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_calls_leave_memory_as_it_was(task, calls):
    def resident_mebibytes():
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def call(number):
        for each in range(number):
            model.generate(task.questions[: 1 + each % len(task.questions)])
        return resident_mebibytes()

    model = task.model()
    before = call(30)
    assert call(calls) - before < 8  # 32 KiB a call would be 9.


# === Training ===


@pytest.mark.slow(minutes=1)
@both
def test_eager_steps_are_those_of_the_graph(task):
    histories = []
    for eagerly in (True, False):
        keras.utils.set_random_seed(0)
        model = task.build(dropout=0.0)
        model.compile(keras.optimizers.Adam(0.02), jit_compile=False, run_eagerly=eagerly)
        histories.append(model.fit(task.data, validation_data=task.other, epochs=2, verbose=0).history)
    eager, graph = histories
    assert graph == {name: pytest.approx(values, rel=1e-3, abs=1e-6) for name, values in eager.items()}


class _Ends(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError


@pairs_and_slowly_text
def test_backup_and_restore_goes_on_where_the_training_ended(task, tmp_path, small):
    def fitted(*callbacks):
        keras.utils.set_random_seed(0)
        model = task.build(dropout=0.0)  # Keras does not save where random numbers stand.
        model.compile(keras.optimizers.Adam(0.02), run_eagerly=True)
        history = model.fit(task.data, epochs=4, verbose=0, callbacks=list(callbacks))
        return model, history.epoch

    expected, _ = fitted()
    with pytest.raises(InterruptedError):
        fitted(keras.callbacks.BackupAndRestore(tmp_path), _Ends())
    model, epochs = fitted(keras.callbacks.BackupAndRestore(tmp_path))
    assert epochs == [2, 3]
    assert small.weights(model) == small.weights(expected)


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.slow(minutes=1)), 2])
@pairs_and_slowly_text
def test_averaged_weights_are_those_that_are_evaluated_and_kept(task, shards):
    model = task.model(optimizer=keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9), shards=shards)
    own = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: own.append(model.get_weights()))
    callbacks = [keep, keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    history = model.fit(task.data, validation_data=task.other, epochs=2, verbose=0, callbacks=callbacks).history
    figures = model.evaluate(task.other, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-4)
    weights = model.trainable_variables
    average = [variable.numpy() for variable in weights]
    model.set_weights(own[-1])
    assert all((variable.numpy() != kept).any() for variable, kept in zip(weights, average, strict=True))
    assert model.evaluate(task.other, verbose=0, return_dict=True)["loss"] != pytest.approx(figures["loss"], rel=1e-4)


@pairs_and_slowly_text
def test_tensorboard_has_weights_and_every_batch(task, tmp_path):
    model = task.model(run_eagerly=False)
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, write_graph=True, update_freq="batch")
    model.fit(task.data, validation_data=task.other, epochs=1, verbose=0, callbacks=[board])
    logged = {
        value.tag
        for file in tmp_path.rglob("events.out.tfevents*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {"batch_loss", "epoch_loss", "evaluation_loss_vs_iterations"} <= logged
    assert sum("/histogram" in tag for tag in logged) >= len({variable.path for variable in model.trainable_variables})


# === Gradients ===


@both
def test_gradients_of_gradients_are_those_of_small_differences(task):
    keras.utils.set_random_seed(0)
    model = task.build(dropout=0.0)
    inputs, answer = next(iter(task.batches(model, task.data, batch_size=8)))
    variables, loss = model.trainable_variables, model.default_loss()
    numbers = np.random.default_rng(0)
    direction = [tf.constant(numbers.normal(size=each.shape), "float32") for each in variables]

    def gradients():
        with tf.GradientTape() as tape:
            value = loss(answer, model(inputs, training=True))
        return [tf.convert_to_tensor(each) for each in tape.gradient(value, variables)]

    def moved(distance):
        for variable, step in zip(variables, direction, strict=True):
            variable.assign_add(distance * step)
        return gradients()

    with tf.GradientTape() as tape:
        along = tf.add_n([tf.reduce_sum(each * step) for each, step in zip(gradients(), direction, strict=True)])
    second = tape.gradient(along, variables)
    far, near = moved(1e-2), moved(-2e-2)
    for one, high, low in zip(second, far, near, strict=True):
        difference = (high - low) / 2e-2
        scale = float(tf.reduce_max(tf.abs(difference)))
        np.testing.assert_allclose(tf.convert_to_tensor(one), difference, atol=0.05 * scale + 1e-4)
