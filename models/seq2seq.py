"""Sequence to sequence: an encoder, a decoder and the preprocessor that belongs to them, strings to strings."""

import functools
import itertools

import keras
import tensorflow as tf

from seqzoo.models.base import StringModel
from seqzoo.models.decoders import Decoder, PeekyDecoder
from seqzoo.models.decoding.greedy import decode_greedily
from seqzoo.models.encoders import Encoder
from seqzoo.models.layers.initializers import constructor_arguments
from seqzoo.models.losses import SequenceCrossentropy
from seqzoo.models.metrics import ExactMatch
from seqzoo.models.serving import seq2seq_functions, seq2seq_token_functions
from seqzoo.models.strings import as_tensor, check_errors_option, string_pairs
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.row_errors import raise_first_error
from seqzoo.runtime import compiled_for_python, in_parallel, split_rows, unrolls

# Minimum rows per thread that answers a part of a batch.
_MIN_ROWS_PER_THREAD = 64

# A vocabulary of up to so many tokens is read faster by looking up what follows from each.
_MAX_TABLE_TOKENS = 256

_VALIDATION_BATCH = 1000


@keras.saving.register_keras_serializable("seqzoo")
class Seq2Seq(StringModel):
    """A recurrent encoder and decoder that learn to answer strings with strings.

    `Seq2seq` of *Deep Learning from Scratch 2*, section 7.3.3 (Sutskever et al. 2014,
    https://arxiv.org/abs/1409.3215). A functional Keras model on batches of ids, as `PairPreprocessor.batches` makes
    them; `fit` and `evaluate` also take pairs of strings (a list of tuples, a `tf.data.Dataset`, two lists, a
    dictionary of `source` and `target`), `generate` and `predict` take and return strings.

    Args:
        preprocessor: `PairPreprocessor`, which holds the vocabulary and the lengths and is saved with the model.
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
        >>> model = seqzoo.models.Seq2Seq.from_pairs(train, embedding_dim=16, hidden_dim=128)
        >>> model.count_params()
        150573
    """

    preprocessor_class = PairPreprocessor
    task = "pairs"
    default_loss = SequenceCrossentropy
    default_metrics = (ExactMatch,)
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
        config = constructor_arguments(locals())
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        config["dtype"] = policy.name
        source_length, target_length = preprocessor.source_length, preprocessor.target_length
        unroll = unrolls(source_length, target_length) if unroll is None else unroll
        shared = {**config, "vocabulary_size": preprocessor.vocabulary.size, "unroll": unroll}
        del shared["pass_cell_state"]  # Only the encoder hands states over.

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
        self._reads_tables = unroll and preprocessor.vocabulary.size <= _MAX_TABLE_TOKENS
        self._set_config(preprocessor, config)

    @classmethod
    def from_pairs(cls, pairs, reverse=False, split="characters", unknown=False, **options):
        """A new model for the vocabulary and the lengths of pairs.

        Args:
            pairs: what `seqzoo.pipelines.as_pairs` takes: a list of `(source, target)` strings, or a `tf.data.Dataset`.
            reverse: bool, whether to reverse the padded sources; see `PairPreprocessor`.
            split: `"characters"` or `"whitespace"`, see `Vocabulary`.
            unknown: bool, whether tokens outside the vocabulary are read as an unknown token; see `Vocabulary`.
            **options: the constructor's other arguments.

        Raises:
            ValueError: without any pair, for an empty side or invalid UTF-8.
        """
        return cls(PairPreprocessor.from_pairs(pairs, reverse, split, unknown), **options)

    # === Answers ===

    def generate(self, strings, batch_size=1024, *, errors="raise"):
        """Answers strings, greedily: the most probable token at each step.

        Args:
            strings: `str`, or a sequence or string tensor of them.
            batch_size: int, how many are answered at a time.
            errors: `"raise"`; or `"return"`, to answer every row that can be answered and to return the errors.

        Returns:
            A list of `str`; one `str` for one. With `errors="return"`, a tuple of the answers, `""` for wrong rows, and
            the errors in the same form, `""` for rows that are fine.

        Raises:
            ValueError: naming the first string that is empty, too long, or has a token outside the vocabulary; or for
                anything but strings.
        """
        check_errors_option(errors)
        if isinstance(strings, tf.Tensor | tf.Variable):
            strings = strings.numpy()
        alone = isinstance(strings, str | bytes)
        rows = list(self._rows([strings] if alone else strings, batch_size, errors))
        answers, messages = [answer for answer, _ in rows], [message for _, message in rows]
        if alone:
            answers, messages = answers[0], messages[0]
        return answers if errors == "raise" else (answers, messages)

    def generate_each(self, strings, batch_size=1024):
        """`generate` for any iterable of strings, however long: an iterator of the answers.

        The processors share a batch out and answer its parts at the same time: its matrices are too small to be shared
        out well. A few parts are read ahead, so that a long input is never held as a whole.
        """
        return (answer for answer, _ in self._rows(strings, batch_size, "raise"))

    def _rows(self, strings, batch_size, errors):
        """`(answer, error)` of each string."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: batch_size={batch_size}")
        strings = iter(strings)
        batches = iter(lambda: list(itertools.islice(strings, batch_size)), [])
        parts = (batch[part] for batch in batches for part in split_rows(len(batch), _MIN_ROWS_PER_THREAD))
        return self._answer_parts(parts, errors)

    def _answer_parts(self, parts, errors):
        answer_part, first_row = self._answer_part, 1

        def answer(part):
            strings = as_tensor(part, "Sources")
            return strings, *answer_part(strings)

        for strings, texts, any_wrong in in_parallel(answer, parts):
            texts = texts.numpy().tolist()
            messages = itertools.repeat(b"", len(texts))
            if any_wrong:
                messages = self.preprocessor.encode_sources(strings)[1]
                if errors == "raise":
                    raise_first_error(messages, first_row)
                messages = messages.numpy().tolist()
            first_row += len(texts)
            for text, message in zip(texts, messages, strict=True):
                yield "" if message else text.decode(), message.decode()

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
            source: int32 `[batch, source_length]`, as `preprocessor.encode_sources` returns it.

        Returns:
            As `seqzoo.models.decoding.greedy.decode_greedily`.
        """
        states = self.encoder.read(source) if self._reads_tables else self.encoder(source, training=False)["states"]
        states = self.decoder.initial_state(states)
        return decode_greedily(self.decoder.step, states, tf.shape(source)[0], self.preprocessor.target_length)

    def _answer_strings(self, strings):
        source, errors = self.preprocessor.encode_sources(strings)
        ids, log_probability = self.decode_greedily(source)
        fine = errors == ""
        return tf.where(fine, self.preprocessor.decode(ids), ""), tf.where(fine, log_probability, 0.0), errors

    # === Training ===

    serving_functions = seq2seq_functions
    token_functions = seq2seq_token_functions

    def _string_data(self, x, y):
        return string_pairs(x, y)

    def _training_batches(self, data, batch_size, seed, epoch):
        return self.preprocessor.batches(data, batch_size, shuffle_seed=seed, epoch=epoch)

    def _validation_batches(self, data, batch_size):
        return self.preprocessor.batches(data, _VALIDATION_BATCH if batch_size is None else batch_size)


@keras.saving.register_keras_serializable("seqzoo")
class PeekySeq2Seq(Seq2Seq):
    """`Seq2Seq` with a `PeekyDecoder`: every step of the decoder sees the encoder's last hidden state.

    `PeekySeq2seq` of *Deep Learning from Scratch 2*, section 7.4.2. Arguments and methods are `Seq2Seq`'s.
    """

    decoder_class = PeekyDecoder
