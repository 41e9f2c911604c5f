"""Everything between a (source, target) pair of strings and the ids that a seq2seq model reads."""

import collections
import warnings

import keras
import tensorflow as tf

from seqzoo.pipelines.answer_preprocessor import AnswerPreprocessor
from seqzoo.pipelines.encoding import encode_strings, padded_ids
from seqzoo.pipelines.pair_files import TAB, places_of_pairs, read_pairs
from seqzoo.pipelines.pairs import as_pairs, decoded
from seqzoo.pipelines.row_errors import DataWarning
from seqzoo.pipelines.row_lengths import RowLengths, warn_of_long_rows
from seqzoo.pipelines.tokens import check_max_tokens, most_frequent, split_tokens
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary


@keras.saving.register_keras_serializable("seqzoo")
class PairPreprocessor(AnswerPreprocessor):
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
        copy_unknown: bool. Whether an answer has, in place of each unknown token, the source's token that attention
            points at, as it stands in the source (after Luong et al. 2015, https://arxiv.org/abs/1410.8206, where
            another model aligns): a name or a number, mostly. Both sides must be split into words, in the same way, and
            only models with attention take it.

    Attributes:
        source_vocabulary: `Vocabulary` of the sources.
        target_vocabulary: `Vocabulary` of the targets, never `None`; the sources' where the two share one.

    Raises:
        ValueError: for a length below 1, a `target_vocabulary` that is no `Vocabulary`, or `copy_unknown` with
            characters or with two ways to split.

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
        copy_unknown=False,
    ):
        if source_length < 1 or target_length < 1:
            raise ValueError(
                "source_length and target_length must be at least 1. "
                f"Received: source_length={source_length}, target_length={target_length}"
            )
        if not isinstance(target_vocabulary, Vocabulary | None):
            raise ValueError(f"target_vocabulary must be a Vocabulary or None. Received: {target_vocabulary!r}")
        lengths = {"source_length": int(source_length), "target_length": int(target_length)}
        options = {"reverse": bool(reverse), "reverse_target": bool(reverse_target), "copy_unknown": bool(copy_unknown)}
        super().__init__(vocabulary, **lengths, **options, mean_target_length=mean_target_length)
        self.target_vocabulary = target_vocabulary or vocabulary
        splits = self.source_vocabulary.split, self.target_vocabulary.split
        if copy_unknown and (splits[0] != splits[1] or "characters" in splits):
            raise ValueError(
                "copy_unknown=True needs sources and targets that are split into words in the same way. "
                f"Received: source_split={splits[0]!r}, target_split={splits[1]!r}"
            )

    @property
    def source_shape(self):
        """The shape of an encoded source, `(source_length,)`."""
        return (self.source_length,)

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
        max_tokens=None,
        copy_unknown=False,
    ):
        """A preprocessor for `pairs`: their tokens, and the longest source and target as lengths.

        Sources and targets share one vocabulary if both are split alike and no option is given: `unknown`,
        `lower_case` and `normal_form` are the sources', so that targets are learnt as they stand. A target vocabulary
        with options of its own is an argument of the constructor.

        Args:
            pairs: what `as_pairs` takes: a `tf.data.Dataset` of (source, target) strings, or a sequence of pairs. It
                is read once, in constant memory.
            reverse: see the class.
            source_split: `"characters"`, `"whitespace"` or `"words"`, see `Vocabulary`.
            target_split: the same for targets.
            unknown: bool, whether sources may have tokens that are not in `pairs`; see `Vocabulary`.
            lower_case: bool, whether sources are read in lower case; see `Vocabulary`.
            normal_form: str, the Unicode normal form in which sources are read, or `None`; see `Vocabulary`.
            shared: bool. `True` for one vocabulary, whose options apply to targets as well; `False` for two, which
                have the tokens of their own side only. `None` chooses as above.
            reverse_target: see the class.
            path: str, the file or glob that the pairs were read from, for warnings; or `None`.
            max_tokens: int, or `None` for all: how many tokens a vocabulary has at most, the most frequent ones. The
                others are read as its unknown token, which sources have by `unknown`; targets have one where tokens of
                theirs are left out, so that the model learns where an unknown word stands.
            copy_unknown: see the class. It needs `max_tokens`, without which targets have no unknown token.

        Raises:
            ValueError: without any pair, for an empty side or invalid UTF-8, `shared=True` with two ways to split,
                `max_tokens` without `unknown`, or `copy_unknown` without `max_tokens`.

        Warns:
            DataWarning: for a source or target that is far longer than the others, which makes training slow; for
                `copy_unknown` where `max_tokens` leaves out no word.
        """
        if shared and source_split != target_split:
            raise ValueError(
                "shared=True needs source_split and target_split to be equal. "
                f"Received: source_split={source_split!r}, target_split={target_split!r}"
            )
        check_max_tokens(max_tokens, unknown)
        if copy_unknown and max_tokens is None:
            raise ValueError("copy_unknown=True needs max_tokens: targets have an unknown token only beside those kept")
        options = {"lower_case": lower_case, "normal_form": normal_form}
        if shared is None:
            shared = source_split == target_split and not (unknown or lower_case or normal_form)
        target_options = options if shared else {}
        sources, targets = collections.Counter(), collections.Counter()
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
        if shared:
            sources, target_vocabulary = sources + targets, None
        else:
            leaves_out = max_tokens is not None and len(targets) > max_tokens
            if copy_unknown and not leaves_out:
                message = f"max_tokens={max_tokens} leaves out none of the targets' {len(targets):,} words"
                warnings.warn(f"{message}: copy_unknown will never copy; choose fewer", DataWarning, stacklevel=2)
            target_vocabulary = Vocabulary(most_frequent(targets, max_tokens), target_split, leaves_out)
        vocabulary = Vocabulary(most_frequent(sources, max_tokens), source_split, unknown, **options)
        warn_of_long_rows(row_lengths, lambda row: places_of_pairs(path, [row])[row] if path else f"Pair {row:,}")
        lengths = {f"{side}_length": each.longest[0][0] for side, each in row_lengths.items()}
        return cls(
            vocabulary,
            **lengths,
            mean_target_length=row_lengths["target"].mean_with_ends(),
            reverse=reverse,
            target_vocabulary=target_vocabulary,
            reverse_target=reverse_target,
            copy_unknown=copy_unknown,
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

    def normalize_source(self, source):
        """A source as its vocabulary normalises it, see `Vocabulary`."""
        return self.source_vocabulary.normalize_string(source)

    def normalize_sources(self, strings):
        """`normalize_source` as a TensorFlow operation, of a string tensor `[batch]`."""
        return self.source_vocabulary.normalize(strings)

    def decode_with_copies(self, ids, places, strings):
        """`decode` with tokens of the sources in place of unknown tokens, see `copy_unknown`.

        Args:
            ids: int32 `[batch, length]`, as a model writes them.
            places: int32 `[batch, length]`, where in the encoded source the token stands that would be copied.
            strings: string tensor, `[batch]`, the sources.
        """
        if self.reverse:
            places = self.source_length - 1 - places
        if self.reverse_target:
            places = tf.reverse_sequence(places, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), seq_axis=1)
        words = self.source_vocabulary.words_as_written(strings, self.source_length)
        copies = tf.gather(words, places, batch_dims=1)
        return self.target_vocabulary.join(self.in_reading_order(ids), copies)

    def read(self, path, check=True, separator=TAB):
        """The pairs of a file, each checked to fit this preprocessor unless `check` is `False`; see `read_pairs`."""
        return read_pairs(path, self if check else None, separator)

    def get_config(self):
        """The constructor's arguments, the vocabularies serialised."""
        shared = self.target_vocabulary == self.source_vocabulary
        target_vocabulary = None if shared else keras.saving.serialize_keras_object(self.target_vocabulary)
        return {**super().get_config(), "target_vocabulary": target_vocabulary}

    def _reads_as(self):
        return {**super()._reads_as(), "mean_target_length": None, "copy_unknown": None}

    @classmethod
    def from_config(cls, config):
        """The preprocessor that `get_config` described."""
        target_vocabulary = config.get("target_vocabulary")
        if target_vocabulary is not None:
            target_vocabulary = keras.saving.deserialize_keras_object(target_vocabulary)
        return super().from_config({**config, "target_vocabulary": target_vocabulary})
