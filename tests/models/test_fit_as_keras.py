"""Every model trains on batches, with the callbacks, loops and steps of Keras, and with its compilation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_tasks import OTHER_PAIRS, PAIR_TASK, PAIRS, SEED, SMALL, SOURCES, TEXT_TASK, both, fitted

from seqzoo import models
from seqzoo.models import PeekySeq2Seq, SequenceCrossentropy

# === Training on batches, as Keras does ===


@pytest.mark.filterwarnings("error::UserWarning")
@both
def test_neither_strings_nor_batches_need_an_argument_for_keras_to_be_content(task, small):
    """Keras warns about `shuffle` where it cannot shuffle."""
    model, _ = fitted(task, task.data, epochs=1)
    expected, _ = fitted(task, task.batches(model, task.data), epochs=1)
    assert small.weights(model) == small.weights(expected)
    batches = task.batches(model, task.data)
    by_generator, _ = fitted(task, (batch for batch in batches), epochs=1, steps_per_epoch=len(batches))
    assert small.weights(by_generator) == small.weights(expected)


@both
def test_arrays_of_ids_train(task):
    model = task.model(optimizer=keras.optimizers.Adam(0.02))
    inputs, answer = next(iter(task.batches(model, task.data, batch_size=40)))
    arrays = tf.nest.map_structure(lambda tensor: tensor.numpy(), inputs), answer.numpy()
    history = model.fit(*arrays, batch_size=16, validation_split=0.2, epochs=2, verbose=0).history
    assert int(model.optimizer.iterations) == 2 * 2
    assert {"loss", "val_loss"} <= set(history)
    assert history["loss"][1] < history["loss"][0]
    before = model.get_weights()
    assert model.train_on_batch(*arrays)[0] > 0
    assert any((weight != old).any() for weight, old in zip(model.get_weights(), before, strict=True))
    assert model.test_on_batch(*arrays) == pytest.approx(model.evaluate(*arrays, batch_size=40, verbose=0))


@pytest.mark.parametrize("on_strings", [True, False], ids=["strings", "batches"])
def test_callbacks_of_keras_work(tmp_path, on_strings):
    model = PAIR_TASK.model()
    unreachable = {"monitor": "loss", "min_delta": 1e9}
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path / "logs"),
        keras.callbacks.ModelCheckpoint(tmp_path / "last.keras"),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_exact_match", save_best_only=True),
        keras.callbacks.EarlyStopping("val_exact_match", patience=9),
        keras.callbacks.ReduceLROnPlateau(**unreachable, factor=0.5, patience=1),
        keras.callbacks.EarlyStopping(**unreachable, patience=2),
    ]
    data = PAIRS if on_strings else PAIR_TASK.batches(model, PAIRS)
    other = OTHER_PAIRS if on_strings else PAIR_TASK.validation_batches(model, OTHER_PAIRS)
    history = model.fit(data, validation_data=other, epochs=9, verbose=0, callbacks=callbacks).history
    assert len(history["loss"]) == 3
    assert history["learning_rate"] == pytest.approx([1e-3, 1e-3, 5e-4])
    assert list((tmp_path / "logs" / "train").glob("events.out.tfevents*"))
    assert list((tmp_path / "logs" / "validation").glob("events.out.tfevents*"))
    last = models.load(tmp_path / "last.keras")
    for weight, saved in zip(model.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, saved)
    assert models.load(tmp_path / "best.keras").generate("ab") is not None


@both
def test_a_loop_of_ones_own_trains(task):
    model = task.model()
    optimizer, loss = keras.optimizers.Adam(0.05), model.default_loss()
    losses = []
    for inputs, answer in task.batches(model, task.data).repeat(5):
        with tf.GradientTape() as tape:
            losses.append(loss(answer, model(inputs, training=True)))
        gradients = tape.gradient(losses[-1], model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
    assert losses[-1] < 0.9 * losses[0]


@keras.saving.register_keras_serializable("seqzoo_tests")
class OwnStep(PeekySeq2Seq):
    """A model with a training step of its own, which also measures the gradients."""

    def train_step(self, data):
        inputs, answer = data
        with tf.GradientTape() as tape:
            logits = self(inputs, training=True)
            loss = self.compute_loss(inputs, answer, logits)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        figures = self.compute_metrics(inputs, answer, logits)
        return {**figures, "loss": loss, "gradient_norm": tf.linalg.global_norm(gradients)}


def test_a_subclass_with_a_training_step_of_its_own_trains_saves_and_answers(tmp_path):
    keras.utils.set_random_seed(SEED)
    model = OwnStep.from_pairs(PAIRS, reverse=True, **SMALL)
    model.compile(jit_compile=False)
    history = model.fit(PAIRS, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert min(history["gradient_norm"]) > 0
    model.save(tmp_path / "model.keras")
    for load in (models.load, keras.saving.load_model):
        again = load(tmp_path / "model.keras")
        assert type(again) is OwnStep
        assert again.generate(SOURCES) == model.generate(SOURCES)
        again.run_eagerly = True
        assert "gradient_norm" in again.fit(PAIRS[:9], verbose=0).history


# === Compilation ===


@both
def test_compile_chooses_optimizer_loss_metrics_and_xla(task):
    model = task.build()
    model.compile()
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert model.optimizer.global_clipnorm == (5.0 if task is PAIR_TASK else 1.0)
    assert model.optimizer.clipnorm is model.optimizer.clipvalue is None
    assert type(model.loss) is type(model.default_loss())
    assert task is TEXT_TASK or type(model.loss) is SequenceCrossentropy
    assert model.jit_compile is not bool(tf.config.list_physical_devices("GPU"))
    model.compile(run_eagerly=True)
    assert not model.jit_compile
    metrics = {"exact_match"} if task is PAIR_TASK else {"bits_per_token", "perplexity"}
    assert set(model.evaluate(task.other, verbose=0, return_dict=True)) == {"loss", *metrics}


def test_arguments_of_compile_win():
    model = PAIR_TASK.build()
    loss = SequenceCrossentropy(label_smoothing=0.1)
    model.compile("sgd", loss, metrics=["accuracy"], jit_compile=False, run_eagerly=True, steps_per_execution=1)
    assert type(model.optimizer) is keras.optimizers.SGD
    assert model.loss is loss
    assert not model.jit_compile
    assert set(model.evaluate(OTHER_PAIRS, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    model = PAIR_TASK.build()
    model.compile(keras.optimizers.Adam(0.02), metrics=None, run_eagerly=True)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert set(model.evaluate(OTHER_PAIRS, verbose=0, return_dict=True)) == {"loss"}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    ("task", "load"), [(PAIR_TASK, models.load), (TEXT_TASK, keras.saving.load_model)], ids=["pairs", "text by keras"]
)
def test_a_loaded_model_goes_on_as_the_one_that_was_saved(task, load, tmp_path, small):
    keras.utils.set_random_seed(SEED)
    model = task.build(dropout=0.0)  # Keras does not save where random numbers stand.
    model.compile(run_eagerly=True)
    model.fit(task.data, verbose=0)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.loss.get_config() == model.loss.get_config()
    assert again.run_eagerly
    assert len(again.optimizer.variables) == len(model.optimizer.variables)
    for variable, saved in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(variable, saved)
    histories = [
        each.fit(task.data, initial_epoch=1, epochs=2, validation_data=task.other, verbose=0).history
        for each in (model, again)
    ]
    assert histories[0] == histories[1]
    assert small.weights(model) == small.weights(again)


@pytest.mark.parametrize("options", [{}, {"jit_compile": False}, {"run_eagerly": True}, {"shards": 3}], ids=str)
def test_how_a_model_is_compiled_is_saved(options, tmp_path):
    model = PAIR_TASK.build()
    model.compile(**options)
    model.save(tmp_path / "model.keras")
    again = models.load(tmp_path / "model.keras")
    assert again.jit_compile == model.jit_compile
    assert again.shards == model.shards == options.get("shards", 1)
    assert again.run_eagerly == model.run_eagerly


@pytest.mark.filterwarnings("error::UserWarning")
@both
def test_a_model_that_is_not_compiled_is_loaded_likewise(task, tmp_path):
    model = task.build()
    model.save(tmp_path / "model.keras")
    again = models.load(tmp_path / "model.keras")
    assert not again.compiled
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        again.fit(task.data, verbose=0)
