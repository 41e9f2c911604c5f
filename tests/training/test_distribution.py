"""Several devices and several machines train the model that one device trains."""

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from seqzoo import models, runtime
from seqzoo.training import distribution, fit, recipe, train

SCRIPT = pathlib.Path(__file__).with_name("distributed_training.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}  # For `small_training`.


@pytest.fixture
def distributed_training(small, monkeypatch):
    """The script as a module."""
    monkeypatch.setitem(sys.modules, "small_training", small)
    spec = importlib.util.spec_from_file_location("distributed_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cluster(number=2):
    """`TF_CONFIG` for each of several workers on free ports of this machine."""
    with contextlib.ExitStack() as servers:
        ports = [servers.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(number)]
    workers = [f"127.0.0.1:{port}" for port in ports]
    return [json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}}) for i in range(number)]


def start(command, config=None, **options):
    """Starts a process, as one of several workers where there is a `TF_CONFIG`."""
    environment = {**ENVIRONMENT, **({"TF_CONFIG": config} if config else {})}
    return subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True, **options)


def test_two_devices_and_two_workers_train_what_one_device_trains(small, distributed_training, warm_python, tmp_path):
    small.write_data(tmp_path)
    command = [warm_python / "python", SCRIPT, tmp_path]
    processes = [start([*command, "devices"])] + [start([*command, "workers"], config) for config in cluster()]
    alone = list(distributed_training.trainings(tmp_path))
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    for way in ("devices", "workers"):
        for name, weights, history in alone:
            with np.load(tmp_path / f"{way}-{name}.npz") as other:
                for i, weight in enumerate(weights):
                    np.testing.assert_allclose(other[f"arr_{i}"], weight, rtol=0, atol=1e-6, err_msg=f"{way} {name}")
                figures = json.loads(str(other["history"]))
            assert figures.keys() == history.keys()
            for figure, values in history.items():
                assert figures[figure] == pytest.approx(values, rel=1e-6, abs=1e-6), (way, name, figure)
            assert len(set(history["loss"])) == 3, name


@pytest.mark.slow(minutes=1)
def test_killed_worker_and_all_restarted_is_as_one_process_left_alone(small, warm_python, tmp_path):
    _, pairs = small.write_data(tmp_path)
    sizes = {"epochs": 6, "batch_size": 12, "hidden_dim": 4, "embedding_dim": 4, "cell": "simple_rnn"}
    options = [text for name, value in sizes.items() for text in ("--" + name.replace("_", "-"), value)]
    command = [sys.executable, "-m", "seqzoo", "train", "pairs_peeky_reverse", "--data", pairs, *options]
    command += ["--output", tmp_path / "run", "--distributed", "--no-xla"]

    chief, worker = (start(command, config, stdout=subprocess.PIPE) for config in cluster())
    said = ""
    while "Epoch 3/" not in said:
        line = chief.stderr.readline()
        assert line, said
        said += line
    worker.kill()
    worker.communicate()
    output, errors = chief.communicate()
    assert (chief.returncode, output) == (2, "")
    assert errors.splitlines()[-1].startswith("error: Another worker has gone, or failed: start all of them again with")
    assert sorted(os.listdir(tmp_path / "run")) == ["checkpoint.npz", "run.json"]

    command = [warm_python / "seqzoo", *command[3:], "--resume"]
    processes = [start(command, config, stdout=subprocess.PIPE) for config in cluster()]
    same = dataclasses.replace(recipe("pairs_peeky_reverse"), **sizes)
    alone, metrics = train(same, tmp_path / "alone", pairs, verbose=0, compile_options={"jit_compile": False})
    outputs = []
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        outputs.append(output)
    assert "exact match" in outputs[0]
    assert outputs[1] == ""  # The chief prints it.
    resumed = models.load(tmp_path / "run/model.keras")
    assert small.largest_difference(resumed, alone) <= 1e-6
    found = json.loads((tmp_path / "run/metrics.json").read_text())
    assert found["loss"] == pytest.approx(metrics["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "needs the environment variable TF_CONFIG: {"),
        ("{", "TF_CONFIG must be like {.*JSONDecodeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG must be like {.*KeyError: 'task'"),
        (
            '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
            "TypeError: the addresses of 'worker'",
        ),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "may name workers and at most one",
        ),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
            "no other strategy here, such as one with parameter servers",
        ),
    ],
)
def test_wrong_environment_is_an_error(small, tmp_path, monkeypatch, config, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        train(small.text_recipe(), tmp_path / "run", distributed=True)
    assert not (tmp_path / "run").exists()


def test_devices_that_there_are_not_are_an_error(small, tmp_path):
    text, _ = small.write_data(tmp_path)
    for options, message in (
        ({"devices": 0}, r"devices must be at least 1\. Received: devices=0"),
        ({"devices": 2}, r"The CPU cannot be divided any more: TensorFlow is in use already"),
        ({"devices": 2, "distributed": True}, r"each worker has one device\. Received: devices=2"),
    ):
        with pytest.raises(ValueError, match=message):
            train(small.text_recipe(), tmp_path / "run", text, **options)
    with tf.distribute.OneDeviceStrategy("CPU:0").scope(), pytest.raises(ValueError, match="leave the scope of OneDev"):
        train(small.text_recipe(), tmp_path / "run", text)
    assert not (tmp_path / "run").exists()


def test_other_strategies_are_refused():
    strategy = tf.distribute.experimental.CentralStorageStrategy()
    with (
        strategy.scope(),
        pytest.raises(ValueError, match=r"under MirroredStrategy, .*Received: CentralStorageStrategy"),
    ):
        runtime.compile_options(10)
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        assert runtime.compile_options(10) == {"jit_compile": False, "steps_per_execution": 1}


def test_batch_that_cannot_be_divided_is_an_error(small, pairs):
    class Strategy:
        num_replicas_in_sync = 3

    data = pairs, pairs, small.pair_recipe().preprocessor(pairs)
    with pytest.raises(ValueError, match=r"batch size must be a multiple of the 3 devices\. Received: .*batch_size=40"):
        fit(small.pair_recipe(), *data, strategy=Strategy())


def test_chief_is_a_worker_too(monkeypatch):
    config = {"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert distribution._read_config() == ([("chief", 0), ("worker", 0), ("worker", 1)], ("worker", 0))
