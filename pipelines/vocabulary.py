"""The map between tokens and ids, as TensorFlow operations on whole batches of strings."""

import keras
import numpy as np
import tensorflow as tf

PADDING_ID = 0
"""Pads a short sequence, and so also ends an answer."""

START_ID = 1
"""The first token that a decoder reads."""

REPLACEMENT_CODE_POINT = 0xFFFD
"""Stands for the unknown token of characters in texts; the code point that Unicode has for it."""

SPLITS = ("characters", "whitespace")

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
            `split="whitespace"`. Duplicates count once.
        split: `"characters"` or `"whitespace"`: what one token of a string is.
        unknown: bool. Whether tokens that are not listed get an id of their own, `unknown_id`. Without it such a
            token has the id -1, which every preprocessor reports as an error.

    Raises:
        ValueError: for a token that `split` can never produce, or an unknown `split`.

    Example:
        >>> vocabulary = Vocabulary("0123456789+")
        >>> vocabulary.size
        13
        >>> vocabulary.lookup(["57+5"]).to_list()
        [[8, 10, 2, 8]]
    """

    def __init__(self, tokens, split="characters", unknown=False):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}. Received: split={split!r}")
        self.tokens = sorted(set(tokens))
        self.split = split
        self.unknown = bool(unknown)
        for token in self.tokens:
            _check_token(token, split)
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
        # The id of each byte, where a character is a byte whenever it is listed.
        self._byte_ids = None
        if split == "characters" and not self.unknown and keys.max() < 128:
            self._byte_ids = np.full(256, self.unknown_id, "int32")
            self._byte_ids[keys] = ids
        texts = (
            ["", ""] + [chr(REPLACEMENT_CODE_POINT) if split == "characters" else "<unk>"] * self.unknown + self.tokens
        )
        self._texts = np.array([text.encode() for text in texts], object)

    @classmethod
    def from_strings(cls, strings, split="characters", unknown=False):
        """Collects the vocabulary of an iterable of `str`."""
        tokens = set()
        for string in strings:
            tokens.update(split_tokens(string, split))
        return cls(tokens, split=split, unknown=unknown)

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
        """What stands between two tokens of a string: nothing, or a space."""
        return "" if self.split == "characters" else " "

    def split_string(self, string):
        """The tokens of one `str`, as a list."""
        return split_tokens(string, self.split)

    def tokenize(self, strings):
        """Splits strings into comparable tokens.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            Ragged tensor `[batch, (length)]`: int32 code points, or the words as strings.
        """
        if self.split == "characters":
            return _code_points(strings)
        return tf.strings.split(strings)

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
        """The first token of each string that is not listed, string `[batch]`; `""` where all are.

        Args:
            tokens: from `tokenize`.
            ids: from `token_ids`.
        """
        first = tf.ragged.boolean_mask(tokens, ids < 0)[:, :1]
        if self.split == "characters":
            return tf.strings.unicode_encode(first, "UTF-8")
        return tf.strings.reduce_join(first, axis=-1)

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

    def join(self, ids):
        """Strings of id sequences; padding and start are left out.

        Args:
            ids: integer tensor, `[batch, length]`, each in `[0, size)`.

        Returns:
            string tensor, `[batch]`, UTF-8.
        """
        if self.split == "characters":
            return tf.strings.reduce_join(tf.gather(self._texts, ids), axis=-1)
        ids = tf.ragged.boolean_mask(ids, ids > START_ID)
        words = ids.with_flat_values(tf.gather(self._texts, ids.flat_values))
        return tf.strings.reduce_join(words, axis=-1, separator=" ")

    def get_config(self):
        """The constructor's arguments."""
        return {"tokens": self.tokens, "split": self.split, "unknown": self.unknown}

    @classmethod
    def from_config(cls, config):
        """The vocabulary that `get_config` described."""
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((tuple(self.tokens), self.split, self.unknown))

    def __repr__(self):
        return f"Vocabulary(size={self.size}, split={self.split!r}, unknown={self.unknown})"


def split_tokens(string, split):
    """The tokens of one `str` as a list, split as `Vocabulary.tokenize` splits: words at ASCII white space."""
    return list(string) if split == "characters" else [word.decode() for word in string.encode().split()]


def is_invalid(strings):
    """Which strings are not valid UTF-8: bool `[batch]`."""
    return tf.reduce_any(_code_points(strings) == _INVALID_CODE_POINT, axis=1)


def _code_points(strings):
    """Unicode code points, int32 ragged `[batch, (length)]`; `_INVALID_CODE_POINT` for bytes that are not UTF-8."""
    return tf.strings.unicode_decode(strings, "UTF-8", errors="replace", replacement_char=_INVALID_CODE_POINT)


def _check_token(token, split):
    if split == "characters":
        if len(token) != 1 or 0xD800 <= ord(token) <= 0xDFFF or ord(token) == _INVALID_CODE_POINT:
            raise ValueError(f"A token of split='characters' must be one Unicode character. Received: {token!r}")
    elif split_tokens(token, split) != [token]:
        raise ValueError(f"A token of split='whitespace' must be one word without white space. Received: {token!r}")
