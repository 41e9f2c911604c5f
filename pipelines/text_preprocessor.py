"""Everything between a text and the ids that a language model reads."""

import collections

import keras
import numpy as np
import tensorflow as tf

from seqzoo.pipelines.input_pipeline import PREFETCHED, epoch_numbers, without_autotune
from seqzoo.pipelines.preprocessor import Preprocessor
from seqzoo.pipelines.row_errors import MAX_SHOWN_CHARACTERS, explained
from seqzoo.pipelines.text_files import LINE_ENDS, with_line_feeds
from seqzoo.pipelines.texts import as_text, read_text
from seqzoo.pipelines.tokens import check_max_tokens, most_frequent, split_tokens
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary, is_invalid

END_ID = PADDING_ID
"""Ends a text, as it ends an answer."""

_START_EVERY = 16


@keras.saving.register_keras_serializable("seqzoo")
class TextPreprocessor(Preprocessor):
    r"""Turns texts into training windows and prompts into ids, and ids back into text.

    **Where a text begins and ends.** A text ends at id 0, and what is read before its first token is the start token,
    id 1. By default what is given is one text. With `lines`, each line is a text of its own; the line break itself is
    no token, and empty lines do not count.

    **Prompts** are pieces of text from anywhere. The empty prompt is the start token: it begins a text, or, in one
    long text, a line. With `lines` a line break in a prompt also begins a text: `"\nem"`.

    **Line ends.** `\r\n` and `\r` are read as `\n`, in texts and in prompts.

    Args:
        vocabulary: `Vocabulary`.
        lines: bool, see above.

    Raises:
        ValueError: for a vocabulary of `split="words"`, which is for pairs.

    Example:
        >>> preprocessor = TextPreprocessor.from_text("you say goodbye and I say hello", split="whitespace")
        >>> preprocessor.encode("I say hello").tolist()
        [2, 6, 5, 0]
    """

    def __init__(self, vocabulary, lines=False):
        if vocabulary.split == "words":
            raise ValueError(
                "A text is split into 'characters' or at 'whitespace': a continuation would not join its prompt. "
                "Received: split='words', which is for pairs"
            )
        super().__init__(vocabulary, lines=bool(lines))

    @classmethod
    def from_text(
        cls, text, split="characters", unknown=False, lines=False, max_tokens=None, lower_case=False, normal_form=None
    ):
        """A preprocessor for the tokens of a text.

        Args:
            text: what `as_text` takes. It is read once, in constant memory.
            split: see `Vocabulary`.
            unknown: see `Vocabulary`.
            lines: see the class.
            max_tokens: int, or `None` for all: how many tokens to keep, the most frequent ones. Needs `unknown`.
            lower_case: bool, whether texts and prompts are read in lower case; see `Vocabulary`.
            normal_form: str, the Unicode normal form in which they are read, or `None`; see `Vocabulary`.

        Raises:
            ValueError: for a text without any token, invalid UTF-8, or `max_tokens` without `unknown`.
        """
        check_max_tokens(max_tokens, unknown)
        counts = collections.Counter()
        for number, piece in enumerate(as_text(text).as_numpy_iterator(), 1):
            try:
                piece = piece.decode()
            except UnicodeDecodeError:
                raise ValueError(f"Piece {number} of the text is not valid UTF-8") from None
            counts.update(split_tokens(piece, split, lower_case, normal_form))
        if lines and split == "characters":
            del counts["\n"]
        if not counts:
            raise ValueError("The text has no tokens. Received an empty text.")
        tokens = most_frequent(counts, max_tokens)
        return cls(Vocabulary(tokens, split, unknown, lower_case, normal_form), lines)

    def encode(self, text, name=None):
        """The ids of a whole text.

        The text is streamed; its ids are held, in one, two or four bytes each. A vocabulary with a normal form
        normalises each piece of the text by itself, which is the same as all of it if pieces are whole lines.

        Args:
            text: what `as_text` takes; or ids that were encoded before, which are given back.
            name: str, the file's, for errors; or `None`.

        Returns:
            NumPy array of unsigned integers or int32, `[length]`.

        Raises:
            ValueError: naming the first line that is not valid UTF-8 or has a token outside the vocabulary.
        """
        if isinstance(text, np.ndarray) and text.dtype.kind in "iu":
            if text.size and not 0 <= text.min() <= text.max() < self.vocabulary.size:
                raise ValueError(f"ids must be 0 to {self.vocabulary.size - 1}. Received: {text.min()} to {text.max()}")
            return text
        dtype = np.min_scalar_type(self.vocabulary.size - 1) if self.vocabulary.size <= 2**16 else np.int32
        parts, line = [np.zeros(0, dtype)], 1
        for piece in as_text(text):
            ids, errors = self._encode_lines(piece)
            wrong = np.flatnonzero(errors.numpy() != b"")
            if len(wrong):
                place = f"line {line + wrong[0]}" if name is None else f"{name}:{line + wrong[0]}"
                raise ValueError(f"{place}: {errors[wrong[0]].numpy().decode()}")
            parts.append(ids.numpy().astype(dtype))
            line += int(tf.strings.length(tf.strings.regex_replace(piece, "[^\n]+", "")))
        if not self.lines:
            parts.append(np.full(1, END_ID, dtype))
        return np.concatenate(parts)

    def encode_prompts(self, strings):
        """Prompts as the model reads them.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(ids, lengths, errors)`: int32 `[batch, length]`, padded at the end; int32 `[batch]`, at least 1; and
            string `[batch]`, `""` where the prompt is fine, else what is wrong with it, as valid UTF-8.
        """
        strings = tf.strings.regex_replace(strings, LINE_ENDS, "\n")
        begins = strings == ""
        if self.lines:
            begins |= tf.strings.regex_full_match(strings, r"\n(.|\n)*")
            strings = tf.strings.regex_replace(strings, r"^\n", "")
        errors = self._errors(strings, "prompt")
        ids = self.vocabulary.lookup(tf.where(errors == "", strings, ""))
        blank = ids.row_lengths() == 0
        start = tf.ragged.boolean_mask(tf.fill([tf.size(strings), 1], START_ID), (begins | blank)[:, None])
        ids = tf.concat([start, ids], axis=1)
        return ids.to_tensor(PADDING_ID), tf.cast(ids.row_lengths(), tf.int32), errors

    def unknown_tokens(self, string):
        """The tokens of a `str` that stand outside the vocabulary, each once, in their order."""
        known, tokens = set(self.vocabulary.tokens), self.vocabulary.split_string(with_line_feeds(string))
        return list(dict.fromkeys(token for token in tokens if token not in known))

    def read(self, path, check=True, separator=None):
        """The ids of a text file, checked whatever `check` is; see `read_text` and `encode`.

        A `separator`, which files of pairs have, is a `ValueError`.
        """
        if separator is not None:
            raise ValueError(
                f"A text has no separator, which files of pairs have: leave it out. Received: {separator!r}"
            )
        return self.encode(read_text(path), path)

    def hold_out(self, text, seed=0, percent=10):
        """Splits a text into its beginning, to train on, and its last part, to validate on.

        Args:
            text: what `encode` takes.
            seed: not used; pairs are held out by a seed.
            percent: int, how much to hold out.

        Returns:
            `(training, validation)`, two arrays as from `encode`. With `lines` no line stands in both.
        """
        ids = self.encode(text)
        border = len(self._without_last_end(ids)) * (100 - percent) // 100
        if self.lines:
            ends = np.flatnonzero(ids[:border] == END_ID)
            border = int(ends[-1]) + 1 if len(ends) else 0
        return ids[:border], ids[border:]

    def windows(self, text, batch_size, length, seed=0, steps=None, epoch=None):
        """Training batches: windows of the text from random places.

        What a window's first token follows is read too. The start token stands for it where it is a line break, or,
        without line breaks, in one window of 16, so that the model learns how a text begins.

        Args:
            text: what `encode` takes.
            batch_size: int.
            length: int, tokens in a window.
            seed: int. The places differ from epoch to epoch, and are the same sequence for the same seed.
            steps: int, batches an epoch; `None` for as many as hold the text once.
            epoch: see `PairPreprocessor.batches`.

        Returns:
            `tf.data.Dataset` of `(tokens, next_tokens)`, int32 `[batch_size, length]`.

        Raises:
            ValueError: for a text shorter than one window, or a number below 1.
        """
        ids = self._checked(text, batch_size, length)
        if steps is None:
            steps = max(1, len(ids) // (batch_size * length))
        if steps < 1:
            raise ValueError(f"steps must be at least 1. Received: steps={steps}")
        ids = tf.constant(ids)

        def batch(epoch, step):
            places = tf.random.stateless_uniform(
                [batch_size],
                tf.random.experimental.stateless_fold_in([seed, step], epoch),
                maxval=tf.size(ids) - length + 1,
                dtype=tf.int32,
            )
            return self._window(ids, places, length)

        dataset = epoch_numbers(epoch).flat_map(
            lambda epoch: tf.data.Dataset.range(steps).map(
                lambda step: batch(epoch, step), num_parallel_calls=tf.data.AUTOTUNE
            )
        )
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        return without_autotune(dataset.prefetch(PREFETCHED))

    def consecutive(self, text, batch_size, length):
        """Validation batches: the text cut into windows, one after the other; a last part of a window is left out.

        Each window is read with the one token before it (or the start token, as in `windows`) as all its context.
        `seqzoo.training.evaluate` scores a text with all of its context.

        Args:
            text: what `encode` takes.
            batch_size: int.
            length: int, tokens in a window.

        Returns:
            `tf.data.Dataset` of `(tokens, next_tokens)`, int32 `[batch, length]`.

        Raises:
            ValueError: for a text shorter than one window, or a number below 1.
        """
        ids = self._checked(text, batch_size, length)
        places = tf.data.Dataset.range(0, len(ids) - length + 1, length, output_type=tf.int32).batch(batch_size)
        ids = tf.constant(ids)
        return without_autotune(places.map(lambda places: self._window(ids, places, length)).prefetch(PREFETCHED))

    def ordered(self, text, length):
        """The whole text in order, for evaluation with the state carried on from part to part.

        The end of a text that is not one of `lines` does not count: it is no token of a file.

        Args:
            text: what `encode` takes.
            length: int, tokens in a part.

        Yields:
            `(tokens, next_tokens)`, int32 `[1, up to length]`; the first token read is the start token.

        Raises:
            ValueError: for a text without tokens.
        """
        ids = self._without_last_end(self.encode(text))
        if not len(ids):
            raise ValueError("There is no text to evaluate. Received an empty text.")
        for at in range(0, len(ids), length):
            targets = ids[at : at + length].astype("int32")
            tokens = np.concatenate([ids[at - 1 : at].astype("int32") if at else [START_ID], targets[:-1]])
            if self.lines:
                tokens = np.where(tokens == END_ID, START_ID, tokens)
            yield tokens[None].astype("int32"), targets[None]

    def _without_last_end(self, ids):
        return ids if self.lines or not len(ids) or ids[-1] != END_ID else ids[:-1]

    def _checked(self, text, batch_size, length):
        if batch_size < 1 or length < 1:
            raise ValueError(
                f"batch_size and length must be at least 1. Received: batch_size={batch_size}, length={length}"
            )
        ids = self.encode(text)
        if len(ids) < length:
            raise ValueError(
                f"The text has {len(ids)} tokens, fewer than one window of {length}: give more text or shorter windows"
            )
        return ids

    def _window(self, ids, places, length):
        """The windows of `ids` at `places`, int32 `[batch]`: what is read and what is to be predicted."""
        at = places[:, None] + tf.range(length)
        targets = tf.cast(tf.gather(ids, at), tf.int32)
        first = tf.cast(tf.gather(ids, tf.maximum(places - 1, 0)), tf.int32)
        begins = places == 0
        newline = self._line_break
        if newline is not None:
            begins |= first == newline
        else:
            begins |= tf.range(tf.size(places)) % _START_EVERY == 0
        tokens = tf.concat([tf.where(begins, START_ID, first)[:, None], targets[:, :-1]], axis=1)
        return (tf.where(tokens == END_ID, START_ID, tokens) if self.lines else tokens), targets

    @property
    def _line_break(self):
        """The id that stands between two lines, or `None` for words, between which lines do not show."""
        if self.lines:
            return END_ID
        if self.vocabulary.split == "characters" and "\n" in self.vocabulary.tokens:
            return self.vocabulary.lookup(["\n"]).flat_values[0]
        return None

    def _encode_lines(self, piece):
        """`(ids, errors)` of the lines of a piece: int32 `[length]`, all lines', and string `[lines]`."""
        lines = tf.strings.split(piece, "\n")
        if not self.lines and self.vocabulary.split == "characters":
            lines = tf.concat([tf.strings.join([lines[:-1], "\n"]), lines[-1:]], axis=0)
        ids = self.vocabulary.lookup(lines)
        errors = self._errors(lines, "text")
        if self.lines:
            ids = tf.ragged.boolean_mask(ids, ids.row_lengths() > 0)
            ids = tf.concat([ids, tf.fill([ids.nrows(), 1], END_ID)], axis=1)
        return ids.flat_values, errors

    def _errors(self, strings, what):
        """What is wrong with each string, string `[batch]`; `""` where nothing is."""
        tokens = self.vocabulary.tokenize(strings)
        ids = self.vocabulary.token_ids(tokens)
        invalid = is_invalid(strings)
        unlisted = tf.reduce_any(ids < 0, axis=1)

        def messages():
            first = tf.where(invalid, "", self.vocabulary.first_unlisted(tokens, ids))
            shown = tf.strings.substr(first, 0, MAX_SHOWN_CHARACTERS, unit="UTF8_CHAR")
            unit = self.vocabulary.unit
            message = tf.strings.join([f"the {what} has the {unit} '", shown, "', which is not in the vocabulary"])
            message = tf.where(invalid, f"the {what} is not valid UTF-8", message)
            return tf.where(invalid | unlisted, message, "")

        errors = tf.cond(tf.reduce_any(invalid | unlisted), messages, lambda: tf.zeros_like(strings))
        return explained(errors, strings, self.vocabulary)
