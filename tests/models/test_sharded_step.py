"""Batches cut into shards train as whole ones do, whatever the cores; what cannot be cut is refused."""

import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import AttentionSeq2Seq, LanguageModel, PeekySeq2Seq, SequenceCrossentropy
from seqzoo.models.sharded_step import sharded_step

PAIRS = [(f"{a}{b}{c}", f"{c}{a}") for a in "abcd" for b in "abc" for c in "ab"]
TEXT = "the cat sat on the mat.\na dog ran to the cat.\n" * 50
SMALL = {"embedding_dim": 4, "hidden_dim": 5, "cell": "simple_rnn"}

BUILDS = {
    "peeky": lambda **options: PeekySeq2Seq.from_pairs(PAIRS, **SMALL, **options),
    "attention": lambda **options: AttentionSeq2Seq.from_pairs(PAIRS, **SMALL, **options),
    "text": lambda **options: LanguageModel.from_text(TEXT, **SMALL, **options),
    "half precision": lambda **options: PeekySeq2Seq.from_pairs(PAIRS, dtype="mixed_float16", **SMALL, **options),
}


def compiled(build, shards, dropout=0.0, **options):
    """A model, always the same but for its shards."""
    keras.utils.set_random_seed(3)
    model = build(dropout=dropout)
    model.compile(shards=shards, **{"jit_compile": False, **options})
    return model


def batches(model):
    if isinstance(model, LanguageModel):
        return model.preprocessor.windows(model.preprocessor.encode(TEXT), 5, length=8, seed=0, steps=3)
    return model.preprocessor.batches(PAIRS, 7, shuffle_seed=0)  # The last batch has 3 rows.


def distance(model, other):
    return max(np.abs(a - b).max() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("peeky", {}),
        pytest.param("attention", {"run_eagerly": True}, marks=pytest.mark.slow(minutes=1)),
        pytest.param("text", {"steps_per_execution": 2}, marks=pytest.mark.slow(minutes=1)),
        ("half precision", {"run_eagerly": True}),
    ],
)
def test_shards_train_as_the_whole_batch_does(name, options):
    whole, cut = (compiled(BUILDS[name], shards, **options) for shards in (1, 3))
    before = whole.get_weights()
    histories = [model.fit(batches(model), verbose=0).history for model in (whole, cut)]
    tolerance = 2e-3 if name == "half precision" else 1e-5
    assert 0 < distance(whole, cut) < tolerance
    assert max(np.abs(a - b).max() for a, b in zip(before, cut.get_weights(), strict=True)) > 2 * tolerance
    assert histories[0].keys() == histories[1].keys() != set()
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=10 * tolerance)


def test_shards_are_programs_of_xla_that_train_as_the_whole_batch_does():
    whole, cut = (compiled(BUILDS["peeky"], shards, jit_compile="auto") for shards in (1, 2))
    histories = [model.fit(batches(model), verbose=0).history for model in (whole, cut)]
    assert 0 < distance(whole, cut) < 1e-5
    assert histories[0]["exact_match"] == histories[1]["exact_match"]
    assert cut.jit_compile  # Of evaluation too.


