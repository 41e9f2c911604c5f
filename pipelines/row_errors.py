"""Errors of rows: one text a row, `""` where the row is fine."""

import tensorflow as tf

from seqzoo.pipelines.characters import explained_error

MAX_SHOWN_CHARACTERS = 60
"""Longer values are cut in messages."""


class DataWarning(UserWarning):
    """Something in data that is no error, and that one would want to know before a training."""


def raise_first_error(errors, first_row=1):
    """Raises a `ValueError` for the first text in `errors`, string `[batch]`, that is not `""`.

    The error names its row, counted from `first_row`; with `None`, for what is no row of many, it does not.
    """
    for row, error in enumerate(errors.numpy(), first_row or 0):
        if error:
            raise ValueError(error.decode() if first_row is None else f"row {row}: {error.decode()}")


def explained(errors, strings, vocabulary, length=None):
    """Errors with explanations that no graph can make; in a graph the errors as they are.

    Args:
        errors: string `[batch]`.
        strings: string `[batch]`, what they are errors of.
        vocabulary: `Vocabulary` that reads the strings.
        length: int, how many tokens they may have, or `None` for any number.

    Returns:
        string `[batch]`; see `seqzoo.pipelines.characters.explained_error`.
    """
    if not tf.executing_eagerly():
        return errors
    messages = errors.numpy()
    if not any(messages):
        return errors
    rows = zip(messages.tolist(), strings.numpy().tolist(), strict=True)
    return tf.constant([error and explained_error(error, string, vocabulary, length) for error, string in rows])


def checked_ids(source_ids, answer_ids, errors, first_row=1):
    """Returns the ids if no row is wrong; else raises, or in a graph asserts."""
    if tf.executing_eagerly():
        raise_first_error(errors, first_row)
        return source_ids, answer_ids
    wrong = tf.boolean_mask(errors, errors != "")
    with tf.control_dependencies([tf.debugging.Assert(tf.size(wrong) == 0, [wrong[:1]])]):
        return tf.identity(source_ids), tf.identity(answer_ids)


def escaped(strings):
    r"""Strings with each byte that is not printable ASCII written as `\xNN`, cut to a length that can be shown."""
    texts = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
    characters = tf.strings.bytes_split(tf.strings.substr(strings, 0, MAX_SHOWN_CHARACTERS))
    byte_values = tf.reshape(tf.io.decode_raw(characters.flat_values, tf.uint8, fixed_length=1), [-1])
    escaped = tf.gather(tf.constant(texts), tf.cast(byte_values, tf.int32))
    return tf.strings.reduce_join(characters.with_flat_values(escaped), axis=-1)
