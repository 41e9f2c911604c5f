"""What preprocessors of models that answer a source have in common: targets, teacher forcing, batches."""

import tensorflow as tf

from seqzoo.pipelines.encoding import encode_strings
from seqzoo.pipelines.pair_batches import ENCODED_ROWS, batches_of_pairs, smallest_dtype, with_teacher_forcing
from seqzoo.pipelines.pairs import as_pairs, hold_out
from seqzoo.pipelines.preprocessor import Preprocessor
from seqzoo.pipelines.row_errors import checked_ids, raise_first_error


class AnswerPreprocessor(Preprocessor):
    """Turns pairs of a source and a target string into batches of numbers, and ids back into strings.

    What a source is, text or a picture, is the subclass's: it defines `encode_sources`. Its other arguments are among
    its attributes.

    Attributes:
        target_length: int, tokens. Targets are padded to it; a longer one is an error.
        reverse_target: bool, whether the model writes answers from their last token on.
        reverse: bool, whether it reads sources from their last token on.
        mean_target_length: float, by which a loss counts, or `None`; see `SequenceCrossentropy`.
        reads_text: bool, whether sources are UTF-8; else they are bytes of any kind.
        source_dtype: what encoded sources are in a batch.
        copy_unknown: bool, whether the source's token stands in an answer in place of an unknown token.
        source_name: str, what the strings of sources are called in exports.
    """

    reverse = reverse_target = copy_unknown = False
    mean_target_length = None
    reads_text = True
    source_dtype = tf.int32
    source_name = "source"

    def encode_sources(self, strings):
        """Sources as the model reads them.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(sources, errors)`: numbers `[batch, …]`; and string `[batch]`, `""` where the source is fine, else what is
            wrong with it, as valid UTF-8. A wrong row never affects its neighbours.
        """
        raise NotImplementedError

    def source_ids(self, strings):
        """`encode_sources` where it does not matter what is wrong with a source: `(sources, wrong)`, bool `[batch]`."""
        sources, errors = self.encode_sources(strings)
        return sources, errors != ""

    def as_pairs(self, pairs):
        """Pairs in any form that `fit` takes, as a `tf.data.Dataset` of `(source, target)` string scalars."""
        return as_pairs(pairs)

    def normalize_source(self, source):
        """A source, such that those that are read as the same are equal."""
        return source

    def normalize_sources(self, strings):
        """`normalize_source` as a TensorFlow operation, of a string tensor `[batch]`."""
        return strings

    def stored_dtypes(self):
        """The smallest types that hold an encoded source and an encoded target, of those that TensorFlow gathers."""
        return smallest_dtype(self.source_vocabulary.size), smallest_dtype(self.target_vocabulary.size)

    def encode_targets(self, strings):
        """Targets as the answer to be learnt: `(ids, errors)` as in `encode_sources`, but see `reverse_target`."""
        ids, errors = encode_strings(self.target_vocabulary, strings, self.target_length, "target")
        return self.in_reading_order(ids), errors

    def in_reading_order(self, ids):
        """Ids of targets as one reads them, from the order in which a model writes them; or the other way round.

        Args:
            ids: int32 `[batch, length]`; what follows an end must be padding, and stays where it is.
        """
        if not self.reverse_target:
            return ids
        return tf.reverse_sequence(ids, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), seq_axis=1)

    def decode(self, ids):
        """Targets `[batch]` of ids `[batch, length]` as a model writes them; what follows an end must be padding."""
        return self.target_vocabulary.join(self.in_reading_order(ids))

    def pair_errors(self, sources, targets):
        """What is wrong with each pair, string `[batch]`; `""` where nothing is."""
        return self.encode_pairs(sources, targets)[2]

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
            tf.errors.InvalidArgumentError: inside a graph, with the same words but the names of characters.
        """
        return with_teacher_forcing(*checked_ids(*self.encode_pairs(sources, targets)))

    def batches(
        self,
        pairs,
        batch_size,
        shuffle_seed=None,
        drop_remainder=False,
        shuffle_buffer=2**20,
        epoch=None,
        buckets=1,
        weights=None,
    ):
        """Batches for `fit` and `evaluate`.

        Up to `shuffle_buffer` pairs are encoded once, at the call, and kept in memory (so that a wrong row is reported
        here); a larger dataset is streamed and shuffled within windows of that many pairs.

        **Buckets.** With `buckets`, each batch holds pairs of similar lengths and is padded only to a length that holds
        them: sources to one of `buckets` lengths, and targets (with an end symbol, as far as `target_length` has room
        for it) to the one that belongs to it, so that XLA compiles for `buckets` shapes at most, and for one more where
        the last batch is not full. Each epoch has each pair once, in other batches and in another order. A model for it
        must take sources of any length and skip padding; one that reads padding as a token is not trained on what it
        will read. A data set that is streamed has the plain batches.

        Args:
            pairs: what `as_pairs` takes; pictures as `fit` takes them.
            batch_size: int.
            shuffle_seed: int, or `None` to keep the order. The order differs from epoch to epoch, and is the same
                sequence of orders for the same seed.
            drop_remainder: bool. Whether to drop a last batch that is not full; with `shuffle_seed`, other pairs in
                each epoch, of any length. XLA compiles again for its shape.
            shuffle_buffer: int. Number of pairs, rounded up to whole batches.
            epoch: integer `tf.Variable`, the number of the epoch, which a training that is resumed sets (see
                `seqzoo.training.Checkpoint`); `None` to count the iterations from 0.
            buckets: int, the number of different lengths of batches; 1 pads all to `source_length` and `target_length`.
            weights: float32 array of the pairs' weights, `[rows]`, or of those of their targets' tokens,
                `[rows, target_length]`, in the order in which they are written; `None` for none. Not of a larger data
                set.

        Returns:
            `tf.data.Dataset` of `({"source", "target"}, answer)`; see `__call__`. With weights, of
            `({"source", "target"}, answer, weights)`.

        Raises:
            ValueError: for the first wrong pair, for no pair, or fewer than one batch with `drop_remainder`; for
                weights of another shape. A wrong pair far down in a streamed data set is a
                `tf.errors.InvalidArgumentError` when it is reached.
        """
        if min(batch_size, shuffle_buffer, buckets) < 1:
            raise ValueError(
                "batch_size, shuffle_buffer and buckets must be at least 1. "
                f"Received: batch_size={batch_size}, shuffle_buffer={shuffle_buffer}, buckets={buckets}"
            )
        return batches_of_pairs(
            self,
            self.as_pairs(pairs),
            batch_size,
            shuffle_seed,
            drop_remainder,
            shuffle_buffer,
            epoch,
            buckets,
            weights,
        )

    def hold_out(self, pairs, seed=0, percent=10):
        """Splits pairs into `(training, validation)`, by normalised source; see `seqzoo.pipelines.hold_out`.

        Raises:
            ValueError: for no pair, or the first wrong one by its number, which it has not in the part it falls into.
        """
        pairs, rows = self.as_pairs(pairs), 0
        for sources, targets in pairs.take(2**20).batch(ENCODED_ROWS):
            raise_first_error(self.pair_errors(sources, targets), 1 + rows)
            rows += len(sources)
        if rows == 0:
            raise ValueError("There are no pairs. Received an empty data set")
        return hold_out(pairs, seed, percent, self)

    def encode_pairs(self, sources, targets):
        """`(source ids, answer ids, errors)` of a batch of pairs; an error is the source's, or else the target's."""
        source_ids, source_errors = self.encode_sources(sources)
        answer_ids, target_errors = self.encode_targets(targets)
        return source_ids, answer_ids, tf.where(source_errors != "", source_errors, target_errors)
