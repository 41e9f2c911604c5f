"""Training over several devices or machines: the strategies, and the loop that Keras' `fit` lacks for machines."""

import contextlib
import json
import math
import os

import keras
import tensorflow as tf

from seqzoo.runtime import keep_freed_memory

# What TensorFlow raises where another process does not answer any more.
_GONE = tuple(
    getattr(tf.errors, f"{name}Error")
    for name in ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "Internal")
)
_CONFIG = "TF_CONFIG"
_EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:8000", "10.0.0.2:8000"]}, "task": {"type": "worker", "index": 0}}'


def mirrored(devices):
    """A `MirroredStrategy` that divides each batch over devices of this machine; `None` for one, which needs none.

    Devices are GPUs, or parts of the CPU if there is none.
    """
    if devices < 1:
        raise ValueError(f"devices must be at least 1. Received: devices={devices}")
    if devices == 1:
        return None
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < devices:
        raise ValueError(f"There are {len(gpus)} GPUs. Received: devices={devices}")
    if not gpus:
        _divide_cpu(devices)
    return tf.distribute.MirroredStrategy([f"{'GPU' if gpus else 'CPU'}:{i}" for i in range(devices)])


def _divide_cpu(devices):
    (cpu,) = tf.config.list_physical_devices("CPU")
    if len(tf.config.get_logical_device_configuration(cpu) or ()) >= devices:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError:
        raise ValueError(
            f"The CPU cannot be divided any more: TensorFlow is in use already. Received: devices={devices}; "
            "train first, or divide it at the start with tf.config.set_logical_device_configuration"
        ) from None


class Workers:
    """The machines that `TF_CONFIG` names, this one among them, as one strategy: each trains on its share of a batch.

    `number` is how many workers there are, `index` which this one is; 0 is the chief, which writes the files.
    """

    def __init__(self):
        tasks, own = _read_config()
        self.number, self.index = len(tasks), tasks.index(own)
        try:
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (RuntimeError, tf.errors.OpError) as error:  # TensorFlow is in use already; the port is; …
            raise ValueError(f"This worker cannot start: {str(error).splitlines()[0]}") from error
        if self.strategy.num_replicas_in_sync != self.number:
            raise ValueError(
                "A worker has one device: start one worker for each GPU, and give each its own by CUDA_VISIBLE_DEVICES"
            )

    @property
    def is_chief(self):
        """Whether this is the worker that writes the files."""
        return self.index == 0

    def fit(self, model, batches, validation_data, epochs, initial_epoch, callbacks, verbose):
        """What `model.fit` does on one machine, with the same numbers (Keras 3.15's own fails here, keras #20585).

        Arguments are `keras.Model.fit`'s. The model is built and compiled in the strategy's scope; each worker gets the
        same batches and validation batches and takes its share; callbacks get no figures of single batches.
        """
        keep_freed_memory()
        run = self.strategy.run
        begins = self._sum(initial_epoch if self.is_chief else 0)
        if self._sum(int(begins != initial_epoch)):
            raise ValueError(
                f"This worker would begin at epoch {initial_epoch}, the chief at {begins}, or another one elsewhere: "
                "--output must be one folder that all of them share"
            )
        train = tf.function(lambda batch: run(model.train_step, args=(batch,)), reduce_retracing=True)
        test = tf.function(lambda batch: run(model.test_step, args=(batch,)), reduce_retracing=True)
        batches, validation_data = batches.map(self._share), validation_data.shard(self.number, self.index)
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0 and self.is_chief,
            model=model,
            epochs=epochs,
            verbose=verbose,
            steps=cardinality if (cardinality := int(batches.cardinality())) >= 0 else None,
        )
        model.stop_training = False
        epochs = min(epochs, keras.config.max_epochs() or epochs)
        with _others():
            callbacks.on_train_begin()
            for epoch in range(initial_epoch, epochs):
                callbacks.on_epoch_begin(epoch)
                logs = _figures(model, train, batches, callbacks)
                validation = _figures(model, test, validation_data)
                logs |= {f"val_{name}": value for name, value in validation.items()}
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training or not math.isfinite(logs["loss"]):
                    break
            callbacks.on_train_end()
        return model.history

    def wait(self):
        """Returns when all workers have come here."""
        self._sum(0)

    def _sum(self, number):
        """The sum of the workers' numbers."""

        @tf.function
        def total():
            numbers = self.strategy.run(lambda: tf.constant(number, tf.int64))
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None)

        with _others():
            return int(total())

    def _share(self, *batch):
        """This worker's rows of a batch."""
        rows = tf.shape(tf.nest.flatten(batch)[0])[0]
        start, end = self.index * rows // self.number, (self.index + 1) * rows // self.number
        return tf.nest.map_structure(lambda part: part[start:end], batch)


@contextlib.contextmanager
def _others():
    """Says of errors that come from other workers that they do."""
    try:
        yield
    except _GONE as error:
        raise ConnectionError(
            f"Another worker has gone, or failed: start all of them again with --resume ({type(error).__name__})"
        ) from error


def _figures(model, step, batches, callbacks=None):
    """Takes a step on each batch; returns the metrics over all batches and all workers."""
    model.reset_metrics()
    for number, batch in enumerate(batches):
        if callbacks is not None:
            callbacks.on_train_batch_begin(number)
        step(batch)
        if callbacks is not None:
            callbacks.on_train_batch_end(number)
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def _read_config():
    """The tasks that train, `(type, index)` each, the chief first; and this process's."""
    text = os.environ.get(_CONFIG)
    if not text:
        raise ValueError(f"Training over several machines needs the environment variable {_CONFIG}: {_EXAMPLE}")
    try:
        config = json.loads(text)
        cluster, own = config["cluster"], (config["task"]["type"], int(config["task"]["index"]))
        tasks = [(job, i) for job in ("chief", "worker") for i, _ in enumerate(_addresses(cluster, job))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{_CONFIG} must be like {_EXAMPLE} ({type(error).__name__}: {error}). Received: {text}"
        ) from None
    others = set(cluster) - {"chief", "worker"}
    if others or own not in tasks or ("chief", 1) in tasks:
        raise ValueError(
            f"{_CONFIG} may name workers and at most one chief, this process among them; there is no other strategy "
            f"here, such as one with parameter servers. Received: {text}"
        )
    return tasks, own


def _addresses(cluster, job):
    addresses = cluster.get(job, [])
    if not isinstance(addresses, list):
        raise TypeError(f"the addresses of {job!r} must be a list")
    return addresses
