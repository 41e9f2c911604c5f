"""The map between tokens and ids, as TensorFlow operations on whole batches of strings."""

import keras
import numpy as np
import tensorflow as tf

from seqzoo.pipelines.normalization import check_normal_form, normalize_string, normalizer
from seqzoo.pipelines.tokens import SPLITS, bare_token, join_tokens, split_tokens
from seqzoo.pipelines.words import JOINER, is_marked_word, marked, unmarked

PADDING_ID = 0
"""Pads a short sequence, and so also ends an answer."""

START_ID = 1
"""The first token that a decoder reads."""

REPLACEMENT_CODE_POINT = 0xFFFD
"""Stands for the unknown token in texts, but between white space; the code point that Unicode has for it."""

# Stands for undecodable bytes. Unicode guarantees that U+FFFF is never a character.
_INVALID_CODE_POINT = 0xFFFF
_HASH_BUCKETS = 2**62


@keras.saving.register_keras_serializable("seqzoo")
class Vocabulary:
    """The tokens a model knows, sorted, each with its id.

    Ids are dense: 0 is padding, 1 the start token, then the unknown token if there is one, then `tokens` sorted.
    Look-ups are a binary search in a constant, so a graph that holds a vocabulary needs no table resource: it can be
    exported, served and loaded without an initialisation step.

    Args:
        tokens: iterable of `str`. Single Unicode code points for `split="characters"`, words without white space for
            `split="whitespace"`, words and marked punctuation for `split="words"`. Duplicates count once.
        split: what one token of a string is: `"characters"`, a Unicode code point; `"whitespace"`, what stands between
            white space; or `"words"`, for sentences: a word, or a character of punctuation, which has a mark, U+FFED,
            on each side where it touches its neighbour. Strings are joined again as they stood, but for the width of
            white space; a U+FFED in them is read as U+25A0.
        unknown: bool. Whether tokens that are not listed get an id of their own, `unknown_id`. Without it such a
            token has the id -1, which every preprocessor reports as an error.
        lower_case: bool. Whether strings are read in lower case: each character as `str.lower` writes it alone, so
            that Σ is σ also at the end of a word. Answers are then in lower case, too.
        normal_form: `"NFC"`, `"NFD"`, `"NFKC"` or `"NFKD"`, the Unicode normal form in which strings are read, so that
            different code points of the same text are the same tokens; or `None` for strings as they stand. Strings
            are normalised before they are split: NFKC and NFKD turn other white space into spaces.

    Raises:
        ValueError: for a token that can never be read: one that `split` cannot produce, or that is not in lower case
            or the normal form; for an unknown `split` or `normal_form`, or no token.

    Example:
        >>> vocabulary = Vocabulary("0123456789+")
        >>> vocabulary.size
        13
        >>> vocabulary.lookup(["57+5"]).to_list()
        [[8, 10, 2, 8]]
        >>> Vocabulary("abc", lower_case=True, normal_form="NFKC").lookup(["ＡＢc"]).to_list()
        [[2, 3, 4]]
        >>> Vocabulary.from_strings(["Don't go!"], split="words").tokens
        ['Don', 'go', 't', '￭!', "￭'￭"]
    """

    def __init__(self, tokens, split="characters", unknown=False, lower_case=False, normal_form=None):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}. Received: split={split!r}")
        check_normal_form(normal_form)
        self.tokens = sorted(set(tokens))
        self.split = split
        self.unknown = bool(unknown)
        self.lower_case = bool(lower_case)
        self.normal_form = normal_form
        for token in self.tokens:
            _check_token(token, split, self.lower_case, normal_form)
        first_id = START_ID + 1 + self.unknown
        ids = np.arange(first_id, first_id + len(self.tokens), dtype="int32")
        if split == "characters":
            keys = np.array([ord(token) for token in self.tokens], "int32")
        else:
            keys = tf.strings.to_hash_bucket_fast(np.array(self.tokens, object), _HASH_BUCKETS).numpy()
        if not self.tokens:
            raise ValueError("A vocabulary needs at least one token. Received none")
        order = np.argsort(keys)
        self._keys, self._key_ids = keys[order], ids[order]
        # The id of each byte, where a character is a byte whenever it is listed, and what is listed is what is read.
        self._byte_ids = None
        if split == "characters" and not self.unknown and not self.normalizes and keys.max() < 128:
            self._byte_ids = np.full(256, self.unknown_id, "int32")
            self._byte_ids[keys] = ids
        texts = (
            ["", ""] + ["<unk>" if split == "whitespace" else chr(REPLACEMENT_CODE_POINT)] * self.unknown + self.tokens
        )
        self._texts = np.array([text.encode() for text in texts], object)

    @classmethod
    def from_strings(cls, strings, split="characters", unknown=False, lower_case=False, normal_form=None):
        """Collects the vocabulary of an iterable of `str`, normalised."""
        tokens = set()
        for string in strings:
            tokens.update(split_tokens(string, split, lower_case, normal_form))
        return cls(tokens, split, unknown, lower_case, normal_form)

    @property
    def size(self):
        """Number of ids, padding, start and unknown included: a model's `vocabulary_size`."""
        return len(self._texts)

    @property
    def unknown_id(self):
        """The unknown token's id, or -1 for a vocabulary without one."""
        return START_ID + 1 if self.unknown else -1

    @property
    def unit(self):
        """What one token is called in messages: `"character"` or `"word"`."""
        return "character" if self.split == "characters" else "word"

    @property
    def separator(self):
        """What stands between two tokens of a string where no mark joins them: nothing, or a space."""
        return "" if self.split == "characters" else " "

    @property
    def normalizes(self):
        """Whether strings are read in lower case or in a normal form, and not as they stand."""
        return self.lower_case or self.normal_form is not None

    def split_string(self, string):
        """The tokens of one `str`, normalised, as a list."""
        return split_tokens(string, self.split, self.lower_case, self.normal_form)

    def token_texts(self, string):
        """`split_string` with each token as it stands in the text, without the marks of `split="words"`."""
        return [bare_token(token, self.split) for token in self.split_string(string)]

    def join_tokens(self, tokens):
        """The `str` of a list of tokens: the inverse of `split_string`."""
        return join_tokens(tokens, self.split)

    def normalize_string(self, string):
        """`normalize` for one `str`."""
        if self.split == "characters":
            return normalize_string(string, self.lower_case, self.normal_form)
        return self.join_tokens(self.split_string(string))

    def normalize(self, strings):
        """Strings as they are read: those with the same result have the same tokens, and no others have.

        Args:
            strings: string tensor, `[batch]`, UTF-8.

        Returns:
            string tensor, `[batch]`: in lower case and normal form if the vocabulary has them, with one space where
            white space stands between two words.
        """
        if self.split != "characters":
            return self._join_words(self.tokenize(strings))
        return tf.strings.unicode_encode(self.tokenize(strings), "UTF-8") if self.normalizes else strings

    def tokenize(self, strings):
        """Normalises strings and splits them into comparable tokens.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            Ragged tensor `[batch, (length)]`: int32 code points, or the words as strings.
        """
        if self.split == "characters" or self.normalizes:
            tokens = _code_points(strings)
        if self.normalizes:
            tokens = normalizer(self.lower_case, self.normal_form)(tokens)
            strings = strings if self.split == "characters" else tf.strings.unicode_encode(tokens, "UTF-8")
        if self.split == "characters":
            return tokens
        return self._words(strings)

    def words_as_written(self, strings, length):
        """The words of each string as they stand in it; normalised, where these are not as many as are read.

        Args:
            strings: string tensor, `[batch]`.
            length: int, to which words are cut and padded with `""`.

        Returns:
            string tensor, `[batch, length]`.
        """
        read = self.tokenize(strings)
        words = read.to_tensor("", shape=[None, length])
        if not self.normalizes:
            return words
        written = self._words(strings)
        as_many = written.row_lengths() == read.row_lengths()
        return tf.where(as_many[:, None], written.to_tensor("", shape=[None, length]), words)

    def lookup(self, strings):
        """Ids of the tokens of each string.

        Args:
            strings: string tensor, `[batch]`, UTF-8.

        Returns:
            int32 ragged tensor, `[batch, (length)]`; unlisted tokens have `unknown_id`.
        """
        return self.token_ids(self.tokenize(strings))

    def token_ids(self, tokens):
        """Ids of `tokenize`'s tokens: int32 ragged tensor, `[batch, (length)]`; `unknown_id` where not listed.

        A byte that is not UTF-8 has the id -1 in any vocabulary of characters.
        """
        values = tokens.flat_values
        characters = self.split == "characters"
        keys = values if characters else tf.strings.to_hash_bucket_fast(values, _HASH_BUCKETS)
        place = tf.minimum(tf.searchsorted(self._keys, keys), len(self._keys) - 1)
        ids = tf.gather(self._key_ids, place)
        known = tf.gather(self._keys, place) == keys if characters else tf.gather(self._texts, ids) == values
        unlisted = self.unknown_id
        if characters and self.unknown:
            unlisted = tf.where(values == _INVALID_CODE_POINT, -1, unlisted)
        return tokens.with_flat_values(tf.where(known, ids, unlisted))

    def first_unlisted(self, tokens, ids):
        """The first token of each string that is not listed, string `[batch]`, without marks; `""` where all are.

        Args:
            tokens: from `tokenize`.
            ids: from `token_ids`.
        """
        first = tf.ragged.boolean_mask(tokens, ids < 0)[:, :1]
        if self.split == "characters":
            return tf.strings.unicode_encode(first, "UTF-8")
        first = tf.strings.reduce_join(first, axis=-1)
        return tf.strings.regex_replace(first, JOINER, "") if self.split == "words" else first

    def padded_ids(self, strings, length):
        """Ids of the tokens of each string, cut and padded to one length.

        Args:
            strings: string tensor, `[batch]`, UTF-8.
            length: int, at least 1.

        Returns:
            `(ids, lengths)`: int32 `[batch, length]`, as `token_ids` returns them, then `PADDING_ID`; and int32
            `[batch]`, how many tokens each string has, uncut. In a vocabulary of ASCII each byte of another character
            counts as a token of id -1.
        """
        if self._byte_ids is None:
            ids = self.lookup(strings)
            return ids.to_tensor(PADDING_ID, shape=[None, length]), tf.cast(ids.row_lengths(), tf.int32)
        # Bytes instead of characters: a third of the operations.
        lengths = tf.strings.length(strings)
        ids = tf.gather(self._byte_ids, tf.cast(tf.io.decode_raw(strings, tf.uint8, fixed_length=length), tf.int32))
        return tf.where(tf.range(length) < lengths[:, None], ids, PADDING_ID), lengths

    def join(self, ids, unknown=None):
        """Strings of id sequences; padding and start are left out.

        Args:
            ids: integer tensor, `[batch, length]`, each in `[0, size)`.
            unknown: string tensor, `[batch, length]`, of words: what to write where an id is the unknown token's; or
                `None` for the text of the unknown token itself.

        Returns:
            string tensor, `[batch]`, UTF-8.
        """
        if self.split == "characters":
            return tf.strings.reduce_join(tf.gather(self._texts, ids), axis=-1)
        words = tf.gather(self._texts, ids)
        if unknown is not None:
            words = tf.where(ids == self.unknown_id, unknown, words)
        return self._join_words(tf.ragged.boolean_mask(words, ids > START_ID))

    def _words(self, strings):
        """Words as they stand, with their marks: a ragged tensor of strings, `[batch, (length)]`."""
        return tf.strings.split(marked(tf.convert_to_tensor(strings)) if self.split == "words" else strings)

    def _join_words(self, words):
        """Strings `[batch]` of a ragged tensor of words, `[batch, (length)]`."""
        strings = tf.strings.reduce_join(words, axis=-1, separator=" ")
        return unmarked(strings) if self.split == "words" else strings

    def get_config(self):
        """The constructor's arguments."""
        return {
            "tokens": self.tokens,
            "split": self.split,
            "unknown": self.unknown,
            "lower_case": self.lower_case,
            "normal_form": self.normal_form,
        }

    @classmethod
    def from_config(cls, config):
        """The vocabulary that `get_config` described."""
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((tuple(self.tokens), self.split, self.unknown, self.lower_case, self.normal_form))

    def __repr__(self):
        options = f", lower_case={self.lower_case}, normal_form={self.normal_form!r}" if self.normalizes else ""
        return f"Vocabulary(size={self.size}, split={self.split!r}, unknown={self.unknown}{options})"


