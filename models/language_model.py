"""The language model: reads a text and writes on."""

import functools
import numbers

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqzoo.models.base import StringModel
from seqzoo.models.decoding.continuation import allowed_tokens, continue_text, encode_stop, initial_decoding_state
from seqzoo.models.decoding.samplers import Sampler
from seqzoo.models.files.checks import check_limits
from seqzoo.models.layers.dropout import Dropout
from seqzoo.models.layers.initializers import constructor_arguments
from seqzoo.models.layers.recurrent import number_of_states, recurrent_layers
from seqzoo.models.metrics import BitsPerToken, Perplexity
from seqzoo.models.serving.id_functions import language_model_token_functions
from seqzoo.models.serving.string_functions import language_model_functions
from seqzoo.models.strings import as_list, as_tensor, check_errors_option, check_that_it_has_values
from seqzoo.pipelines.row_errors import raise_first_error
from seqzoo.pipelines.text_preprocessor import END_ID, TextPreprocessor
from seqzoo.runtime import check_threads_survive, in_parallel, split_rows

_STREAM_TOKENS = 8
# Minimum prompts per thread that continues a part of a batch.
_MIN_PROMPTS_PER_THREAD = 16

# Tokens of a window that `fit` makes of a text.
_WINDOW = 64


@keras.saving.register_keras_serializable("seqzoo")
class LanguageModel(StringModel):
    """A recurrent language model: the probability of each next token, given all before.

    `Rnnlm` and `BetterRnnlm` of *Deep Learning from Scratch 2*, sections 5.5 and 6.5 (Zaremba et al. 2014,
    https://arxiv.org/abs/1409.2329; Press and Wolf 2017, https://arxiv.org/abs/1608.05859), and `RnnlmGen` of section
    7.1. A functional Keras model on batches of ids, as `TextPreprocessor.windows` makes them; `fit` and `evaluate` also
    take a text (`str`, a list of them, a `tf.data.Dataset`, or its ids), `generate`, `stream` and `predict` take and
    return strings.

    Args:
        preprocessor: `TextPreprocessor`, which holds the vocabulary and is saved with the model.
        embedding_dim: int.
        hidden_dim: int, units of each recurrent layer.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int.
        dropout: float in [0, 1), on each recurrent layer's outputs.
        tie_embeddings: bool. Whether the output layer uses the embedding's weights, transposed, and no bias; needs
            `embedding_dim` equal to `hidden_dim`.
        dtype: dtype policy, such as `"mixed_float16"`; `None` for Keras' global one.

    Call arguments:
        tokens: int32 `[batch, length]`: what is read, from a state of zeros.

    Returns:
        float32 logits of the next tokens, `[batch, length, vocabulary_size]`.

    Raises:
        ValueError: for tied embeddings whose dimensions differ.

    Example:
        >>> text = "you say goodbye and I say hello"
        >>> model = seqzoo.models.LanguageModel.from_text(text, split="whitespace", embedding_dim=16, hidden_dim=32)
        >>> model.compile(keras.optimizers.Adam(0.03))
        >>> history = model.fit(model.preprocessor.windows(text, 8, length=2, steps=100), verbose=0)
        >>> model.generate("I", max_length=1, sampler=seqzoo.models.Greedy())
        'say'
    """

    preprocessor_class = TextPreprocessor
    task = "text"
    default_loss = staticmethod(functools.partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True))
    default_metrics = (BitsPerToken, Perplexity)
    clipnorm = 1.0
    default_batch_size = 32
    has_rows = False

    def __init__(
        self,
        preprocessor,
        embedding_dim=64,
        hidden_dim=256,
        cell="lstm",
        num_layers=1,
        dropout=0.0,
        tie_embeddings=False,
        dtype=None,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        if tie_embeddings and embedding_dim != hidden_dim:
            raise ValueError(
                "tie_embeddings needs embedding_dim equal to hidden_dim. "
                f"Received: embedding_dim={embedding_dim}, hidden_dim={hidden_dim}"
            )
        check_limits(num_layers, [1], unroll=False)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        size = preprocessor.vocabulary.size

        # === Layers ===
        # Tied, the embedding has to start small, so that the logits do; else it learns sooner from a variance of 1.
        if tie_embeddings:
            self.embedding = keras.layers.ReversibleEmbedding(size, embedding_dim, dtype=policy, name="embedding")
        else:
            normal = keras.initializers.RandomNormal(stddev=1.0)
            self.embedding = keras.layers.Embedding(size, embedding_dim, normal, dtype=policy, name="embedding")
        self.recurrent = recurrent_layers(cell, hidden_dim, num_layers, False, "keras", policy)
        self.dropouts = [Dropout(dropout, dtype=policy, name=f"dropout_{i}") for i in range(num_layers)]
        self.dense = None if tie_embeddings else keras.layers.Dense(size, dtype="float32", name="logits")

        # === Functional Model ===
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        super().__init__(inputs=tokens, outputs=self.read(tokens)[0], **kwargs)
        self.dtype_policy = policy  # Keras scales the loss by it.

        # === Config ===
        self.cell = cell
        self.hidden_dim = hidden_dim
        self._set_config(preprocessor, {**config, "dtype": policy.name})

    @classmethod
    def from_text(cls, text, split="characters", unknown=False, lines=False, max_tokens=None, **options):
        """A new model for the vocabulary of a text.

        Args:
            text: what `seqzoo.pipelines.as_text` takes: a `str`, a list of them, or a `tf.data.Dataset`.
            split: `"characters"` or `"whitespace"`, see `Vocabulary`.
            unknown: bool, whether tokens outside the vocabulary are read as an unknown token; see `Vocabulary`.
            lines: bool, whether each line is a text of its own; see `TextPreprocessor`.
            max_tokens: int, the size to which the vocabulary is cut, which needs `unknown`; `None` for no limit.
            **options: the constructor's other arguments.

        Raises:
            ValueError: for a text without any token, or invalid UTF-8.
        """
        check_threads_survive()
        return cls(TextPreprocessor.from_text(text, split, unknown, lines, max_tokens), **options)

    def read(self, tokens, states=None):
        """Reads several tokens at once.

        Args:
            tokens: int32 `[batch, length]`.
            states: as from `initial_state`, or from the part of the text before; `None` for zeros.

        Returns:
            `(logits, states)`: float32 `[batch, length, vocabulary_size]`, and the states after the last token.
        """
        x, last = self.embedding(tokens), []
        states = [None] * len(self.recurrent) if states is None else states
        for layer, drop, layer_states in zip(self.recurrent, self.dropouts, states, strict=True):
            x, layer_states = layer(x, states=layer_states)
            x = drop(x)
            last.append(layer_states)
        return self._logits(x), last

    def initial_state(self, batch_size):
        """The states before a text: a list with one entry a layer, each a list of zeros `[batch_size, hidden_dim]`."""
        return [
            [ops.zeros((batch_size, self.hidden_dim), layer.compute_dtype) for _ in range(number_of_states(self.cell))]
            for layer in self.recurrent
        ]

    def step(self, token, states):
        """Reads one token.

        Args:
            token: int32 `[batch]`.
            states: from `initial_state`, `read`, or the step before.

        Returns:
            `(logits, states)`: float32 `[batch, vocabulary_size]` of the next token, and the new states.
        """
        x, states = self._recur(self.embedding(token), states)
        return self._logits(x), states

    # === Continuations ===

    def generate(self, prompts, max_length=100, sampler=None, seed=0, stop=None, skip=(), *, errors="raise"):
        """Continues prompts.

        Args:
            prompts: `str`, or a sequence of them; `""` begins a text. See `TextPreprocessor`.
            max_length: int, the most tokens to append.
            sampler: `Sampler`; `None` draws by the model's own probabilities.
            seed: int, or one for each prompt. What is drawn for a prompt depends on its seed alone, not on the batch
                (but for near-ties, since sums are rounded by the batch's size): the same prompt twice with one seed
                leads to the same text twice.
            stop: `str`, or `None`. A text is complete once it ends with it.
            skip: tokens that must not be written, an iterable of `str`: the characters of a `str`, say.
            errors: `"raise"`; or `"return"`, to continue every prompt that can be read and to return the errors.

        Returns:
            A list of `str`, the texts without their prompts; one `str` for one. A text also ends, before `max_length`,
            at the end symbol. The start token and the unknown token are never written. With `errors="return"`, a tuple
            of the texts, `""` for wrong prompts, and the errors in the same form, `""` for prompts that are fine.

        Raises:
            ValueError: for a prompt with tokens outside a vocabulary that has no unknown token, for a negative
                `max_length`, an empty `stop` or one that cannot be written, seeds that are not one a prompt.
        """
        check_errors_option(errors)
        check_that_it_has_values(prompts, 'model.serving_functions()["serving_default"][0]')
        alone = isinstance(prompts, str | bytes)
        prompts = [prompts] if alone else as_list(prompts)
        if not prompts:
            return [] if errors == "raise" else ([], [])
        start, messages = self._begin(prompts, max_length, sampler, seed, stop, skip)
        if errors == "raise":
            raise_first_error(messages, None if alone else 1)
        write = self._writer(sampler or Sampler())

        def write_part(rows):
            ids, _ = write(*start(rows), tf.constant(max_length))
            return self.preprocessor.decode(ids).numpy()

        parts = in_parallel(write_part, split_rows(len(prompts), _MIN_PROMPTS_PER_THREAD)) if max_length else []
        texts = [text.decode() for part in parts for text in part] or [""] * len(prompts)
        messages = [message.decode() for message in messages.numpy()]
        texts = ["" if message else text for text, message in zip(texts, messages, strict=True)]
        if alone:
            texts, messages = texts[0], messages[0]
        return texts if errors == "raise" else (texts, messages)

    def stream(self, prompt, max_length=100, sampler=None, seed=0, stop=None, skip=()):
        """`generate` for one prompt, as an iterator over pieces of the text while it is written."""
        start, messages = self._begin([prompt], max_length, sampler, seed, stop, skip)
        raise_first_error(messages, None)
        (state, rules), write = start(slice(1)), self._writer(sampler or Sampler())
        separator = self.preprocessor.vocabulary.separator

        def pieces(state):
            for position in range(0, max_length, _STREAM_TOKENS):
                count = min(_STREAM_TOKENS, max_length - position)
                ids, state = write(state, rules, tf.constant(count))
                text = self.preprocessor.decode(ids)[0].numpy().decode()
                yield separator + text if position and text else text
                if state["ended"][0]:
                    return

        return pieces(state)

    def _begin(self, prompts, max_length, sampler, seed, stop, skip):
        """`(start, errors)`: a function that reads a slice of the prompts, and the error of each prompt.

        `start` returns the state and the rules that `continue_text` takes.
        """
        self._forget_stale_graphs()
        if max_length < 0:
            raise ValueError(f"max_length must not be negative. Received: max_length={max_length}")
        if not isinstance(sampler, Sampler | None):
            raise ValueError(f"sampler must be a Sampler. Received: {sampler!r}")
        ids, lengths, errors = self.preprocessor.encode_prompts(as_tensor(prompts, "Prompts"))
        seeds = [seed] * len(prompts) if isinstance(seed, numbers.Integral) else list(seed)
        if len(seeds) != len(prompts):
            raise ValueError(f"There must be one seed, or one a prompt ({len(prompts)}). Received: {len(seeds)}")
        stop_ids = encode_stop(self.preprocessor.vocabulary, stop)
        seeds, allowed = tf.constant(seeds, tf.int64), allowed_tokens(self.preprocessor.vocabulary, skip)

        def start(rows):
            state = self.read_prompts(ids[rows], lengths[rows], len(stop_ids))
            return state, {"seeds": seeds[rows], "allowed": allowed, "stop": tf.constant(stop_ids, tf.int32)}

        return start, errors

    def read_prompts(self, ids, lengths, stop_length=0):
        """Reads prompts; the same in Python and in an exported graph.

        Args:
            ids: int32 `[batch, length]`, as `preprocessor.encode_prompts` returns them.
            lengths: int32 `[batch]`, as it returns them too.
            stop_length: int, tokens of the stop string.

        Returns:
            The state that `continue_text` starts from, a dictionary.
        """
        return initial_decoding_state(*self._read_prompts(ids, lengths), stop_length)

    @functools.cached_property
    def _read_prompts(self):
        """Compiled: `(last token, states before it)` of prompts `[batch, length]` with their lengths `[batch]`."""

        def read_prompts(ids, lengths):
            def step(at, states):
                _, new_states = self._recur(self.embedding(ids[:, at]), states)
                reading = (at < lengths - 1)[:, None]
                return at + 1, tf.nest.map_structure(lambda new, old: tf.where(reading, new, old), new_states, states)

            start = (0, self.initial_state(tf.shape(ids)[0]))
            _, states = tf.while_loop(lambda at, _: at + 1 < tf.reduce_max(lengths), step, start)
            return tf.gather(ids, lengths - 1, batch_dims=1), states

        return tf.function(read_prompts, autograph=False, reduce_retracing=True)

    @functools.cached_property
    def _compiled_step(self):
        """`step` as one XLA program: for 64 texts at once 1.4 times as fast as its operations one by one."""
        return tf.function(self.step, autograph=False, jit_compile=True, reduce_retracing=True)

    @functools.cached_property
    def _writer(self):
        """`continue_text` compiled for a sampler: `_writer(sampler)(state, rules, count)`; keeps the last samplers."""

        def compile_for(sampler):
            def write(state, rules, count):
                return continue_text(self._compiled_step, state, rules, count, sampler)

            return tf.function(write, autograph=False, reduce_retracing=True)

        return functools.lru_cache(maxsize=16)(compile_for)

    def _recur(self, x, states):
        """One step of all recurrent layers: the last one's output, and the new states."""
        new_states = []
        for layer, layer_states in zip(self.recurrent, states, strict=True):
            x, layer_states = layer.step(layer.project(x), layer_states)
            new_states.append(layer_states)
        return x, new_states

    def _logits(self, x):
        return self.dense(x) if self.dense else ops.cast(self.embedding(x, reverse=True), "float32")

    # === Training and exports ===

    serving_functions = language_model_functions
    token_functions = language_model_token_functions

    def _is_data(self, x):
        return (isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype.kind in "iu") or super()._is_data(x)  # Ids.

    def _string_data(self, x, y):
        if y is not None:
            raise ValueError("A text has no targets: fit and evaluate take it alone. Received: y")
        ids = self.preprocessor.encode(x)
        if not (ids != END_ID).any():
            raise ValueError("There is no text. Received an empty text")
        return ids

    def _training_batches(self, data, batch_size, seed, epoch, weights):
        length = min(_WINDOW, len(data))
        if seed is None:
            return self.preprocessor.consecutive(data, batch_size, length)
        return self.preprocessor.windows(data, batch_size, length, seed, epoch=epoch)

    def _validation_batches(self, data, batch_size, weights):
        batch_size = self.default_batch_size if batch_size is None else batch_size
        return self.preprocessor.consecutive(data, batch_size, min(_WINDOW, len(data)))
