"""What the TFDS builders of pairs have in common: rows that are written in their order, and read in any."""

import pytest
import tensorflow_datasets as tfds

from seqzoo.pipelines import Addition, Cmudict, Dates, SigmorphonG2p
from seqzoo.pipelines.datasets.builders import load_prepared, numbered_examples
from seqzoo.pipelines.pairs import decoded

ROWS = [(f"{number}+1", str(number + 1)) for number in range(20)]
CONFIGS = {Addition: "digits_2", Cmudict: None, Dates: None, SigmorphonG2p: "kor"}


@pytest.fixture(params=CONFIGS, ids=lambda builder: builder.__module__.split(".")[-1])
def builder(request, monkeypatch, tmp_path):
    """Each of the builders, with rows that are made at once, written to a folder of its own."""
    monkeypatch.setattr(request.param, "_split_generators", lambda *_: {"train": numbered_examples(ROWS)})
    builder = request.param(config=CONFIGS[request.param], data_dir=tmp_path)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("read_config", [None, tfds.ReadConfig(shuffle_seed=1)], ids=["no config", "config"])
def test_files_may_be_shuffled(builder, read_config):
    options = {"shuffle_files": True, "read_config": read_config, "as_supervised": True}
    for part in (builder.as_dataset(split="train", **options), builder.as_dataset(**options)["train"]):
        assert sorted(decoded(part)) == sorted(ROWS)


def test_rows_stand_in_their_order_where_no_other_is_asked_for(builder):
    assert list(decoded(load_prepared(builder, "train"))) == ROWS
    with pytest.raises(ValueError, match="ordered dataset"):
        builder.as_dataset(split="train", read_config=tfds.ReadConfig(interleave_cycle_length=4))
