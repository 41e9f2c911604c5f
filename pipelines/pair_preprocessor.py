"""Everything between a (source, target) pair of strings and the ids that a seq2seq model reads."""

import keras
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import PREFETCHED, without_autotune
from seqzoo.pipelines.pair_batches import epochs_of_batches, with_teacher_forcing
from seqzoo.pipelines.pairs import as_pairs, decoded, hold_out, read_pairs
from seqzoo.pipelines.preprocessor import Preprocessor
from seqzoo.pipelines.row_errors import MAX_SHOWN_CHARACTERS, checked_ids, escaped, raise_first_error
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary, is_invalid, split_tokens

_ENCODED_ROWS = 8192


@keras.saving.register_keras_serializable("seqzoo")
class PairPreprocessor(Preprocessor):
    """Turns string pairs into padded id batches, and ids back into strings.

    All methods but `from_pairs` are TensorFlow operations on whole batches: the same code runs eagerly, in `tf.data`
    and inside an exported graph. A model keeps its preprocessor and saves it in `model.keras`.

    Args:
        vocabulary: `Vocabulary` of sources and targets alike.
        source_length: int. Sources are padded to it; a longer one is an error.
        target_length: int. Likewise for targets.
        reverse: bool. Turns the padded source around, `57+5···` into `···5+75` (*Deep Learning from Scratch 2*,
            section 7.3.1; Sutskever et al. 2014, https://arxiv.org/abs/1409.3215).

    Raises:
        ValueError: for a length below 1.

    Example:
        >>> preprocessor = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=True)
        >>> inputs, answer = preprocessor(["57+5"], ["62"])
        >>> inputs["source"].numpy().tolist(), inputs["target"].numpy().tolist(), answer.numpy().tolist()
        ([[0, 0, 0, 8, 2, 10, 8]], [[1, 9, 5, 0]], [[9, 5, 0, 0]])
    """

    def __init__(self, vocabulary, source_length, target_length, reverse=False):
        if source_length < 1 or target_length < 1:
            raise ValueError(
                "source_length and target_length must be at least 1. "
                f"Received: source_length={source_length}, target_length={target_length}"
            )
        lengths = {"source_length": int(source_length), "target_length": int(target_length)}
        super().__init__(vocabulary, **lengths, reverse=bool(reverse))

    @classmethod
    def from_pairs(cls, pairs, reverse=False, split="characters", unknown=False):
        """A preprocessor for `pairs`: their tokens, and the longest source and target as lengths.

        Args:
            pairs: what `as_pairs` takes: a `tf.data.Dataset` of (source, target) strings, or a sequence of pairs. It
                is read once, in constant memory.
            reverse: see the class.
            split: see `Vocabulary`.
            unknown: see `Vocabulary`.

        Raises:
            ValueError: without any pair, for an empty side or invalid UTF-8.
        """
        tokens, source_length, target_length = set(), 0, 0
        for row, (source, target) in enumerate(decoded(as_pairs(pairs)), 1):
            source, target = split_tokens(source, split), split_tokens(target, split)
            if not source or not target:
                raise ValueError(f"Pair {row} has an empty {'target' if source else 'source'}.")
            tokens.update(source, target)
            source_length = max(source_length, len(source))
            target_length = max(target_length, len(target))
        if not tokens:
            raise ValueError("There are no pairs. Received an empty dataset.")
        return cls(Vocabulary(tokens, split, unknown), source_length, target_length, reverse)

    def encode_sources(self, strings):
        """Sources as the encoder reads them.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(ids, errors)`: int32 `[batch, source_length]`, padded and reversed; and string `[batch]`, `""` where the
            source is fine, else what is wrong with it, as valid UTF-8. A wrong row never affects its neighbours.
        """
        ids, errors = self._encode(strings, self.source_length, "source")
        return (ids[:, ::-1] if self.reverse else ids), errors

    def source_ids(self, strings):
        """`encode_sources` in fewer operations, since it says whether a source is wrong and not what is.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(ids, wrong)`: int32 `[batch, source_length]` as in `encode_sources`, and bool `[batch]`.
        """
        ids, wrong = self._padded_ids(tf.convert_to_tensor(strings, tf.string), self.source_length)
        return (ids[:, ::-1] if self.reverse else ids), wrong

    def encode_ids(self, ids):
        """Sources that have been tokenised already, as the encoder reads them.

        Args:
            ids: int32 `[batch, length]`, each source's ids in the order it is read, padded with 0 at the end; `length`
                may be shorter than `source_length`, or longer if all of the rest is padding.

        Returns:
            `(ids, errors)` as in `encode_sources`.
        """
        length, size = self.source_length, self.vocabulary.size
        ids = tf.convert_to_tensor(ids, tf.int32)
        ids = tf.pad(ids, [(0, 0), (0, tf.maximum(length - tf.shape(ids)[1], 0))])
        padding = ids == PADDING_ID
        lengths = tf.math.count_nonzero(ids, axis=1, dtype=tf.int32)
        unlisted = (ids < 0) | (ids >= size) | (ids == START_ID)
        first = tf.gather(ids, tf.argmax(tf.cast(unlisted, tf.int32), axis=1), batch_dims=1)
        text = tf.strings.as_string
        errors = tf.fill(tf.shape(lengths), "")
        for wrong, message in (
            (tf.reduce_any(padding[:, :-1] & ~padding[:, 1:], axis=1), "source has an id after its padding"),
            (lengths == 0, "source is empty"),
            (lengths > length, "source has " + text(lengths) + f" ids, the model takes at most {length}"),
            (
                tf.reduce_any(unlisted, axis=1),
                "source has the id " + text(first) + f"; a token's is {START_ID + 1} to {size - 1}",
            ),
        ):
            errors = tf.where(wrong, message, errors)
        ids = tf.ensure_shape(tf.where((errors == "")[:, None], ids, PADDING_ID)[:, :length], [None, length])
        return (ids[:, ::-1] if self.reverse else ids), errors

    def encode_targets(self, strings):
        """Targets as the answer to be learnt: `(ids, errors)` as in `encode_sources`, never reversed."""
        return self._encode(strings, self.target_length, "target")

    def pair_errors(self, sources, targets):
        """What is wrong with each pair, string `[batch]`; `""` where nothing is."""
        return self._encode_pairs(sources, targets)[2]

    def __call__(self, sources, targets):
        """One training batch.

        Args:
            sources: string tensor, `[batch]`.
            targets: string tensor, `[batch]`.

        Returns:
            `({"source", "target"}, answer)`, all int32 `[batch, length]`. `target` is what the decoder reads: the start
            token, then the answer but its last token (teacher forcing).

        Raises:
            ValueError: when called eagerly, for the first wrong row.
            tf.errors.InvalidArgumentError: inside a graph, with the same words.
        """
        return with_teacher_forcing(*checked_ids(*self._encode_pairs(sources, targets)))

    def batches(self, pairs, batch_size, shuffle_seed=None, drop_remainder=False, shuffle_buffer=2**20, epoch=None):
        """Batches for `fit` and `evaluate`.

        Up to `shuffle_buffer` pairs are encoded once, at the call, and kept in memory (so that a wrong row is reported
        here); a larger dataset is streamed and shuffled within windows of that many pairs.

        Args:
            pairs: what `as_pairs` takes.
            batch_size: int.
            shuffle_seed: int, or `None` to keep the order. The order differs from epoch to epoch, and is the same
                sequence of orders for the same seed.
            drop_remainder: bool. Whether to drop a last batch that is not full. XLA compiles again for its shape.
            shuffle_buffer: int. Number of pairs, rounded up to whole batches.
            epoch: integer `tf.Variable`, the number of the epoch, which a training that is resumed sets (see
                `seqzoo.training.Checkpoint`); `None` to count the iterations from 0.

        Returns:
            `tf.data.Dataset` of `({"source", "target"}, answer)`; see `__call__`.

        Raises:
            ValueError: for the first wrong pair, for no pair, or fewer than one batch with `drop_remainder`. A wrong
                pair far down in a streamed data set is a `tf.errors.InvalidArgumentError` when it is reached.
        """
        if batch_size < 1 or shuffle_buffer < 1:
            raise ValueError(
                "batch_size and shuffle_buffer must be at least 1. "
                f"Received: batch_size={batch_size}, shuffle_buffer={shuffle_buffer}"
            )
        size = self.vocabulary.size
        window_rows = -(-shuffle_buffer // batch_size) * batch_size
        stored = tf.uint8 if size <= 2**8 else tf.uint16 if size <= 2**16 else tf.int32

        def encode(sources, targets, first_row=1):
            ids = checked_ids(*self._encode_pairs(sources, targets), first_row)
            return tuple(tf.cast(each, stored) for each in ids)

        # Without a graph, which would take longer to make than it saves.
        blocks = as_pairs(pairs).batch(_ENCODED_ROWS)
        encoded, rows = [], 0
        for sources, targets in blocks:
            encoded.append(encode(sources, targets, first_row=1 + rows))
            rows += len(sources)
            if rows > window_rows:
                break
        if rows == 0:
            raise ValueError("There are no pairs. Received an empty data set")
        if rows < batch_size and drop_remainder:
            raise ValueError(
                f"Too few pairs for a batch of {batch_size}: received {rows}. Use more pairs or a smaller batch size"
            )
        in_memory = rows <= window_rows
        if in_memory:
            windows = tf.data.Dataset.from_tensors(
                tuple(tf.concat(each, axis=0) for each in zip(*encoded, strict=True))
            )
        else:
            windows = blocks.map(encode, num_parallel_calls=tf.data.AUTOTUNE).rebatch(window_rows)

        dataset = epochs_of_batches(windows, batch_size, shuffle_seed, drop_remainder, epoch)
        if in_memory:
            count = rows // batch_size if drop_remainder else -(-rows // batch_size)
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
        return without_autotune(dataset.prefetch(PREFETCHED))

    def read(self, path):
        """The pairs of a file, each checked to fit this preprocessor; see `read_pairs`."""
        return read_pairs(path, self)

    def hold_out(self, pairs, seed=0, percent=10):
        """Splits pairs into `(training, validation)`, by source; see `seqzoo.pipelines.hold_out`.

        Raises:
            ValueError: for no pair, or the first wrong one by its number, which it has not in the part it falls into.
        """
        pairs, rows = as_pairs(pairs), 0
        for sources, targets in pairs.take(2**20).batch(_ENCODED_ROWS):
            raise_first_error(self.pair_errors(sources, targets), 1 + rows)
            rows += len(sources)
        if rows == 0:
            raise ValueError("There are no pairs. Received an empty data set")
        return hold_out(pairs, seed, percent)

    def _encode_pairs(self, sources, targets):
        """(source ids, answer ids, errors) of a batch; an error is the source's, or else the target's."""
        source_ids, source_errors = self.encode_sources(sources)
        answer_ids, target_errors = self.encode_targets(targets)
        return source_ids, answer_ids, tf.where(source_errors != "", source_errors, target_errors)

    def _padded_ids(self, strings, length):
        ids, token_counts = self.vocabulary.padded_ids(strings, length)
        wrong = tf.reduce_any(ids < 0, axis=1) | (token_counts == 0) | (token_counts > length)
        if self.vocabulary.split == "whitespace" and self.vocabulary.unknown:
            wrong |= is_invalid(strings)
        return tf.where(wrong[:, None], PADDING_ID, ids), wrong

    def _encode(self, strings, length, side):
        strings = tf.convert_to_tensor(strings, tf.string)
        ids, wrong = self._padded_ids(strings, length)

        def messages():
            tokens = self.vocabulary.tokenize(strings)
            token_ids = self.vocabulary.token_ids(tokens)
            lengths = token_ids.row_lengths()
            invalid = is_invalid(strings)
            text = tf.where(invalid, "", strings)
            shown = tf.strings.substr(text, 0, MAX_SHOWN_CHARACTERS, unit="UTF8_CHAR")
            value = tf.strings.join([side, " '", shown, tf.where(shown == text, "'", "…'")])
            unit = self.vocabulary.unit
            count = tf.strings.as_string(lengths)
            first = self.vocabulary.first_unlisted(tokens, token_ids)
            message = tf.where(
                lengths > length,
                tf.strings.join([value, " has ", count, f" {unit}s, the model takes at most {length}"]),
                tf.strings.join([value, f" has the {unit} '", first, "', which is not in the vocabulary"]),
            )
            message = tf.where(lengths == 0, f"{side} is empty", message)
            message = tf.where(invalid, tf.strings.join([f"{side} is not valid UTF-8: ", escaped(strings)]), message)
            return tf.where(wrong, message, "")

        return ids, tf.cond(tf.reduce_any(wrong), messages, lambda: tf.zeros_like(strings))
