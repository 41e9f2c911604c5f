"""What holds for every model: it trains, evaluates and predicts on strings and on batches, and survives saving."""

import copy
import dataclasses
import itertools
import pickle
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo import models
from seqzoo.models import LanguageModel, PeekySeq2Seq, Seq2Seq, SequenceCrossentropy, StringModel
from seqzoo.pipelines import hold_out
from seqzoo.training import Checkpoint

SEED = 7
# Three batches of `fit`; each source of one or two letters stands there twice.
PAIRS = [
    (source, source[::-1].upper())
    for length in (1, 2, 1, 2, 3, 4)
    for source in map("".join, itertools.product("abcd", repeat=length))
]
OTHER_PAIRS = [("abba", "ABBA"), ("cd", "DC"), ("dab", "BAD")]
SOURCES, TARGETS = (list(side) for side in zip(*PAIRS, strict=True))
TEXT = "the cat sat on the mat.\na dog ran to the cat.\n" * 50
OTHER_TEXT = "the mat sat on the dog.\n" * 4
SMALL = {"embedding_dim": 4, "hidden_dim": 4, "cell": "simple_rnn", "dropout": 0.2}


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of model, data for it, and the batches that `fit` and `evaluate` should make of them."""

    build: object
    data: object
    other: object
    batches: object
    validation_batches: object
    questions: list
    wrong_question: str
    part: str

    def model(self, **options):
        """A new model, always the same; trained without XLA unless the options say otherwise."""
        keras.utils.set_random_seed(SEED)
        model = self.build()
        model.compile(**{"run_eagerly": True, "jit_compile": False, **options})
        return model


TASKS = [
    Task(
        build=lambda **options: Seq2Seq.from_pairs(PAIRS, reverse=True, **{**SMALL, **options}),
        data=PAIRS,
        other=OTHER_PAIRS,
        batches=lambda model, data, **options: model.preprocessor.batches(
            data, **{"batch_size": 128, "shuffle_seed": SEED, **options}
        ),
        validation_batches=lambda model, data, size=1000: model.preprocessor.batches(data, size),
        questions=["ab", "dcba", "a"],
        wrong_question="source 'axb' has the character 'x', which is not in the vocabulary",
        part="encoder",
    ),
    Task(
        build=lambda **options: LanguageModel.from_text(TEXT, **{**SMALL, **options}),
        data=TEXT,
        other=OTHER_TEXT,
        batches=lambda model, data, **options: model.preprocessor.windows(
            data, **{"batch_size": 32, "length": 64, "seed": SEED, **options}
        ),
        validation_batches=lambda model, data, size=32: model.preprocessor.consecutive(data, size, 64),
        questions=["the ", "a dog", ""],
        wrong_question="the prompt has the character 'x', which is not in the vocabulary",
        part="embedding",
    ),
]
PAIR_TASK, TEXT_TASK = TASKS
both = pytest.mark.parametrize("task", TASKS, ids=["pairs", "text"])


def dataset(pairs):
    return tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*pairs, strict=True))))


def fitted(task, *data, **options):
    """The model and the history of two epochs."""
    model = task.model()
    return model, model.fit(*data, **{"epochs": 2, "verbose": 0, **options}).history


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
    assert task is TEXT_TASK or len(task.batches(model, PAIRS)) > 2


def test_strings_train_to_the_weights_of_their_batches_with_xla():
    trained = []
    for as_batches in (False, True):
        model = PAIR_TASK.model(run_eagerly=False, jit_compile="auto")
        assert model.jit_compile
        model.fit(PAIR_TASK.batches(model, PAIRS) if as_batches else PAIRS, epochs=2, verbose=0)
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


@pytest.mark.parametrize("data", PAIR_FORMS.values(), ids=PAIR_FORMS)
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


@pytest.mark.parametrize("data", VALIDATION_FORMS.values(), ids=VALIDATION_FORMS)
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
def test_texts_of_every_form_train_the_same(text, small):
    expected = fitted(TEXT_TASK, TEXT, epochs=1, validation_data=OTHER_TEXT)
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
    expected, its_history = fitted(TEXT_TASK, batches, validation_data=validation)
    for data, options in ((TEXT, {"validation_split": 0.2}), (parts[0], {"validation_data": parts[1]})):
        model, history = fitted(TEXT_TASK, data, **options)
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
    data = task.other if task is PAIR_TASK else TEXT
    fitted(task, task.data, epochs=1, validation_data=data, validation_batch_size=1, callbacks=[counting])
    assert len(scored) == (len(OTHER_PAIRS) if task is PAIR_TASK else (len(TEXT) + 1) // 64)
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


@both
def test_two_trainings_in_a_row_equal_one(task, small):
    at_once, _ = fitted(task, task.data, epochs=4)
    model, _ = fitted(task, task.data, epochs=2)
    model.fit(task.data, initial_epoch=2, epochs=4, verbose=0)
    assert small.weights(model) == small.weights(at_once)


@both
def test_steps_per_epoch_are_the_first_batches_of_each_epoch(task, small):
    model, _ = fitted(task, task.data, epochs=4, steps_per_epoch=2)
    assert int(model.optimizer.iterations) == 8
    resumed, _ = fitted(task, task.data, epochs=2, steps_per_epoch=2)
    resumed.fit(task.data, initial_epoch=2, epochs=4, steps_per_epoch=2, verbose=0)
    assert small.weights(resumed) == small.weights(model)
    count = len(task.batches(model, task.data))
    expected, _ = fitted(task, task.data, epochs=2)
    whole, _ = fitted(task, task.data, epochs=2, steps_per_epoch=count)
    assert small.weights(whole) == small.weights(expected)
    longer, _ = fitted(task, task.data, epochs=1, steps_per_epoch=count + 1)
    assert int(longer.optimizer.iterations) == count + 1


@both
@pytest.mark.parametrize("option", ["steps_per_epoch", "batch_size"])
def test_no_steps_and_no_rows_are_refused(task, option):
    with pytest.raises(ValueError, match=f"{option}.* must be at least 1"):
        fitted(task, task.data, epochs=1, **{option: 0})


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
    model = task.model()
    inputs, answer = next(iter(task.batches(model, task.data, batch_size=100)))
    arrays = tf.nest.map_structure(lambda tensor: tensor.numpy(), inputs), answer.numpy()
    history = model.fit(*arrays, batch_size=20, validation_split=0.2, epochs=2, verbose=0).history
    assert int(model.optimizer.iterations) == 2 * 4
    assert {"loss", "val_loss"} <= set(history)
    assert history["loss"][1] < history["loss"][0]
    before = model.get_weights()
    assert model.train_on_batch(*arrays)[0] > 0
    assert any((weight != old).any() for weight, old in zip(model.get_weights(), before, strict=True))
    assert model.test_on_batch(*arrays) == pytest.approx(model.evaluate(*arrays, batch_size=100, verbose=0))


@pytest.mark.parametrize("on_strings", [True, False], ids=["strings", "batches"])
def test_callbacks_of_keras_work(tmp_path, on_strings):
    model = PAIR_TASK.model()
    unreachable = {"monitor": "loss", "min_delta": 1e9}
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path / "logs"),
        keras.callbacks.ModelCheckpoint(tmp_path / "last.keras"),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_exact_match", mode="max", save_best_only=True),
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
def test_a_training_on_strings_resumes_from_a_checkpoint(task, tmp_path, small):
    at_once, _ = fitted(task, task.data, epochs=4)
    fitted(task, task.data, epochs=2, callbacks=[Checkpoint(tmp_path / "checkpoint.npz")])
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz")
    assert checkpoint.initial_epoch == 2
    options = {"epochs": 4, "initial_epoch": checkpoint.initial_epoch, "callbacks": [checkpoint]}
    assert small.weights(fitted(task, task.data, **options)[0]) == small.weights(at_once)


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
        assert "gradient_norm" in again.fit(PAIRS, verbose=0).history


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


# === Frozen parts ===


def copies(model, folder):
    """The model again, in each way that there is."""
    model.save(folder / "model.keras")
    return {
        "loaded": models.load(folder / "model.keras"),
        "from_config": type(model).from_config(model.get_config()),
        "deepcopy": copy.deepcopy(model),
        "pickle": pickle.loads(pickle.dumps(model)),
    }


@pytest.mark.filterwarnings("error::UserWarning")
@both
@pytest.mark.parametrize("frozen", ["part", "inner part", "all"])
@pytest.mark.parametrize("trained", [False, True], ids=["not compiled", "trained"])
def test_frozen_parts_stay_frozen(task, frozen, trained, tmp_path):
    model = task.build()
    part = {
        "part": lambda model: getattr(model, task.part),
        "inner part": lambda model: model.decoder.dense if task is PAIR_TASK else model.dense,
        "all": lambda model: model,
    }[frozen]
    part(model).trainable = False
    held = part(model).get_weights()
    if trained and frozen != "all":
        model.compile(run_eagerly=True)
        model.fit(task.data, verbose=0)
        for weight, before in zip(part(model).get_weights(), held, strict=True):
            np.testing.assert_array_equal(weight, before)
    expected = [tuple(variable.shape) for variable in model.trainable_variables]
    assert len(expected) < len(model.weights)
    for how, again in copies(model, tmp_path).items():
        assert not part(again).trainable, how
        assert [tuple(variable.shape) for variable in again.trainable_variables] == expected, how
        assert again.get_config() == model.get_config(), how


def test_a_frozen_part_that_a_model_has_not_is_named():
    config = PAIR_TASK.build().get_config()
    with pytest.raises(ValueError, match="it has no part 'head'"):
        Seq2Seq.from_config({**config, "frozen": ["head"]})


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
    batches = task.batches(model, task.data).repeat().take(2)
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


# === Bad input ===


def pairs_with(row, pair):
    return [*PAIRS[: row - 1], pair, *PAIRS[row - 1 :]]


NO_TARGETS = "Targets are missing: "
NO_PAIRS = "There are no pairs"
WRONG_PAIRS = {
    "long source": ((pairs_with(300, ("abcda", "A")),), "row 300: source 'abcda' has 5 characters, the model takes at"),
    "long target": ((pairs_with(2, ("a", "ABCDA")),), "row 2: target 'ABCDA' has 5 characters, the model takes at"),
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
    "a number too": ((tf.data.Dataset.from_tensor_slices((["a"], ["A"], [1])),), "Elements must be (source, target) s"),
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
