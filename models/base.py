"""What every model of the zoo is: a Keras model that trains, predicts and answers on strings."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from seqzoo.models.files import loading
from seqzoo.models.fit import FitOnStrings
from seqzoo.models.layers.structure import Structure, layers_by_path
from seqzoo.models.strings import as_list, holds_strings
from seqzoo.pipelines.vocabulary import Vocabulary
from seqzoo.runtime import check_threads_survive

_QUANTIZED = 'use seqzoo.export.litert(model, path, quantize="dynamic_int8")'


class StringModel(FitOnStrings):
    """A functional Keras model that owns the preprocessor between strings and its ids.

    It trains, evaluates and predicts on strings as well as on the batches of ids that its preprocessor makes, and
    saves the preprocessor with its weights. Loading, evaluation, export and the command line know this class alone.

    Subclasses are functional, pass the preprocessor and the rest of their configuration to `_set_config`, and define
    the methods that raise `NotImplementedError` here and in `FitOnStrings`.

    Attributes:
        preprocessor: what turns strings into ids and back.
        preprocessor_class: the class it must be of.
        task: `"pairs"` for models that answer a source, `"text"` for those that continue a prompt.
    """

    preprocessor_class = object
    task = None

    # === Answers and exports ===

    def predict(self, x, batch_size=None, verbose="auto", **options):
        """Answers to strings as `generate` returns them, or predictions on batches as `keras.Model.predict`.

        Strings are a list, a tensor, an array, or a `tf.data.Dataset` of scalars. The answers are a NumPy array of
        `str`, `[rows]`; no other argument applies to them.
        """
        check_threads_survive()
        if not holds_strings(x):
            self._forget_stale_graphs()
            return super().predict(x, batch_size=batch_size, verbose=verbose, **options)
        if isinstance(x, dict | tf.data.Dataset):
            x = as_list(x)
        strings = [x] if isinstance(x, str | bytes) else x
        return np.array(self.generate(strings), dtype=np.str_)

    def generate(self, strings, *, errors="raise", **options):
        """Answers to strings, or continuations of them; see the subclass."""
        raise NotImplementedError

    def generate_each(self, strings, **options):
        """Answers to any iterable of sources, an iterator; only of models that answer sources."""
        raise ValueError(f"A {type(self).__name__} continues prompts and answers no sources: use seqzoo sample")

    def align(self, string):
        """A source's answer, and which of its tokens each token of the answer reads; only of models with attention."""
        return self.generate_each([string])

    def align_tokens(self, string):
        """`align` with the tokens of the answer; only of models with attention."""
        return self.align(string)

    def stream(self, prompt, *args, **options):
        """A continuation of a prompt, piece by piece; only of models that continue prompts."""
        raise ValueError(f"A {type(self).__name__} answers sources and continues no prompts: use seqzoo generate")

    def with_dtype(self, dtype):
        """The model itself if it has this dtype policy, else a copy with the same weights that has it."""
        if self.dtype_policy.name == dtype:
            return self
        return self.copy_with(dtype=dtype)

    def copy_with(self, **config):
        """A copy with the same weights, LoRA's merged, and this in its configuration."""
        copy = type(self).from_config({**self.get_config(), **config})
        for layer, copied in zip(self._flatten_layers(), copy._flatten_layers(), strict=True):
            weights = {}
            layer.save_own_variables(weights)
            copied.load_own_variables(weights)
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

    def quantize(self, mode=None, *args, **options):
        """Not here: a model file keeps float weights; an export for devices quantises them."""
        raise ValueError(f"Only what is exported is quantised: {_QUANTIZED}. Received: mode={mode!r}")

    # === Saving and loading ===

    def save(self, filepath, *args, **options):
        """Saves the model in one `.keras` file; see `keras.Model.save`.

        Raises:
            ValueError: for another suffix, or a model with a quantised layer, which could not be loaded.
        """
        if pathlib.Path(filepath).suffix != ".keras":
            raise ValueError(f"A model is saved as one .keras file. Received: {str(filepath)!r}")
        self.get_config()  # Refuses what cannot be loaded, before there is a part of a file.
        super().save(filepath, *args, **options)

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
        check_threads_survive()
        for path, part in layers_by_path(self):
            if isinstance(part.dtype_policy, keras.dtype_policies.QuantizedDTypePolicy):
                raise ValueError(f"The layer {path} is quantised, and could not be read back from a file: {_QUANTIZED}")
        return {
            "preprocessor": keras.saving.serialize_keras_object(self.preprocessor),
            **self._config,
            "name": self.name,
            "trainable": self.trainable,
            "frozen": [path for path, part in layers_by_path(self) if not part.trainable] if self.trainable else [],
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
        parts = dict(layers_by_path(model))
        for path in frozen:
            if path not in parts:
                raise ValueError(f"it has no part {path!r}")
            parts[path].trainable = False
        return model

    def _set_config(self, preprocessor, config):
        """Keeps what `get_config` returns, after the functional model was made."""
        self.preprocessor = preprocessor
        self._config = config
        self._structure = Structure(self)


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
