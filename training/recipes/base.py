"""What all recipes have in common."""

import contextlib
import dataclasses
from typing import ClassVar

import keras

from seqzoo.models.sharded_step import MAX_SHARDS
from seqzoo.runtime import compile_options, jit_compiles


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What all recipes have in common; `dataclasses.replace` makes a variant.

    Attributes:
        name: str, as the command line has it.
        model: str, the class of its model.
        dataset: the recipe's own data set; `None` where the user brings the data.
    """

    metric: ClassVar[str]
    metric_label: ClassVar[str]
    dataset_classes: ClassVar[tuple[type, ...]]
    model_fields: ClassVar[tuple[str, ...]]
    beam_size = 1

    def __post_init__(self):
        for name in ("embedding_dim", "hidden_dim", "num_layers", "batch_size", "epochs", "shards"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1. Received: {name}={value!r}")
        if self.shards > MAX_SHARDS:
            raise ValueError(f"shards must be at most {MAX_SHARDS}. Received: shards={self.shards}")
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1). Received: dropout={self.dropout!r}")
        if not isinstance(self.learning_rate, int | float) or not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be a number above 0. Received: learning_rate={self.learning_rate!r}")

    @property
    def command(self):
        """The command that trains it."""
        data = "" if self.dataset else " --data FILE"
        return f"seqzoo train {self.name} --output DIR{data}"

    @property
    def data_name(self):
        """The name of its own data set, or `None`."""
        return self.dataset.name if self.dataset else None

    def prepare(self, manual_dir):
        """Writes its own data set to TFDS' folder from files that the user downloaded to `manual_dir`.

        Raises:
            ValueError: for a recipe whose data set downloads nothing, or files that are not there or not the same.
        """
        if not hasattr(self.dataset, "prepare"):
            raise ValueError(f"The recipe {self.name} downloads no data set that TFDS prepares: leave out --manual-dir")
        self.dataset.prepare(manual_dir)

    def for_data(self, data):
        """The recipe for a file of data: without its own data set, whose options apply to that data set alone."""
        return self if data is None else dataclasses.replace(self, dataset=None)

    @classmethod
    def from_config(cls, config):
        """The recipe that `dataclasses.asdict` described."""
        options = config["dataset"]
        if options is None:
            return cls(**config)
        for each in cls.dataset_classes:
            if set(options) <= {field.name for field in dataclasses.fields(each)}:
                dataset = None
                with contextlib.suppress(ValueError):  # Another data set has this name.
                    dataset = each(**options)
                if dataset:
                    return cls(**{**config, "dataset": dataset})
        raise ValueError(f"no data set has the options {', '.join(map(repr, options))}")

    def check_data(self, data, validation_data=None):
        """Checks that there is something to train on.

        Raises:
            ValueError: without a file and a data set of its own, or for validation data alone.
        """
        if data is None and validation_data is not None:
            raise ValueError("Validation data needs data to train on: pass both, or neither")
        if data is None and self.dataset is None:
            raise ValueError(f"The recipe {self.name} has no data set of its own: name a file, --data FILE")

    def search_data(self, data=None, validation_data=None, seed=0):
        """As `training_data`, for choices: what is kept for tests stays unseen."""
        return self.training_data(data, validation_data, seed)

    def test_data(self, data, held_out):
        """Rows to score a trained model on: those of its own data set that no choice was made on, if it has such.

        Args:
            data: see `training_data`.
            held_out: what `training_data` returned to validate on, which serves where there is nothing else.
        """
        return held_out

    def data_facts(self, data=None):
        """What identifies the data beside their name, a dictionary."""
        return {}

    def passes(self, data):
        """How many times an epoch passes over the data that it trains on, int."""
        return 1

    def for_devices(self):
        """The recipe for several devices, each of which computes a part of each batch: in one shard each."""
        return dataclasses.replace(self, shards=1)

    def compile(self, model, steps_per_epoch, **overrides):
        """Compiles a model with this recipe, to run fast on this machine; see `seqzoo.runtime.compile_options`.

        `steps_per_epoch`, the batches an epoch, is what the schedule of the learning rate needs; `overrides` are
        options of `keras.Model.compile` to use in place of the recipe's.
        """
        options = {"optimizer": self._optimizer(steps_per_epoch), "loss": self._loss(model)}
        options["shards"] = self.shards if jit_compiles() else 1
        options |= {**compile_options(steps_per_epoch), **overrides}
        if options.get("run_eagerly"):
            options["jit_compile"] = False
        model.compile(**options)
        # Else the first step would be traced twice, and a search could not load a checkpoint before it.
        model.optimizer.build(model.trainable_variables)

    def _loss(self, model):
        """The loss that it trains a model with, as `compile` takes it."""
        return "auto"

    def _model_arguments(self):
        return {name: getattr(self, name) for name in self.model_fields}

    def _warm_up_and_decay(self, warmup_steps, decay_steps):
        """A linear warm-up to the recipe's learning rate, and a cosine decay to 0."""
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, decay_steps),
            warmup_target=self.learning_rate,
            warmup_steps=warmup_steps,
        )
