"""Sequence to sequence: an encoder, a decoder and the preprocessor that belongs to them, strings to strings."""

import keras

from seqzoo.models.answers import AnsweringModel
from seqzoo.models.decoders import AttentionDecoder, Decoder, PeekyDecoder
from seqzoo.models.encoders import Encoder
from seqzoo.models.files.checks import check_limits
from seqzoo.models.layers.initializers import constructor_arguments
from seqzoo.models.serving.id_functions import seq2seq_token_functions
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.runtime import check_threads_survive, unrolls

# A vocabulary of up to so many tokens is read faster by looking up what follows from each.
_MAX_TABLE_TOKENS = 256


@keras.saving.register_keras_serializable("seqzoo")
class Seq2Seq(AnsweringModel):
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
        unroll: bool, or `None` to unroll short sequences where there is no GPU, but not with attention.
        initializer: `"keras"` for the stock layers' own, `"book"` for the chapter's; see `initializer_options`.
        dtype: dtype policy, such as `"mixed_float16"`; `None` for Keras' global one.
        bidirectional: bool, whether the encoder reads sources in both directions, and skips their padding.

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
        bidirectional=False,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        check_limits(num_layers, [preprocessor.source_length, preprocessor.target_length], unroll)
        if preprocessor.copy_unknown and not self.attends:
            raise ValueError(
                "copy_unknown=True needs a model with attention, such as AttentionSeq2Seq. "
                f"Received: {type(self).__name__}"
            )
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        config["dtype"] = policy.name
        source_length, target_length = preprocessor.source_length, preprocessor.target_length
        sources, targets = preprocessor.source_vocabulary.size, preprocessor.target_vocabulary.size
        is_short = unrolls(source_length)
        if unroll is None:
            unroll = not self.attends and unrolls(source_length, target_length)
        if self.attends and not unroll:  # It skips padding, and takes what is padded to any length.
            source_length = target_length = None
        shared = {**config, "unroll": unroll}
        for name in ("pass_cell_state", "bidirectional"):  # Of the encoder alone.
            del shared[name]

        # === Layers ===
        self.encoder = Encoder(
            sources,
            **shared,
            length=source_length,
            pass_cell_state=pass_cell_state,
            bidirectional=bidirectional,
            return_sequences=self.attends,
            name="encoder",
        )
        memory = {"memory_dim": self.encoder.output_dim, "memory_length": source_length} if self.attends else {}
        self.decoder = self.decoder_class(targets, **shared, **memory, length=target_length, name="decoder")

        # === Functional Model ===
        source = keras.Input((source_length,), dtype="int32", name="source")
        target = keras.Input((target_length,), dtype="int32", name="target")
        logits = self.decoder({"target": target, **self.encoder(source)})
        super().__init__(inputs={"source": source, "target": target}, outputs=logits, **kwargs)
        self.dtype_policy = policy  # Keras scales the loss by it.

        # === Config ===
        if source_length is not None:
            self.buckets = 1
        self._reads_tables = (is_short or self.encoder.skips_padding) and sources <= _MAX_TABLE_TOKENS
        self._set_config(preprocessor, config)

    @classmethod
    def from_pairs(
        cls,
        pairs,
        reverse=False,
        source_split="characters",
        target_split="characters",
        unknown=False,
        lower_case=False,
        normal_form=None,
        shared=None,
        max_tokens=None,
        copy_unknown=False,
        **options,
    ):
        """A new model for the vocabularies and the lengths of pairs.

        Args:
            pairs: what `seqzoo.pipelines.as_pairs` takes: a list of `(source, target)` strings, or a `tf.data.Dataset`.
            reverse: bool, whether to reverse the padded sources; see `PairPreprocessor`.
            source_split: `"characters"`, `"whitespace"` or `"words"`, see `Vocabulary`.
            target_split: likewise.
            unknown: bool, whether tokens of sources outside their vocabulary are read as an unknown token.
            lower_case: bool, see `PairPreprocessor.from_pairs`.
            normal_form: `"NFC"`, `"NFD"`, `"NFKC"`, `"NFKD"` or `None`, see `PairPreprocessor.from_pairs`.
            shared: bool or `None`, whether both sides have one vocabulary; see `PairPreprocessor.from_pairs`.
            max_tokens: int or `None`, how many tokens a vocabulary has at most; see `PairPreprocessor.from_pairs`.
            copy_unknown: bool, of models with attention: whether an answer has a token of the source in place of each
                unknown token; see `PairPreprocessor`.
            **options: the constructor's other arguments.

        Raises:
            ValueError: without any pair, for an empty side or invalid UTF-8, `max_tokens` without `unknown`, or
                `copy_unknown` without `max_tokens` or attention.
        """
        check_threads_survive()
        options_of_reading = (reverse, source_split, target_split, unknown, lower_case, normal_form, shared)
        preprocessor = PairPreprocessor.from_pairs(
            pairs, *options_of_reading, max_tokens=max_tokens, copy_unknown=copy_unknown
        )
        return cls(preprocessor, **options)

    # === Answers ===

    token_functions = seq2seq_token_functions

    def initial_state(self, source):
        """The states that `step` starts from, of `source`, int32 `[batch, source_length]`; see `Decoder`."""
        encoded = self.encoder.read(source) if self._reads_tables else self.encoder(source, training=False)
        return self.decoder.initial_state(encoded)

    def step(self, token, states, beam_size=1):
        """One step of inference; see `Decoder.step`."""
        return self.decoder.step(token, states, beam_size)


@keras.saving.register_keras_serializable("seqzoo")
class PeekySeq2Seq(Seq2Seq):
    """`Seq2Seq` with a `PeekyDecoder`: every step of the decoder sees the encoder's last hidden state.

    `PeekySeq2seq` of *Deep Learning from Scratch 2*, section 7.4.2. Arguments and methods are `Seq2Seq`'s.
    """

    decoder_class = PeekyDecoder


@keras.saving.register_keras_serializable("seqzoo")
class AttentionSeq2Seq(Seq2Seq):
    """`Seq2Seq` with an `AttentionDecoder`: every step reads the outputs of an encoder, bidirectional by default.

    For strings that do not fit into one vector: pronunciations, dates, names, translations. `AttentionSeq2seq` of *Deep
    Learning from Scratch 2*, chapter 8 (Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473; Luong et al. 2015,
    https://arxiv.org/abs/1508.04025). Arguments and methods are `Seq2Seq`'s.
    """

    decoder_class = AttentionDecoder
    attends = True
    buckets = 4  # Half of the arithmetic for the 113,000 words of CMUdict; eight would save 0.55 of it.

    def __init__(self, preprocessor, *args, bidirectional=True, **options):
        super().__init__(preprocessor, *args, bidirectional=bidirectional, **options)
