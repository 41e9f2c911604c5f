"""Pictures to texts: a convolutional encoder under the decoders of seq2seq models."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqzoo.models.answers import AnsweringModel
from seqzoo.models.decoders import AttentionDecoder, PeekyDecoder
from seqzoo.models.encoders import RecurrentEncoder
from seqzoo.models.files.checks import check_limits
from seqzoo.models.layers.dropout import Dropout
from seqzoo.models.layers.initializers import constructor_arguments
from seqzoo.models.layers.recurrent import recurrent_layers
from seqzoo.models.serving.id_functions import image_token_functions
from seqzoo.models.serving.string_functions import image_functions
from seqzoo.models.strings import check_errors_option, check_that_it_has_values, holds_strings
from seqzoo.pipelines.image_preprocessor import ImagePreprocessor
from seqzoo.pipelines.picture_pairs import as_file, as_picture_pairs, as_pictures
from seqzoo.runtime import check_threads_survive, unrolls

# How many pixels each convolution goes on by, up and down and sideways; later ones as the last of these.
_STRIDES = ((1, 1), (2, 2), (2, 2), (2, 1))


@keras.saving.register_keras_serializable("seqzoo")
class ImageEncoder(RecurrentEncoder):
    """Encodes a picture: convolutions, and recurrent layers that read their columns in both directions.

    After Shi et al. 2015 (https://arxiv.org/abs/1507.05717), with strides in place of pooling. Convolutions are 3 × 3
    with a ReLU: the first one keeps the size, the next two halve height and width, and all others the height.

    Args:
        height: int, pixels.
        width: int, pixels.
        filters: sequence of int, of each convolution.
        hidden_dim: int, units of each recurrent layer, in each direction.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int, recurrent layers.
        dropout: float, rate of dropout on the inputs of recurrent layers and on the outputs.
        unroll: bool, see `Recurrent`.
        initializer: `"keras"` or `"book"`, of the recurrent layers; see `initializer_options`.
        dtype: dtype policy of all layers.

    Call arguments:
        source: uint8 `[batch, height, width]`, from 0, black, to 255.

    Returns:
        The dictionary that `Encoder` returns for attention, with the columns in the place of tokens: `states`;
        `outputs`, `[batch, columns, output_dim]`; and `mask`, bool `[batch, columns]`, all `True`.
    """

    bidirectional = True

    def __init__(
        self,
        height,
        width,
        filters=(24, 32, 64, 64),
        hidden_dim=64,
        cell="lstm",
        num_layers=1,
        dropout=0.0,
        unroll=False,
        initializer="keras",
        dtype=None,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        config["dtype"] = dtype = keras.dtype_policies.get(dtype or keras.config.dtype_policy()).name
        config["filters"] = list(filters)
        self._config = config
        if not config["filters"]:
            raise ValueError("filters must have a number for each convolution, and one at least. Received: none")

        # === Layers ===
        self.convolutions = [
            keras.layers.Conv2D(
                number,
                3,
                strides=_STRIDES[min(i, len(_STRIDES) - 1)],
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                dtype=dtype,
                name=f"conv_{i}",
            )
            for i, number in enumerate(filters)
        ]
        self.recurrent = recurrent_layers(cell, hidden_dim, num_layers, unroll, initializer, dtype)
        self.dropouts = [Dropout(dropout, dtype=dtype, name=f"dropout_{i}") for i in range(num_layers + 1)]
        self._make_backward_layers(unroll)

        # === Functional Model ===
        source = keras.Input((height, width), dtype="uint8", name="source")
        x = ops.cast(source[..., None], self.convolutions[0].compute_dtype) / 255.0
        for convolution in self.convolutions:
            x = convolution(x)
        columns, dim = x.shape[2], x.shape[1] * x.shape[3]
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, columns, dim))
        x, states = self._read(x, None, self.dropouts, pass_cell_state=True)
        mask = ops.ones_like(x[..., 0], dtype="bool")
        super().__init__(
            inputs=source, outputs={"states": states, "outputs": self.dropouts[-1](x), "mask": mask}, **kwargs
        )

    def call(self, inputs, training=None, mask=None):
        """The outputs of the functional model; where there are no rows, without convolving any."""
        if inputs.shape[0]:
            return super().call(inputs, training, mask)
        # By oneDNN a convolution of no rows has its input's shape, which the next one refuses.
        rows = tf.shape(inputs)[0]
        one_if_none = tf.zeros([tf.cast(rows == 0, tf.int32), *inputs.shape[1:]], inputs.dtype)
        outputs = super().call(tf.concat([inputs, one_if_none], axis=0), training, mask)
        return tf.nest.map_structure(lambda x: x[:rows], outputs)


@keras.saving.register_keras_serializable("seqzoo")
class ImageToText(AnsweringModel):
    """Writes what a picture shows, token by token: a caption, a text that was written by hand, a number in words.

    An `ImageEncoder` under the decoder of `AttentionSeq2Seq` or `PeekySeq2Seq` (after Vinyals et al. 2015,
    https://arxiv.org/abs/1411.4555, and Xu et al. 2015, https://arxiv.org/abs/1502.03044). A picture is the bytes of a
    PNG or JPEG file, `str` or `pathlib.Path` for the name of one, or an array of uint8 or of floats from 0 to 1,
    `[height, width]` or `[height, width, channels]`; of any size, see `ImagePreprocessor`. `fit` and `evaluate` take
    pairs of a picture and its caption: a list of tuples, pictures and captions as two lists, or a `tf.data.Dataset`.

    Args:
        preprocessor: `ImagePreprocessor`, which holds the vocabulary and the sizes and is saved with the model.
        filters: sequence of int, of each convolution.
        embedding_dim: int, of the captions' tokens.
        hidden_dim: int, units of each recurrent layer.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int, recurrent layers in the encoder and again in the decoder.
        dropout: float in [0, 1), as in `Seq2Seq`.
        attention: bool, whether each step of the decoder reads the picture's columns by attention; else each step
            sees the encoder's last state.
        unroll: bool, or `None` to unroll over few columns and short captions where there is no GPU.
        initializer: `"keras"` or `"book"`, see `initializer_options`.
        dtype: dtype policy; `None` for Keras' global one.

    Call arguments:
        inputs: dictionary of `source`, uint8 `[batch, height, width]`, and `target`, int32 `[batch, target_length]`:
            the start token and the caption but its last token (teacher forcing).

    Returns:
        float32 logits, `[batch, target_length, vocabulary_size]`.

    Example:
        >>> model = seqzoo.models.from_preset("read_numbers")
        >>> model.generate("picture.png")
        'four hundred nineteen'
    """

    preprocessor_class = ImagePreprocessor
    task = "pictures"
    serving_functions = image_functions
    token_functions = image_token_functions

    def __init__(
        self,
        preprocessor,
        filters=(24, 32, 64, 64),
        embedding_dim=32,
        hidden_dim=64,
        cell="lstm",
        num_layers=1,
        dropout=0.0,
        attention=True,
        unroll=None,
        initializer="keras",
        dtype=None,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        config["filters"] = list(filters)
        height, width, length = (getattr(preprocessor, name) for name in ("height", "width", "target_length"))
        columns = _columns(width, len(config["filters"]))
        if unroll is None:
            unroll = unrolls(columns, length)
        check_limits(num_layers + len(config["filters"]), [height, width, length], False)
        check_limits(num_layers, [columns, columns, length], unroll)  # Columns are read in both directions.
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        config["dtype"] = policy.name
        shared = {
            name: config[name] for name in ("hidden_dim", "cell", "num_layers", "dropout", "initializer", "dtype")
        }
        shared["unroll"] = self.unroll = unroll

        # === Layers ===
        self.attends = bool(attention)
        self.encoder = ImageEncoder(height, width, filters, **shared, name="encoder")
        memory = {"memory_dim": self.encoder.output_dim, "memory_length": columns} if attention else {}
        decoder_class = AttentionDecoder if attention else PeekyDecoder
        self.decoder = decoder_class(
            preprocessor.target_vocabulary.size, embedding_dim, length=length, **shared, **memory, name="decoder"
        )

        # === Functional Model ===
        source = keras.Input((height, width), dtype="uint8", name="source")
        target = keras.Input((length,), dtype="int32", name="target")
        encoded = self.encoder(source)
        logits = self.decoder({"target": target, **(encoded if attention else {"states": encoded["states"]})})
        super().__init__(inputs={"source": source, "target": target}, outputs=logits, **kwargs)
        self.dtype_policy = policy  # Keras scales the loss by it.

        # === Config ===
        self._set_config(preprocessor, config)

    @classmethod
    def from_pairs(cls, pairs, height, width, target_split="whitespace", **options):
        """A new model for the tokens and the lengths of captions.

        Args:
            pairs: pairs of a picture and its caption, as `fit` takes them.
            height: int, pixels to which pictures are scaled.
            width: int, likewise.
            target_split: `"whitespace"` or `"characters"`, what a token of a caption is; see `Vocabulary`.
            **options: the constructor's other arguments.

        Raises:
            ValueError: without any pair, or for a caption that is empty or not valid UTF-8.
        """
        check_threads_survive()
        return cls(ImagePreprocessor.from_pairs(pairs, height, width, target_split), **options)

    # === Answers ===

    def generate(self, strings, batch_size=1024, *, beam_size=1, length_penalty=0.0, errors="raise"):
        """Captions of pictures; see `AnsweringModel.generate`.

        Args:
            strings: a picture, as the class documents it; or a sequence of them, or an array of several.
            batch_size: int, how many are captioned at a time.
            beam_size: int, see `AnsweringModel.generate`.
            length_penalty: float, likewise.
            errors: `"raise"` or `"return"`, likewise.

        Returns:
            A list of `str`; one `str` for one picture. With `errors="return"`, a tuple of the captions and the errors.

        Raises:
            ValueError: naming the first picture that cannot be read.
        """
        options = {"beam_size": beam_size, "length_penalty": length_penalty}
        return self._of_pictures(super().generate, strings, errors, batch_size=batch_size, **options)

    def n_best(self, strings, n=5, beam_size=None, length_penalty=0.0, batch_size=1024, *, errors="raise"):
        """The best captions that beam search finds, with their probabilities; see `AnsweringModel.n_best`."""
        options = {"n": n, "beam_size": beam_size, "length_penalty": length_penalty, "batch_size": batch_size}
        return self._of_pictures(super().n_best, strings, errors, **options)

    def generate_each(self, strings, *args, **options):
        """`generate` for any iterable of pictures, however long; see `AnsweringModel.generate_each`."""
        return super().generate_each(map(as_file, strings), *args, **options)

    def n_best_each(self, strings, *args, **options):
        """`n_best` for any iterable of pictures, however long; see `AnsweringModel.n_best_each`."""
        return super().n_best_each(map(as_file, strings), *args, **options)

    def align_tokens(self, string):
        """`align` with the tokens of the caption; the alignment has a column for each of the picture's.

        Args:
            string: a picture, as the class documents it.

        Raises:
            ValueError: for a picture that cannot be read, or a model without attention.
        """
        (source,), (problem,), _ = as_pictures([string])
        if problem:
            raise ValueError(f"row 1: {problem}")
        return super().align_tokens(source)

    def predict(self, x, batch_size=None, verbose="auto", **options):
        """Captions of pictures as `generate` returns them, or predictions on batches; see `StringModel.predict`."""
        if not self._is_data(x):
            return super().predict(x, batch_size, verbose, **options)
        return np.atleast_1d(np.array(self.generate(x), dtype=np.str_))

    def _of_pictures(self, answer, pictures, errors, **options):
        check_errors_option(errors)
        check_that_it_has_values(pictures, "model.answer(the bytes of files)")
        sources, problems, alone = as_pictures(pictures)
        if errors == "raise":
            for row, problem in enumerate(problems, 1):
                if problem:
                    raise ValueError(f"row {row}: {problem}")
        result = answer(sources, errors=errors, **options)
        if errors == "raise":
            return result[0] if alone else result
        answers, messages = result
        messages = [problem or message for problem, message in zip(problems, messages, strict=True)]
        return (answers[0], messages[0]) if alone else (answers, messages)

    def initial_state(self, source):
        """The states that `step` starts from, of `source`, uint8 `[batch, height, width]`; see `Decoder`."""
        return self.decoder.initial_state(self.encoder(source, training=False))

    def step(self, token, states, beam_size=1):
        """One step of inference; see `Decoder.step`."""
        return self.decoder.step(token, states, beam_size)

    def is_source_token(self, source):
        """All columns, bool `[batch, columns]`; see `AnsweringModel`."""
        return tf.ones([tf.shape(source)[0], self.encoder.output["outputs"].shape[1]], tf.bool)

    # === Training ===

    def _is_data(self, x):
        if isinstance(x, dict):
            return holds_strings(x)
        if isinstance(x, tf.data.Dataset):
            return not (isinstance(x.element_spec, tuple) and isinstance(x.element_spec[0], dict))
        return isinstance(x, list | tuple | str | bytes) or hasattr(x, "shape")

    def _string_data(self, x, y):
        return as_picture_pairs(x, y)


def _columns(width, convolutions):
    """The columns that are left of a picture after so many convolutions."""
    for _, stride in _STRIDES[:convolutions]:
        width = -(-width // stride)
    return width
