"""What every model of the zoo is: a Keras model that trains, predicts and answers on strings."""

import keras
import numpy as np
import tensorflow as tf

from seqzoo.models import loading
from seqzoo.models.optimizers import Adam
from seqzoo.models.sharded_step import ShardedModel
from seqzoo.models.strings import as_list, checked_batch, columns, hold_out_share, holds_strings
from seqzoo.pipelines.input_pipeline import EpochNumber
from seqzoo.pipelines.vocabulary import Vocabulary
from seqzoo.runtime import interrupted_between_steps, jit_compiles, keep_freed_memory


class StringModel(ShardedModel):
    """A functional Keras model that owns the preprocessor between strings and its ids.

    It trains, evaluates and predicts on strings as well as on the batches of ids that its preprocessor makes, and
    saves the preprocessor with its weights. Loading, evaluation, export and the command line know this class alone.

    Subclasses are functional, pass the preprocessor and the rest of their configuration to `_set_config`, and define
    the methods that raise `NotImplementedError` here.

    Attributes:
        preprocessor: what turns strings into ids and back.
        preprocessor_class: the class it must be of.
        task: `"pairs"` for models that answer a source, `"text"` for those that continue a prompt.
        default_loss: what makes the loss that `compile` takes for `"auto"`.
        default_metrics: tuple of the classes of the metrics that it takes for `"auto"`.
        clipnorm: float, the global norm at which `compile`'s own optimizer clips gradients.
        default_batch_size: int, of `fit` on strings.
    """

    preprocessor_class = object
    task = default_loss = None
    default_metrics = ()
    clipnorm = 5.0
    default_batch_size = 128

    # === Training and evaluation ===

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", jit_compile="auto", shards=1, **options):
        """Configures training; see `keras.Model.compile`.

        Args:
            optimizer: `"auto"` for Adam with a learning rate of 1e-3 and gradients clipped at a global norm of
                `clipnorm`; else as Keras takes it.
            loss: `"auto"` for the model's own loss; else as Keras takes it.
            metrics: `"auto"` for the model's own metrics; else as Keras takes it.
            jit_compile: bool, or `"auto"` for XLA on a CPU outside distribution strategies.
            shards: int, into how many parts `fit` cuts each batch to compute them at the same time, each on a core;
                see `sharded_step`. Weights depend on it, but not on how many cores there are.
            **options: see `keras.Model.compile`.

        Raises:
            ValueError: for shards below 1; for several under a distribution strategy, of a model with a `train_step` of
                its own, or with a loss that is no mean over the batch.
        """
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = Adam(1e-3, global_clipnorm=self.clipnorm)
        if isinstance(loss, str) and loss == "auto":
            loss = self.default_loss()
        if isinstance(metrics, str) and metrics == "auto":
            metrics = [metric() for metric in self.default_metrics]
        if jit_compile == "auto":
            jit_compile = jit_compiles() and not options.get("run_eagerly", False)
        super().compile(optimizer, loss, metrics=metrics, jit_compile=jit_compile, shards=shards, **options)

    def compile_from_config(self, config):
        """Compiles with what `get_compile_config` described, as Keras does when it loads a model."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        **options,
    ):
        """Trains on strings, or on batches; see `keras.Model.fit`.

        Training on strings ends with the same weights, to the bit, as on the preprocessor's batches with the same seed.
        Ctrl-C ends it after the running batch, a second Ctrl-C at once.

        Args:
            x: strings, in the forms that the class documents; or anything that Keras takes.
            y: the targets, where `x` is a list of sources; or what Keras takes.
            batch_size: int; `None` for `default_batch_size` on strings.
            epochs: see Keras.
            verbose: see Keras.
            callbacks: see Keras.
            validation_split: float. Of strings, about which part is held out, to a percent: of pairs by their
                sources, so that no source stands in both parts; of a text its end.
            validation_data: in the same forms as `x`, or as Keras takes it.
            shuffle: bool. Strings are shuffled anew in each epoch, by the seed of `keras.utils.set_random_seed` and
                the number of the epoch.
            **options: see Keras.

        Returns:
            Keras' `History`.

        Raises:
            ValueError: for strings that do not fit the model, naming the first one; no data; targets that are missing.
        """
        self._assert_compile_called("fit")
        keep_freed_memory()
        if self._is_data(x):
            data, y = self._string_data(x, y), None
            seed = tf.compat.v1.get_seed(0)[0]  # Of `keras.utils.set_random_seed`; a constant where none was set.
            if validation_split and validation_data is None:
                data, held_out = hold_out_share(self.preprocessor, data, seed, validation_split)
                validation_data = self._validation_batches(held_out, options.pop("validation_batch_size", None))
            validation_split = 0.0
            epoch, steps = tf.Variable(0, dtype=tf.int64, trainable=False), options.pop("steps_per_epoch", None)
            batch_size = self.default_batch_size if batch_size is None else batch_size
            x = self._training_batches(data, batch_size, seed if shuffle else None, epoch)
            if steps is not None:
                if steps < 1:
                    raise ValueError(f"steps_per_epoch must be at least 1. Received: steps_per_epoch={steps}")
                x = x.repeat().take(steps)
            callbacks = getattr(callbacks, "callbacks", callbacks) or []  # Those of a `CallbackList`.
            callbacks, batch_size = [EpochNumber(epoch), *keras.tree.flatten(callbacks)], None
        if validation_data is not None and self._is_data(validation_data):
            validation_data = self._string_data(*columns(validation_data))
            validation_data = self._validation_batches(validation_data, options.pop("validation_batch_size", None))
        if isinstance(x, tf.data.Dataset) or hasattr(x, "__next__"):
            shuffle = False  # It comes in the order that it has; Keras would warn.
        options |= {"batch_size": batch_size, "epochs": epochs, "verbose": verbose, "shuffle": shuffle}
        options |= {"validation_split": validation_split, "validation_data": validation_data}
        with interrupted_between_steps() as interruption:
            if isinstance(callbacks, keras.callbacks.CallbackList):
                callbacks.append(interruption)
            else:
                callbacks = [interruption, *keras.tree.flatten(callbacks or [])]
            return super().fit(x, y, callbacks=callbacks, **options)

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", **options):
        """Loss and metrics, teacher-forced, on strings as `fit` takes them, or as `keras.Model.evaluate`.

        `seqzoo.training.evaluate` decodes instead, and returns the figures of the task.
        """
        if self._is_data(x):
            x, y = self._validation_batches(self._string_data(x, y), batch_size), None
            batch_size = None
        return super().evaluate(x, y, batch_size=batch_size, verbose=verbose, **options)

    def predict(self, x, batch_size=None, verbose="auto", **options):
        """Answers to strings as `generate` returns them, or predictions on batches as `keras.Model.predict`.

        Strings are a list, a tensor, an array, or a `tf.data.Dataset` of scalars. The answers are a NumPy array of
        `str`, `[rows]`; no other argument applies to them.
        """
        if not holds_strings(x):
            return super().predict(x, batch_size=batch_size, verbose=verbose, **options)
        strings = [x] if isinstance(x, str | bytes) else as_list(x)
        return np.array(self.generate(strings), dtype=np.str_)

    def train_on_batch(self, x, *args, **options):
        """See `keras.Model.train_on_batch`; takes a batch of ids."""
        return super().train_on_batch(checked_batch(x), *args, **options)

    def test_on_batch(self, x, *args, **options):
        """See `keras.Model.test_on_batch`; takes a batch of ids."""
        return super().test_on_batch(checked_batch(x), *args, **options)

    def predict_on_batch(self, x):
        """See `keras.Model.predict_on_batch`; takes a batch of ids."""
        return super().predict_on_batch(checked_batch(x))

    # === Answers and exports ===

    def generate(self, strings, *, errors="raise", **options):
        """Answers to strings, or continuations of them; see the subclass."""
        raise NotImplementedError

    def generate_each(self, strings, **options):
        """Answers to any iterable of sources, an iterator; only of models that answer sources."""
        raise ValueError(f"A {type(self).__name__} continues prompts and answers no sources: use seqzoo sample")

    def align(self, string):
        """A source's answer, and which of its tokens each token of the answer reads; only of models with attention."""
        return self.generate_each([string])

    def stream(self, prompt, *args, **options):
        """A continuation of a prompt, piece by piece; only of models that continue prompts."""
        raise ValueError(f"A {type(self).__name__} answers sources and continues no prompts: use seqzoo generate")

    def with_dtype(self, dtype):
        """The model itself if it has this dtype policy, else a copy with the same weights that has it."""
        if self.dtype_policy.name == dtype:
            return self
        copy = type(self).from_config({**self.get_config(), "dtype": dtype})
        copy.set_weights(self.get_weights())
        return copy

    def serving_functions(self, **search):
        """What a SavedModel offers: a dictionary from names to `(function, list of tf.TensorSpec)`, strings to strings.

        Each function takes tensors whose first dimension is the batch and returns a dictionary of such tensors. The
        text of `error` is `""` for a row that is fine; a wrong row never affects its neighbours.

        Args:
            **search: `beam_size` and `length_penalty`, of models that search for answers.
        """
        raise NotImplementedError

    def token_functions(self, **search):
        """What a LiteRT file offers: a dictionary from names to `(function, list of tf.TensorSpec)`, ids to ids.

        Inputs are called `source` (int32 `[batch, length]`, padded with 0), `token` (int32 `[batch]`), `state_…`, or
        what belongs to a source: `context`, `projected_…`, `keys`, `values`, `mask`. Outputs `answer` and `next` are
        ids, all others numbers: `alignment`, `probabilities`, `logits`, and states by the names of inputs.

        Args:
            **search: `beam_size` and `length_penalty`, of models that search for answers.
        """
        raise NotImplementedError

    def export(self, *args, **options):
        """Not here: Keras' own export knows neither the preprocessor nor built-in operations alone."""
        raise ValueError(
            "Use seqzoo.export.saved_model(model, path) for TensorFlow Serving or seqzoo.export.litert(model, path) "
            "for LiteRT: they export strings in and strings out, and compare the export with the model"
        )

    # === Saving and loading ===

    @classmethod
    def from_preset(cls, name, load_weights=True):
        """The model of a preset.

        Args:
            name: str, one of `seqzoo.models.presets()`.
            load_weights: bool; `False` for the architecture and the preprocessor with random weights.

        Returns:
            The model, not compiled.

        Raises:
            ValueError: for a preset that does not exist or is of another class.
        """
        model = loading.load_model(loading.preset_folder(name) / "model.keras", StringModel)
        if not isinstance(model, cls):
            kind = type(model).__name__
            raise ValueError(f"The preset {name} is a {kind}, not a {cls.__name__}: use {kind}.from_preset")
        return model if load_weights else type(model).from_config(model.get_config())

    def get_config(self):
        """The constructor's arguments, the preprocessor serialised, and which parts are frozen."""
        return {
            "preprocessor": keras.saving.serialize_keras_object(self.preprocessor),
            **self._config,
            "name": self.name,
            "trainable": self.trainable,
            "frozen": [path for path, part in _parts(self) if not part.trainable] if self.trainable else [],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `get_config` described, with random weights."""
        config = dict(config)
        preprocessor = keras.saving.deserialize_keras_object(config.pop("preprocessor"), custom_objects)
        if not (isinstance(preprocessor, cls.preprocessor_class) and isinstance(preprocessor.vocabulary, Vocabulary)):
            raise ValueError(f"its preprocessor must be a {cls.preprocessor_class.__name__} with a Vocabulary")
        frozen = config.pop("frozen", [])
        model = cls(preprocessor, **config)
        parts = dict(_parts(model))
        for path in frozen:
            if path not in parts:
                raise ValueError(f"it has no part {path!r}")
            parts[path].trainable = False
        return model

    def _set_config(self, preprocessor, config):
        """Keeps what `get_config` returns, after the functional model was made."""
        self.preprocessor = preprocessor
        self._config = config

    # === What subclasses make of strings ===

    def _is_data(self, x):
        """Whether `x` is data for the preprocessor; else it is batches for Keras."""
        return holds_strings(x)

    def _string_data(self, x, y):
        """The data in the form that the preprocessor takes.

        Raises:
            ValueError: for strings of another form.
        """
        raise NotImplementedError

    def _training_batches(self, data, batch_size, seed, epoch):
        raise NotImplementedError

    def _validation_batches(self, data, batch_size):
        raise NotImplementedError


def load(path):
    """The model in a `.keras` file, its preprocessor included.

    The file is data. It is checked before anything is made of it: it holds a model of seqzoo, or of a subclass that is
    registered in this process, and what belongs to its training, nothing else; and weights for all of the model, so
    that a small file never takes much memory. Nothing in it is executed, no other file is read.

    Args:
        path: file name, or the name of a preset; see `from_preset`.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no model of seqzoo, or damaged.
    """
    return loading.load_model(path, StringModel)


def from_preset(name, load_weights=True):
    """The model of a preset, whatever its class; see `StringModel.from_preset`."""
    return StringModel.from_preset(name, load_weights)


def _parts(model, prefix=""):
    """The layers of a functional model at all depths, as `(path, layer)`."""
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        yield path, layer
        if isinstance(layer, keras.Model):
            yield from _parts(layer, f"{path}/")
