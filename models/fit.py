"""Training and evaluation by Keras, on strings as well as on batches of ids."""

import functools

import keras
import tensorflow as tf

from seqzoo.models.losses import weights_of_tokens
from seqzoo.models.optimizers import Adam
from seqzoo.models.sharded_step import ShardedModel
from seqzoo.models.strings import as_data, checked_batch, columns, hold_out_share, holds_strings, with_weights
from seqzoo.pipelines.input_pipeline import EpochNumber
from seqzoo.runtime import check_threads_survive, interrupted_between_steps, jit_compiles, keep_freed_memory


class FitOnStrings(ShardedModel):
    """A Keras model whose `fit` and `evaluate` take strings, and whose `compile` knows what suits it.

    Attributes:
        default_metrics: tuple of the classes of the metrics that `compile` takes for `"auto"`.
        clipnorm: float, the global norm at which `compile`'s own optimizer clips gradients.
        default_batch_size: int, of `fit` on strings.
        has_rows: bool, whether strings are rows, each of which may have a weight.
    """

    default_metrics = ()
    clipnorm = 5.0
    default_batch_size = 128
    has_rows = True

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
            **options: see Keras. `sample_weight` weighs rows, `[rows]`, or the tokens of targets, `[rows, length]`, as
                all batches of `(x, y, sample_weight)` do.

        Returns:
            Keras' `History`.

        Raises:
            ValueError: for strings that do not fit the model, naming the first one; no data; targets that are missing;
                weights of which there are not as many as rows; `class_weight`.
        """
        check_threads_survive()
        self._assert_compile_called("fit")
        _check_no_class_weight(options.get("class_weight"))
        self._check_float_type()
        keep_freed_memory()
        self._forget_stale_graphs()
        x, y, validation_data = as_data(x, y, validation_data)
        if self._is_data(x):
            x, y, weights = self._with_weights(x, y, options.pop("sample_weight", None))
            data, y = self._string_data(x, y), None
            seed = tf.compat.v1.get_seed(0)[0]  # Of `keras.utils.set_random_seed`; a constant where none was set.
            if validation_split and validation_data is None:
                if weights is not None:
                    raise ValueError("Strings with sample_weight are not split: pass validation_data")
                data, held_out = hold_out_share(self.preprocessor, data, seed, validation_split)
                validation_data = self._validation_batches(held_out, options.pop("validation_batch_size", None), None)
            validation_split = 0.0
            epoch, steps = tf.Variable(0, dtype=tf.int64, trainable=False), options.pop("steps_per_epoch", None)
            batch_size = self.default_batch_size if batch_size is None else batch_size
            x = self._training_batches(data, batch_size, seed if shuffle else None, epoch, weights)
            if steps is not None:
                if steps < 1:
                    raise ValueError(f"steps_per_epoch must be at least 1. Received: steps_per_epoch={steps}")
                x = x.repeat().take(steps)
            callbacks = getattr(callbacks, "callbacks", callbacks) or []  # Those of a `CallbackList`.
            callbacks, batch_size = [EpochNumber(epoch), *keras.tree.flatten(callbacks)], None
        if validation_data is not None and self._is_data(validation_data):
            size = options.pop("validation_batch_size", None)
            validation_data = self._batches_to_evaluate(*columns(validation_data), size)
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

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **options):
        """Loss and metrics, teacher-forced, on strings as `fit` takes them, or as `keras.Model.evaluate`.

        `seqzoo.training.evaluate` decodes instead, and returns the figures of the task.
        """
        check_threads_survive()
        self._forget_stale_graphs()
        x, y = as_data(x, y)
        if self._is_data(x):
            x, y = self._batches_to_evaluate(x, y, sample_weight, batch_size), None
            batch_size = sample_weight = None
        options |= {"batch_size": batch_size, "verbose": verbose, "sample_weight": sample_weight}
        return super().evaluate(x, y, **options)

    def train_on_batch(self, x, *args, **options):
        """See `keras.Model.train_on_batch`; takes a batch of ids."""
        _check_no_class_weight(args[2] if len(args) > 2 else options.get("class_weight"))
        return super().train_on_batch(checked_batch(x), *args, **options)

    def test_on_batch(self, x, *args, **options):
        """See `keras.Model.test_on_batch`; takes a batch of ids."""
        return super().test_on_batch(checked_batch(x), *args, **options)

    def predict_on_batch(self, x):
        """See `keras.Model.predict_on_batch`; takes a batch of ids."""
        return super().predict_on_batch(checked_batch(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """See `keras.Model.compute_loss`; weights of rows weigh all of their tokens."""
        return super().compute_loss(x, y, y_pred, weights_of_tokens(sample_weight), training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """See `keras.Model.compute_metrics`; weights of rows weigh all of their tokens."""
        return super().compute_metrics(x, y, y_pred, weights_of_tokens(sample_weight))

    def _check_float_type(self):
        dtype = self.dtype_policy.variable_dtype
        if dtype not in ("float32", keras.config.floatx()):
            raise ValueError(
                f"A model of this dtype is trained where all of Keras has it, keras.config.set_floatx({dtype!r}); "
                f'dtype="mixed_float16" trains beside float32. Received: dtype={self.dtype_policy.name!r}'
            )

    def _forget_stale_graphs(self):
        """Drops what was compiled before layers changed; see `Structure.has_changed`."""
        if self._structure.has_changed():
            for name in list(vars(self)):
                if isinstance(getattr(type(self), name, None), functools.cached_property):
                    vars(self).pop(name, None)
            self.train_function = self.test_function = self.predict_function = None

    # === What subclasses make of strings ===

    def default_loss(self):
        """The loss that `compile` takes for `"auto"`."""
        raise NotImplementedError

    def _is_data(self, x):
        """Whether `x` is data for the preprocessor; else it is batches for Keras."""
        return holds_strings(x)

    def _string_data(self, x, y):
        """The data in the form that the preprocessor takes.

        Raises:
            ValueError: for strings of another form.
        """
        raise NotImplementedError

    def _training_batches(self, data, batch_size, seed, epoch, weights):
        raise NotImplementedError

    def _validation_batches(self, data, batch_size, weights):
        raise NotImplementedError

    def _with_weights(self, x, y, weights):
        x, y, weights = with_weights(x, y, weights)
        if weights is not None and not self.has_rows:
            raise ValueError("A text has no rows to weigh: weigh batches, (tokens, next tokens, weights)")
        return x, y, weights

    def _batches_to_evaluate(self, x, y, weights, batch_size):
        x, y, weights = self._with_weights(x, y, weights)
        return self._validation_batches(self._string_data(x, y), batch_size, weights)


def _check_no_class_weight(class_weight):
    if class_weight is not None:
        raise ValueError(
            "class_weight is for models with one label a row: weigh the tokens of each target, "
            "sample_weight=[rows, length]. Received: class_weight"
        )
