"""Parts of a model that are frozen stay so, trained, saved and copied."""

import copy
import pickle

import numpy as np
import pytest
from model_tasks import PAIR_TASK, both

from seqzoo import models
from seqzoo.models import Seq2Seq

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
@pytest.mark.parametrize(
    ("frozen", "trained"),
    [("part", True), ("inner part", True), ("inner part", False), ("all", False)],
    ids=["part, trained", "inner part, trained", "inner part, not compiled", "all, not compiled"],
)
def test_frozen_parts_stay_frozen(task, frozen, trained, tmp_path):
    model = task.build()
    part = {
        "part": lambda model: getattr(model, task.part),
        "inner part": lambda model: model.decoder.dense if task is PAIR_TASK else model.dense,
        "all": lambda model: model,
    }[frozen]
    part(model).trainable = False
    held = part(model).get_weights()
    if trained:
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
