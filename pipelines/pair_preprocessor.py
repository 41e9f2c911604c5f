"""Everything between a (source, target) pair of strings and the ids that a seq2seq model reads."""

import keras
import tensorflow as tf

from seqzoo.pipelines.encoding import encode_strings, padded_ids
from seqzoo.pipelines.pair_batches import ENCODED_ROWS, batches_of_pairs, with_teacher_forcing
from seqzoo.pipelines.pair_files import TAB, places_of_pairs, read_pairs
from seqzoo.pipelines.pairs import as_pairs, decoded, hold_out
from seqzoo.pipelines.preprocessor import Preprocessor
from seqzoo.pipelines.row_errors import checked_ids, raise_first_error
from seqzoo.pipelines.row_lengths import RowLengths, warn_of_long_rows
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary, split_tokens


@keras.saving.register_keras_serializable("seqzoo")
class PairPreprocessor(Preprocessor):
    """Turns string pairs into padded id batches, and ids back into strings.

    All methods but `from_pairs` are TensorFlow operations on whole batches: the same code runs eagerly, in `tf.data`
    and inside an exported graph. A model keeps its preprocessor and saves it in `model.keras`.

    Args:
        vocabulary: `Vocabulary` of the sources, and of the targets too unless `target_vocabulary` is given.
        source_length: int, tokens. Sources are padded to it; a longer one is an error. Tokens are counted after the
            string is normalised, see `Vocabulary`.
        target_length: int, tokens. Targets are padded to it; a longer one is an error.
        reverse: bool. Turns the padded source around, `57+5···` into `···5+75` (*Deep Learning from Scratch 2*,
            section 7.3.1; Sutskever et al. 2014, https://arxiv.org/abs/1409.3215).
        target_vocabulary: `Vocabulary` of the targets, where they have tokens or options of their own; or `None`. One
            that equals `vocabulary` is the same as `None`.
        reverse_target: bool. Whether the model writes answers from their last token on, as sums are worked out on
            paper; strings and ids that come out are in their usual order.
        mean_target_length: float, the targets' mean length in tokens, with their ends where there is room for them, by
            which a loss counts; see `SequenceCrossentropy`. `None` where it is not known.

    Attributes:
        source_vocabulary: `Vocabulary` of the sources.
        target_vocabulary: `Vocabulary` of the targets, never `None`; the sources' where the two share one.

    Raises:
        ValueError: for a length below 1, or a `target_vocabulary` that is no `Vocabulary`.

    Example:
        >>> preprocessor = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4, reverse=True)
        >>> inputs, answer = preprocessor(["57+5"], ["62"])
        >>> inputs["source"].numpy().tolist(), inputs["target"].numpy().tolist(), answer.numpy().tolist()
        ([[0, 0, 0, 8, 2, 10, 8]], [[1, 9, 5, 0]], [[9, 5, 0, 0]])
    """

    def __init__(
        self,
        vocabulary,
        source_length,
        target_length,
        reverse=False,
        target_vocabulary=None,
        reverse_target=False,
        mean_target_length=None,
    ):
        if source_length < 1 or target_length < 1:
            raise ValueError(
                "source_length and target_length must be at least 1. "
                f"Received: source_length={source_length}, target_length={target_length}"
            )
        if not isinstance(target_vocabulary, Vocabulary | None):
            raise ValueError(f"target_vocabulary must be a Vocabulary or None. Received: {target_vocabulary!r}")
        lengths = {"source_length": int(source_length), "target_length": int(target_length)}
        options = {"reverse": bool(reverse), "reverse_target": bool(reverse_target)}
        super().__init__(vocabulary, **lengths, **options, mean_target_length=mean_target_length)
        self.target_vocabulary = target_vocabulary or vocabulary

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
        reverse_target=False,
        path=None,
    ):
        """A preprocessor for `pairs`: their tokens, and the longest source and target as lengths.

        Sources and targets share one vocabulary if both are split alike and no option is given: `unknown`,
        `lower_case` and `normal_form` are the sources', so that targets are learnt as they stand. A target vocabulary
        with options of its own is an argument of the constructor.

        Args:
            pairs: what `as_pairs` takes: a `tf.data.Dataset` of (source, target) strings, or a sequence of pairs. It
                is read once, in constant memory.
            reverse: see the class.
            source_split: `"characters"` or `"whitespace"`, see `Vocabulary`.
            target_split: the same for targets.
            unknown: bool, whether sources may have tokens that are not in `pairs`; see `Vocabulary`.
            lower_case: bool, whether sources are read in lower case; see `Vocabulary`.
            normal_form: str, the Unicode normal form in which sources are read, or `None`; see `Vocabulary`.
            shared: bool. `True` for one vocabulary, whose options apply to targets as well; `False` for two, which
                have the tokens of their own side only. `None` chooses as above.
            reverse_target: see the class.
            path: str, the file or glob that the pairs were read from, for warnings; or `None`.

        Raises:
            ValueError: without any pair, for an empty side or invalid UTF-8, or `shared=True` with two ways to split.

        Warns:
            DataWarning: for a source or target that is far longer than the others, which makes training slow.
        """
        if shared and source_split != target_split:
            raise ValueError(
                "shared=True needs source_split and target_split to be equal. "
                f"Received: source_split={source_split!r}, target_split={target_split!r}"
            )
        options = {"lower_case": lower_case, "normal_form": normal_form}
        if shared is None:
            shared = source_split == target_split and not (unknown or lower_case or normal_form)
        target_options = options if shared else {}
        sources, targets = set(), set()
        row_lengths = {"source": RowLengths(), "target": RowLengths()}
        for row, (source, target) in enumerate(decoded(as_pairs(pairs)), 1):
            source = split_tokens(source, source_split, **options)
            target = split_tokens(target, target_split, **target_options)
            if not source or not target:
                raise ValueError(f"Pair {row} has an empty {'target' if source else 'source'}.")
            sources.update(source)
            targets.update(target)
            row_lengths["source"].add(len(source), row)
            row_lengths["target"].add(len(target), row)
        if not sources:
            raise ValueError("There are no pairs. Received an empty dataset.")
        vocabulary = Vocabulary(sources | targets if shared else sources, source_split, unknown, **options)
        target_vocabulary = None if shared else Vocabulary(targets, target_split)
        warn_of_long_rows(row_lengths, lambda row: places_of_pairs(path, [row])[row] if path else f"Pair {row:,}")
        lengths = {f"{side}_length": each.longest[0][0] for side, each in row_lengths.items()}
        return cls(
            vocabulary,
            **lengths,
            mean_target_length=row_lengths["target"].mean_with_ends(),
            reverse=reverse,
            target_vocabulary=target_vocabulary,
            reverse_target=reverse_target,
        )

    def encode_sources(self, strings):
        """Sources as the encoder reads them.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(ids, errors)`: int32 `[batch, source_length]`, padded and reversed; and string `[batch]`, `""` where the
            source is fine, else what is wrong with it, as valid UTF-8. A wrong row never affects its neighbours.
            Outside of graphs, errors also name characters that cannot be seen, and a normal form that would fit.
        """
        ids, errors = encode_strings(self.source_vocabulary, strings, self.source_length, "source")
        return (ids[:, ::-1] if self.reverse else ids), errors

    def source_ids(self, strings):
        """`encode_sources` in fewer operations, since it says whether a source is wrong and not what is.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(ids, wrong)`: int32 `[batch, source_length]` as in `encode_sources`, and bool `[batch]`.
        """
        strings = tf.convert_to_tensor(strings, tf.string)
        ids, wrong = padded_ids(self.source_vocabulary, strings, self.source_length)
        return (ids[:, ::-1] if self.reverse else ids), wrong

    def encode_ids(self, ids):
        """Sources that have been tokenised already, as the encoder reads them.

        Args:
            ids: int32 `[batch, length]`, each source's ids in the order it is read, padded with 0 at the end; `length`
                may be shorter than `source_length`, or longer if all of the rest is padding.

        Returns:
            `(ids, errors)` as in `encode_sources`.
        """
        length, size = self.source_length, self.source_vocabulary.size
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
            pairs: what `as_pairs` takes.
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
            self, as_pairs(pairs), batch_size, shuffle_seed, drop_remainder, shuffle_buffer, epoch, buckets, weights
        )

    def read(self, path, check=True, separator=TAB):
        """The pairs of a file, each checked to fit this preprocessor unless `check` is `False`; see `read_pairs`."""
        return read_pairs(path, self if check else None, separator)

    def hold_out(self, pairs, seed=0, percent=10):
        """Splits pairs into `(training, validation)`, by normalised source; see `seqzoo.pipelines.hold_out`.

        Raises:
            ValueError: for no pair, or the first wrong one by its number, which it has not in the part it falls into.
        """
        pairs, rows = as_pairs(pairs), 0
        for sources, targets in pairs.take(2**20).batch(ENCODED_ROWS):
            raise_first_error(self.pair_errors(sources, targets), 1 + rows)
            rows += len(sources)
        if rows == 0:
            raise ValueError("There are no pairs. Received an empty data set")
        return hold_out(pairs, seed, percent, self)

    def get_config(self):
        """The constructor's arguments, the vocabularies serialised."""
        shared = self.target_vocabulary == self.source_vocabulary
        target_vocabulary = None if shared else keras.saving.serialize_keras_object(self.target_vocabulary)
        return {**super().get_config(), "target_vocabulary": target_vocabulary}

    def _reads_as(self):
        return {**super()._reads_as(), "mean_target_length": None}

    @classmethod
    def from_config(cls, config):
        """The preprocessor that `get_config` described."""
        target_vocabulary = config.get("target_vocabulary")
        if target_vocabulary is not None:
            target_vocabulary = keras.saving.deserialize_keras_object(target_vocabulary)
        return super().from_config({**config, "target_vocabulary": target_vocabulary})

    def encode_pairs(self, sources, targets):
        """`(source ids, answer ids, errors)` of a batch of pairs; an error is the source's, or else the target's."""
        source_ids, source_errors = self.encode_sources(sources)
        answer_ids, target_errors = self.encode_targets(targets)
        return source_ids, answer_ids, tf.where(source_errors != "", source_errors, target_errors)
