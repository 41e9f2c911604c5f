"""The language model: reads a text and writes on."""

import functools
import numbers

import keras
import tensorflow as tf
from keras import ops

from seqzoo.models.execution import in_parallel, shared_out
from seqzoo.models.from_preset import FromPreset
from seqzoo.models.recurrent import number_of_states, recurrent_layers
from seqzoo.models.samplers import Sampler, uniform_numbers
from seqzoo.pipelines.pair_preprocessor import raise_first_error
from seqzoo.pipelines.text_preprocessor import END_ID
from seqzoo.pipelines.vocabulary import PADDING_ID

_STREAM_TOKENS = 8

# A part of the prompts that a processor of its own writes on from has at least so many.
_FEWEST_PROMPTS = 16


@keras.saving.register_keras_serializable("seqzoo")
class LanguageModel(FromPreset, keras.Model):
    """A recurrent language model: the probability of each next token, given all before.

    `Rnnlm` and `BetterRnnlm` of *Deep Learning from Scratch 2*, sections 5.5 and 6.5 (Zaremba et al. 2014,
    https://arxiv.org/abs/1409.2329; Press and Wolf 2017, https://arxiv.org/abs/1608.05859), and `RnnlmGen` of section
    7.1. A functional Keras model on id batches for `fit`, as `TextPreprocessor.windows` makes them; `generate` and
    `stream` take and give strings.

    Args:
        preprocessor: `TextPreprocessor`; it gives the vocabulary, and is saved with the model.
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
        >>> text = ["you say goodbye and I say hello"]
        >>> preprocessor = seqzoo.pipelines.TextPreprocessor.from_text(text, split="whitespace")
        >>> model = seqzoo.models.LanguageModel(preprocessor, embedding_dim=16, hidden_dim=32)
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile(keras.optimizers.Adam(0.03), loss)
        >>> history = model.fit(preprocessor.windows(text, 8, length=2, steps=100), verbose=0)
        >>> model.generate("I", max_length=1, sampler=seqzoo.models.Greedy())
        'say'
    """

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
        if tie_embeddings and embedding_dim != hidden_dim:
            raise ValueError(
                "tie_embeddings needs embedding_dim equal to hidden_dim. "
                f"Received: embedding_dim={embedding_dim}, hidden_dim={hidden_dim}"
            )
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
        self.dropouts = [keras.layers.Dropout(dropout, dtype=policy, name=f"dropout_{i}") for i in range(num_layers)]
        self.dense = None if tie_embeddings else keras.layers.Dense(size, dtype="float32", name="logits")

        # === Functional Model ===
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        super().__init__(inputs=tokens, outputs=self.read(tokens)[0], **kwargs)

        # === Config ===
        self.preprocessor = preprocessor
        self.cell = cell
        self.hidden_dim = hidden_dim
        self._config = {
            "embedding_dim": embedding_dim,
            "hidden_dim": hidden_dim,
            "cell": cell,
            "num_layers": num_layers,
            "dropout": dropout,
            "tie_embeddings": tie_embeddings,
            "dtype": policy.name,
        }

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

    def generate(self, prompts, max_length=100, sampler=None, seed=0, stop=None, skip=()):
        """Writes on from prompts.

        Args:
            prompts: `str`, or a sequence of them; `""` begins a text. See `TextPreprocessor`.
            max_length: int, the most tokens to write.
            sampler: `Sampler`; `None` draws by the model's own probabilities.
            seed: int, or one for each prompt. What is drawn for a prompt depends on its seed alone, not on the batch
                (but for near-ties, since sums are rounded by the batch's size): the same prompt twice with one seed
                gives the same text twice.
            stop: `str`, or `None`. A text is complete once it ends with it.
            skip: tokens that must not be written, an iterable of `str`: the characters of a `str`, say.

        Returns:
            A list of `str`, the texts without their prompts; one `str` for one. A text also ends, before
            `max_length`, at the end symbol. The start token and the unknown token are never written.

        Raises:
            ValueError: for a prompt with tokens outside a vocabulary that has no unknown token, for a negative
                `max_length`, an empty `stop` or one that cannot be written, seeds that are not one a prompt.
        """
        alone = isinstance(prompts, str | bytes)
        prompts = [prompts] if alone else list(prompts)
        if not prompts:
            return []
        start = self._begin(prompts, max_length, sampler, seed, stop, skip, first_row=None if alone else 1)
        if max_length == 0:
            return "" if alone else [""] * len(prompts)
        write = self._writer(sampler or Sampler())

        def write_part(rows):
            ids, _ = write(*start(rows), tf.constant(max_length))
            return self.preprocessor.decode(ids).numpy()

        parts = in_parallel(write_part, shared_out(len(prompts), _FEWEST_PROMPTS))
        texts = [text.decode() for part in parts for text in part]
        return texts[0] if alone else texts

    def stream(self, prompt, max_length=100, sampler=None, seed=0, stop=None, skip=()):
        """`generate` for one prompt, as an iterator over pieces of the text while it is written."""
        state, rules = self._begin([prompt], max_length, sampler, seed, stop, skip, first_row=None)(slice(1))
        words = self.preprocessor.vocabulary.split == "whitespace"
        write = self._writer(sampler or Sampler())

        def pieces(state):
            for position in range(0, max_length, _STREAM_TOKENS):
                count = min(_STREAM_TOKENS, max_length - position)
                ids, state = write(state, rules, tf.constant(count))
                text = self.preprocessor.decode(ids)[0].numpy().decode()
                yield " " + text if words and position and text else text
                if state["ended"][0]:
                    return

        return pieces(state)

    def _begin(self, prompts, max_length, sampler, seed, stop, skip, first_row):
        """A function that reads some of the prompts: from a slice of rows to the state and rules of writing on."""
        if max_length < 0:
            raise ValueError(f"max_length must not be negative. Received: max_length={max_length}")
        if not isinstance(sampler, Sampler | None):
            raise ValueError(f"sampler must be a Sampler. Received: {sampler!r}")
        ids, lengths, errors = self.preprocessor.encode_prompts(prompts)
        raise_first_error(errors, first_row)
        seeds = [seed] * len(prompts) if isinstance(seed, numbers.Integral) else list(seed)
        if len(seeds) != len(prompts):
            raise ValueError(f"There must be one seed, or one a prompt ({len(prompts)}). Received: {len(seeds)}")
        stop_ids = self._stop_ids(stop)
        seeds, allowed = tf.constant(seeds, tf.int64), self.allowed(skip)

        def start(rows):
            state = self.read_prompts(ids[rows], lengths[rows], len(stop_ids))
            return state, {"seeds": seeds[rows], "allowed": allowed, "stop": tf.constant(stop_ids, tf.int32)}

        return start

    def read_prompts(self, ids, lengths, stop_length=0):
        """Reads prompts; the same in Python and in an exported graph.

        Args:
            ids: int32 `[batch, length]`, as `preprocessor.encode_prompts` gives them.
            lengths: int32 `[batch]`, likewise.
            stop_length: int, tokens of the stop string.

        Returns:
            The state of writing that `write` goes on from, a dictionary.
        """
        token, states = self._read_prompts(ids, lengths)
        batch = tf.size(lengths)
        return {
            "token": token,
            "states": states,
            "position": tf.constant(0),
            "ended": tf.fill([batch], False),
            "recent": tf.fill([batch, stop_length], -1),
        }

    def write(self, state, rules, count, sampler, step=None):
        """Writes up to `count` tokens in one loop; the same in Python and in an exported graph.

        Args:
            state: from `read_prompts`, or from the call before.
            rules: dictionary of `seeds`, int64 `[batch]`; `allowed`, bool `[vocabulary_size]`; and `stop`, int32
                `[length]`, the ids of the stop string, if any.
            count: int32 scalar.
            sampler: `Sampler`.
            step: what reads a token, `step` unless given.

        Returns:
            `(ids, state)`: int32 `[batch, count]`, 0 after an end; and the state to go on from.
        """
        step = step or self.step
        uniform = uniform_numbers(rules["seeds"], state["position"], count)
        batch = tf.size(state["token"])
        has_stop = tf.size(rules["stop"]) > 0

        def unfinished(at, token, states, ended, recent, ids):
            return (at < count) & ~tf.reduce_all(ended)

        def write_one(at, token, states, ended, recent, ids):
            logits, states = step(token, states)
            logits = tf.where(rules["allowed"], logits, -float("inf"))
            token = tf.where(ended, PADDING_ID, sampler(logits, uniform[:, at]))
            ended |= token == END_ID
            recent = tf.concat([recent, token[:, None]], axis=1)[:, 1:]
            ended |= has_stop & tf.reduce_all(recent == rules["stop"], axis=1)
            return at + 1, token, states, ended, recent, ids.write(at, token)

        ids = tf.TensorArray(tf.int32, size=count, element_shape=[None])
        ids = ids.unstack(tf.fill([count, batch], PADDING_ID))
        start = (0, state["token"], state["states"], state["ended"], state["recent"], ids)
        at, token, states, ended, recent, ids = tf.while_loop(unfinished, write_one, start)
        state = {
            "token": token,
            "states": states,
            "position": state["position"] + at,
            "ended": ended,
            "recent": recent,
        }
        return tf.transpose(ids.stack()), state

    def _stop_ids(self, stop):
        if stop is None:
            return []
        ids = self.preprocessor.vocabulary.lookup([stop]).flat_values.numpy().tolist()
        if not ids or self.preprocessor.vocabulary.unknown_id in ids:
            raise ValueError(f"stop must be text of tokens that the model can write. Received: stop={stop!r}")
        return ids

    def allowed(self, skip=()):
        """Which tokens may be written, bool `[vocabulary_size]`: all listed ones but `skip`, and the end symbol."""
        vocabulary = self.preprocessor.vocabulary
        skip = set(skip)
        if unlisted := sorted(skip - set(vocabulary.tokens)):
            raise ValueError(f"skip has the token {unlisted[0]!r}, which is not in the vocabulary")
        first = vocabulary.size - len(vocabulary.tokens)
        allowed = [index == END_ID for index in range(first)]
        allowed += [token not in skip for token in vocabulary.tokens]
        if not any(allowed[first:]):
            raise ValueError("skip leaves no token to write. Received: the whole vocabulary")
        return tf.constant(allowed)

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
        """`write` compiled for a sampler: `_writer(sampler)(state, rules, count)`; it remembers the last samplers."""

        def compile_for(sampler):
            def write(state, rules, count):
                return self.write(state, rules, count, sampler, self._compiled_step)

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
        if self.dense is not None:
            return self.dense(x)
        return ops.cast(self.embedding(x, reverse=True), "float32")

    def get_config(self):
        """The constructor's arguments, the preprocessor serialised."""
        preprocessor = keras.saving.serialize_keras_object(self.preprocessor)
        return {"preprocessor": preprocessor, **self._config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `get_config` described, with new weights."""
        preprocessor = keras.saving.deserialize_keras_object(config["preprocessor"], custom_objects)
        return cls(**{**config, "preprocessor": preprocessor})