def is_invalid(strings):
    """Which strings are not valid UTF-8: bool `[batch]`."""
    return tf.reduce_any(_code_points(strings) == _INVALID_CODE_POINT, axis=1)


def _code_points(strings):
    """Unicode code points, int32 ragged `[batch, (length)]`; `_INVALID_CODE_POINT` for bytes that are not UTF-8."""
    return tf.strings.unicode_decode(strings, "UTF-8", errors="replace", replacement_char=_INVALID_CODE_POINT)


def _check_token(token, split, lower_case, normal_form):
    if split == "characters":
        if len(token) != 1 or 0xD800 <= ord(token) <= 0xDFFF or ord(token) == _INVALID_CODE_POINT:
            raise ValueError(f"A token of split='characters' must be one Unicode character. Received: {token!r}")
    elif split == "whitespace" and split_tokens(token, split) != [token]:
        raise ValueError(f"A token of split='whitespace' must be one word without white space. Received: {token!r}")
    elif split == "words" and not is_marked_word(token):
        raise ValueError(
            "A token of split='words' must be a word, or one character of punctuation, U+FFED on either side or both. "
            f"Received: {token!r}"
        )
    token = bare_token(token, split)
    normalized = normalize_string(token, lower_case, normal_form)
    if normalized != token:
        raise ValueError(
            f"A token must be as it is read with lower_case={lower_case} and normal_form={normal_form!r}, "
            f"{normalized!r}; Vocabulary.from_strings normalises tokens. Received: {token!r}"
        )
