"""Sequence to sequence: an encoder, a decoder and the preprocessor that belongs to them, strings to strings."""

import functools
import itertools

import keras
import tensorflow as tf

from seqzoo.models.decoder import Decoder, PeekyDecoder
from seqzoo.models.encoder import Encoder
from seqzoo.models.execution import compiled_for_python, in_parallel, shared_out, unrolls
from seqzoo.models.from_preset import FromPreset
from seqzoo.pipelines.pair_preprocessor import raise_first_error
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

# A part of a batch that a processor of its own answers has at least so many rows.
_FEWEST_ROWS = 64

# A vocabulary of up to so many tokens is read faster by looking up what follows from each.
_LARGEST_TABLE = 256

# Up to so many steps of an answer are cheaper to take than to ask, before each, whether all answers have ended.
_UNASKED_STEPS = 8


@keras.saving.register_keras_serializable("seqzoo")
class Seq2Seq(FromPreset, keras.Model):
    """A recurrent encoder and decoder that learn to answer strings with strings.

    `Seq2seq` of *Deep Learning from Scratch 2*, section 7.3.3 (Sutskever et al. 2014,
    https://arxiv.org/abs/1409.3215). A functional Keras model on id batches for `fit` and `evaluate`, as
    `PairPreprocessor.batches` makes them; `generate` takes and gives strings.

    Args:
        preprocessor: `PairPreprocessor`; it gives the vocabulary and the lengths, and is saved with the model.
        embedding_dim: int.
        hidden_dim: int, units of each recurrent layer.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int, recurrent layers in the encoder and again in the decoder.
        dropout: float in [0, 1), on embedded tokens and on the layers' outputs.
        pass_cell_state: bool. Whether the decoder gets an LSTM's cell state beside its hidden state. The book hands
            over the hidden state only.
        unroll: bool, or `None` to unroll short sequences where there is no GPU.
        initializer: `"keras"` for the stock layers' own, `"book"` for the chapter's; see `initializer_options`.
        dtype: dtype policy, such as `"mixed_float16"`; `None` for Keras' global one.

    Call arguments:
        inputs: dictionary of `source`, int32 `[batch, source_length]`, and `target`, int32 `[batch, target_length]`:
            the start token and the answer but its last token (teacher forcing).

    Returns:
        float32 logits, `[batch, target_length, vocabulary_size]`.

    Example:
        >>> train, test = seqzoo.pipelines.load_addition(digits=3, split=["train", "test"])
        >>> preprocessor = seqzoo.pipelines.PairPreprocessor.from_pairs(train)
        >>> model = seqzoo.models.Seq2Seq(preprocessor, embedding_dim=16, hidden_dim=128)
        >>> model.count_params()
        150573
    """

    decoder_class = Decoder

    def __init__(
        self,
        preprocessor,
        embedding_dim=16,
        hidden_dim=128,
        cell="lstm",
        num_layers=1,
        dropout=0.0,
        pass_cell_state=True,
        unroll=None,
        initializer="keras",
        dtype=None,
        **kwargs,
    ):
        source_length, target_length = preprocessor.source_length, preprocessor.target_length
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        shared = {
            "vocabulary_size": preprocessor.vocabulary.size,
            "embedding_dim": embedding_dim,
            "hidden_dim": hidden_dim,
            "cell": cell,
            "num_layers": num_layers,
            "dropout": dropout,
            "unroll": unrolls(source_length, target_length) if unroll is None else unroll,
            "initializer": initializer,
            "dtype": policy.name,
        }

        # === Layers ===
        self.encoder = Encoder(**shared, length=source_length, pass_cell_state=pass_cell_state, name="encoder")
        self.decoder = self.decoder_class(**shared, length=target_length, name="decoder")

        # === Functional Model ===
        source = keras.Input((source_length,), dtype="int32", name="source")
        target = keras.Input((target_length,), dtype="int32", name="target")
        logits = self.decoder({"target": target, **self.encoder(source)})
        super().__init__(inputs={"source": source, "target": target}, outputs=logits, **kwargs)
        self.dtype_policy = policy  # Keras scales the loss by it.

        # === Config ===
        self.preprocessor = preprocessor
        self._reads = shared["unroll"] and preprocessor.vocabulary.size <= _LARGEST_TABLE
        self._config = {
            "embedding_dim": embedding_dim,
            "hidden_dim": hidden_dim,
            "cell": cell,
            "num_layers": num_layers,
            "dropout": dropout,
            "pass_cell_state": pass_cell_state,
            "unroll": unroll,
            "initializer": initializer,
            "dtype": policy.name,
        }

    def generate(self, strings, batch_size=1024):
        """Answers strings, greedily: the most probable token at each step.

        Args:
            strings: `str`, or a sequence or string tensor of them.
            batch_size: int, how many are answered at a time.

        Returns:
            A list of `str`; one `str` for one.

        Raises:
            ValueError: naming the first string that is empty, too long, or has a token outside the vocabulary; or for
                anything but strings.
        """
        if isinstance(strings, tf.Tensor | tf.Variable):
            strings = strings.numpy()
        if isinstance(strings, str | bytes):
            return next(self.generate_each([strings], batch_size))
        return list(self.generate_each(strings, batch_size))

    def generate_each(self, strings, batch_size=1024):
        """`generate` for any iterable of strings, however long: an iterator of the answers.

        A batch is shared out between the processors, which answer its parts at the same time: its matrices are too
        small to be shared out well. A few parts are read ahead, so that a long input is never held as a whole.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: batch_size={batch_size}")
        strings = iter(strings)
        batches = iter(lambda: list(itertools.islice(strings, batch_size)), [])
        return self._texts(batch[part] for batch in batches for part in shared_out(len(batch), _FEWEST_ROWS))

    def _texts(self, parts):
        answer_part, first_row = self._answer_part, 1

        def answer(part):
            strings = _as_tensor(part)
            return strings, *answer_part(strings)

        for strings, texts, wrong in in_parallel(answer, parts):
            if wrong:
                raise_first_error(self.preprocessor.encode_sources(strings)[1], first_row)
            texts = texts.numpy().tolist()
            first_row += len(texts)
            yield from (text.decode() for text in texts)

    @functools.cached_property
    def _answer_part(self):
        """`answer` for calls from Python: the answers, and whether any source is wrong."""

        def answer(strings):
            source, wrong = self.preprocessor.source_ids(strings)
            ids, _ = self.decode_greedily(source)
            return self.preprocessor.decode(ids), tf.reduce_any(wrong)

        return compiled_for_python(answer, [tf.TensorSpec([None], tf.string)])

    @functools.cached_property
    def answer(self):
        """`generate` as one compiled graph, for use in other graphs.

        Maps string `[batch]` to `(answers, log_probabilities, errors)`: string `[batch]`, float32 `[batch]` in nats,
        and string `[batch]`, `""` where the source is fine; else the answer is `""` and the log-probability 0.
        """
        signature = [tf.TensorSpec([None], tf.string)]
        return tf.function(self._answer_strings, input_signature=signature, autograph=False)

    def decode_greedily(self, source):
        """The most probable token at each step.

        Args:
            source: int32 `[batch, source_length]`, as `preprocessor.encode_sources` gives it.

        Returns:
            `(ids, log_probability)`: int32 `[batch, target_length]`, 0 from the answer's end on, and float32 `[batch]`,
            the natural logarithm of the answer's probability, its end included.
        """
        states = self.encoder.read(source) if self._reads else self.encoder(source, training=False)["states"]
        states = self.decoder.initial_state(states)
        batch, length = tf.shape(source)[0], self.preprocessor.target_length

        def step(token, ended, states, log_probability):
            logits, states = self.decoder.step(token, states)
            token = tf.where(ended, PADDING_ID, tf.argmax(logits, axis=-1, output_type=tf.int32))
            chosen = tf.reduce_max(tf.nn.log_softmax(logits), axis=-1)
            return token, ended | (token == PADDING_ID), states, log_probability + tf.where(ended, 0.0, chosen)

        state = (tf.fill([batch], START_ID), tf.fill([batch], False), states, tf.zeros([batch]))
        if length <= _UNASKED_STEPS:
            ids = []
            for _ in range(length):
                state = step(*state)
                ids.append(state[0])
            return tf.stack(ids, axis=1), state[-1]

        def unfinished(position, ids, token, ended, *_):
            return (position < length) & ~tf.reduce_all(ended)

        def write(position, ids, *state):
            state = step(*state)
            return position + 1, ids.write(position, state[0]), *state

        ids = tf.TensorArray(tf.int32, size=length, element_shape=[None])
        ids = ids.unstack(tf.fill([length, batch], PADDING_ID))
        _, ids, *state = tf.while_loop(unfinished, write, (0, ids, *state))
        return tf.transpose(ids.stack()), state[-1]

    def _answer_strings(self, strings):
        source, errors = self.preprocessor.encode_sources(strings)
        ids, log_probability = self.decode_greedily(source)
        fine = errors == ""
        return tf.where(fine, self.preprocessor.decode(ids), ""), tf.where(fine, log_probability, 0.0), errors

    def get_config(self):
        """The constructor's arguments, the preprocessor serialised."""
        preprocessor = keras.saving.serialize_keras_object(self.preprocessor)
        return {"preprocessor": preprocessor, **self._config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `get_config` described, with new weights."""
        preprocessor = keras.saving.deserialize_keras_object(config["preprocessor"], custom_objects)
        return cls(**{**config, "preprocessor": preprocessor})


@keras.saving.register_keras_serializable("seqzoo")
class PeekySeq2Seq(Seq2Seq):
    """`Seq2Seq` with a `PeekyDecoder`: every step of the decoder sees the encoder's last hidden state.

    `PeekySeq2seq` of *Deep Learning from Scratch 2*, section 7.4.2. Arguments and methods are `Seq2Seq`'s.
    """

    decoder_class = PeekyDecoder


def _as_tensor(strings):
    """A list of strings as a string tensor, `[batch]`."""
    if not all(isinstance(string, str | bytes) for string in strings):
        wrong = next(string for string in strings if not isinstance(string, str | bytes))
        raise ValueError(f"Sources must be strings. Received: {wrong!r}")
    return tf.constant(strings, tf.string)
