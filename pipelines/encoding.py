"""Strings of one side of the pairs as padded ids, and what is wrong with each."""

import tensorflow as tf

from seqzoo.pipelines.row_errors import MAX_SHOWN_CHARACTERS, escaped, explained
from seqzoo.pipelines.vocabulary import PADDING_ID, is_invalid


def padded_ids(vocabulary, strings, length):
    """`(ids, wrong)` of one side: int32 `[batch, length]`, padding in wrong rows; and bool `[batch]`."""
    ids, token_counts = vocabulary.padded_ids(strings, length)
    wrong = tf.reduce_any(ids < 0, axis=1) | (token_counts == 0) | (token_counts > length)
    if vocabulary.split != "characters" and (vocabulary.unknown or vocabulary.normalizes):
        wrong |= is_invalid(strings)
    return tf.where(wrong[:, None], PADDING_ID, ids), wrong


def encode_strings(vocabulary, strings, length, side):
    """`(ids, errors)` of one side, see `PairPreprocessor.encode_sources`."""
    strings = tf.convert_to_tensor(strings, tf.string)
    ids, wrong = padded_ids(vocabulary, strings, length)

    def messages():
        tokens = vocabulary.tokenize(strings)
        token_ids = vocabulary.token_ids(tokens)
        lengths = token_ids.row_lengths()
        invalid = is_invalid(strings)
        text = tf.where(invalid, "", strings)
        shown = tf.strings.substr(text, 0, MAX_SHOWN_CHARACTERS, unit="UTF8_CHAR")
        value = tf.strings.join([side, " '", shown, tf.where(shown == text, "'", "…'")])
        unit = vocabulary.unit
        count = tf.strings.as_string(lengths)
        first = vocabulary.first_unlisted(tokens, token_ids)
        message = tf.where(
            lengths > length,
            tf.strings.join([value, " has ", count, f" {unit}s, the model takes at most {length}"]),
            tf.strings.join([value, f" has the {unit} '", first, "', which is not in the vocabulary"]),
        )
        message = tf.where(lengths == 0, f"{side} is empty", message)
        message = tf.where(invalid, tf.strings.join([f"{side} is not valid UTF-8: ", escaped(strings)]), message)
        return tf.where(wrong, message, "")

    errors = tf.cond(tf.reduce_any(wrong), messages, lambda: tf.zeros_like(strings))
    return ids, explained(errors, strings, vocabulary, length)