def test_more_shards_than_rows_leave_some_empty():
    whole, cut = (compiled(BUILDS["peeky"], shards) for shards in (1, 4))
    (x, y), *_ = whole.preprocessor.batches(PAIRS[:2], 2)
    losses = [model.train_on_batch(x, y, return_dict=True)["loss"] for model in (whole, cut)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert distance(whole, cut) < 1e-5


def test_weights_of_rows_count_alike():
    whole, cut = (compiled(BUILDS["peeky"], shards, run_eagerly=True) for shards in (1, 2))
    (x, y), *_ = whole.preprocessor.batches(PAIRS[:5], 5)
    weights = np.arange(5, dtype="float32")[:, None] * np.ones(y.shape, "float32")
    losses = [model.train_on_batch(x, y, sample_weight=weights, return_dict=True)["loss"] for model in (whole, cut)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert distance(whole, cut) < 1e-5


def test_each_shard_drops_other_units():
    model = compiled(BUILDS["peeky"], 2, dropout=0.5, run_eagerly=True)
    alone = compiled(BUILDS["peeky"], 1, dropout=0.5, run_eagerly=True)
    (x, y), *_ = model.preprocessor.batches(PAIRS[:3], 3)
    twice, y_twice = {name: tf.concat([ids, ids], 0) for name, ids in x.items()}, tf.concat([y, y], 0)
    states = [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
    before = [state.numpy() for state in states]
    both = model.train_on_batch(twice, y_twice, return_dict=True)["loss"]
    # The same units dropped in both halves would make the mean of their losses the first half's.
    assert both != pytest.approx(alone.train_on_batch(x, y, return_dict=True)["loss"], rel=1e-6)
    advanced = [(state.numpy() - was).tolist() for state, was in zip(states, before, strict=True)]
    assert advanced.count([0, 1]) == 3  # Of the encoder's and the decoder's dropout, as without shards.
    assert all(each in ([0, 0], [0, 1]) for each in advanced)


def test_other_state_is_the_mean_of_the_shards():
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(momentum=0.0)])
    model.compile("sgd", "mse")
    x = np.arange(12, dtype="float32").reshape(4, 3)
    sharded_step(model, (tf.constant(x), tf.zeros([4, 3])), 2, compiled=False)
    np.testing.assert_allclose(model.layers[-1].moving_mean, x.mean(axis=0))


def test_the_optimizer_clips_the_norm_of_the_whole_gradient():
    models = []
    for shards in (1, 2):
        keras.utils.set_random_seed(3)
        model = BUILDS["text"]()
        model.embedding.trainable = False  # Else Keras clips by another norm, see `sharded_step`.
        model.compile(keras.optimizers.SGD(1.0, global_clipnorm=1e-3), jit_compile=False, shards=shards)
        model.fit(batches(model), verbose=0)
        models.append(model)
    assert distance(*models) < 1e-6


def test_frozen_weights_stay(tmp_path):
    keras.utils.set_random_seed(3)
    model = BUILDS["attention"]()
    model.encoder.trainable = False
    model.compile(shards=2, run_eagerly=True)
    frozen, before = model.encoder.get_weights(), model.decoder.get_weights()
    model.fit(batches(model), verbose=0)
    for was, now in zip(frozen, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert not np.array_equal(before[0], model.decoder.get_weights()[0])


ON_CORES = """
import hashlib, os, sys
os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import keras
from seqzoo.models import LanguageModel
from seqzoo.runtime import choose_threads
choose_threads(hidden_dim=64, shards=2)
keras.utils.set_random_seed(0)
text = "the cat sat on the mat. a dog ran to the cat. " * 40
model = LanguageModel.from_text(text, embedding_dim=32, hidden_dim=64, dropout=0.2)
model.compile(shards=2, steps_per_execution=5)
model.fit(model.preprocessor.windows(model.preprocessor.encode(text), 8, length=16, seed=0, steps=20), verbose=0)
print(hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""


def test_weights_do_not_depend_on_the_number_of_cores(warm_python):
    results = [
        subprocess.run([warm_python / "python", "-c", ON_CORES, cores], check=True, capture_output=True).stdout
        for cores in ("1", "2")
    ]
    assert results[0] == results[1] != b""


# === Bad input ===


@pytest.mark.parametrize("shards", [0, -1, 65, 1.5, "2", True, None])
def test_a_number_of_shards_that_there_cannot_be_is_refused(shards):
    with pytest.raises(ValueError, match=r"shards must be a whole number from 1 to 64\. Received: shards="):
        compiled(BUILDS["peeky"], shards)


def test_a_loss_that_is_no_mean_is_refused():
    with pytest.raises(ValueError, match=r"a mean over the batch. Received: shards=2 and reduction='sum'"):
        compiled(BUILDS["peeky"], 2, loss=SequenceCrossentropy(reduction="sum"))


def test_a_training_step_of_ones_own_is_refused():
    class Own(PeekySeq2Seq):
        def train_step(self, data):
            return super().train_step(data)

    model = Own.from_pairs(PAIRS, **SMALL)
    model.compile()
    with pytest.raises(ValueError, match=r"the model's own train_step, which is overridden. Received: shards=2"):
        model.compile(shards=2)


def test_a_distribution_strategy_is_refused():
    with (
        tf.distribute.OneDeviceStrategy("/cpu:0").scope(),
        pytest.raises(ValueError, match=r"leave out shards\. Received: shards=2"),
    ):
        compiled(BUILDS["peeky"], 2)
