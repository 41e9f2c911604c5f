"""Greedy search: the most probable token at each step, until an answer's end."""

import tensorflow as tf

from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

# Up to so many steps of an answer are cheaper to unroll than to loop over, ending early.
_MAX_UNROLLED_STEPS = 8


def decode_greedily(step, states, batch, length):
    """The most probable token at each step.

    Args:
        step: function from int32 `[batch]`, the token before, and states to `(logits, states)`, the logits float32
            `[batch, vocabulary_size]`.
        states: what the first step takes.
        batch: int32 scalar.
        length: int, the most tokens of an answer.

    Returns:
        `(ids, log_probability)`: int32 `[batch, length]`, 0 from the answer's end on, and float32 `[batch]`, the
        natural logarithm of the answer's probability, its end included.
    """

    def decode_one(token, ended, states, log_probability):
        logits, states = step(token, states)
        token = tf.where(ended, PADDING_ID, tf.argmax(logits, axis=-1, output_type=tf.int32))
        chosen = tf.reduce_max(tf.nn.log_softmax(logits), axis=-1)
        return token, ended | (token == PADDING_ID), states, log_probability + tf.where(ended, 0.0, chosen)

    state = (tf.fill([batch], START_ID), tf.fill([batch], False), states, tf.zeros([batch]))
    if length <= _MAX_UNROLLED_STEPS:
        ids = []
        for _ in range(length):
            state = decode_one(*state)
            ids.append(state[0])
        return tf.stack(ids, axis=1), state[-1]

    def unfinished(position, ids, token, ended, *_):
        return (position < length) & ~tf.reduce_all(ended)

    def write(position, ids, *state):
        state = decode_one(*state)
        return position + 1, ids.write(position, state[0]), *state

    ids = tf.TensorArray(tf.int32, size=length, element_shape=[None])
    ids = ids.unstack(tf.fill([length, batch], PADDING_ID))
    _, ids, *state = tf.while_loop(unfinished, write, (0, ids, *state))
    return tf.transpose(ids.stack()), state[-1]


def greedy_alignment(aligned_step, states, batch, length):
    """Greedy answers, and how each of their tokens was aligned.

    Args:
        aligned_step: `AttentionDecoder.aligned_step`.
        states: what the first step takes.
        batch: int32 scalar.
        length: int, the most tokens of an answer.

    Returns:
        `(ids, alignments)`: int32 `[batch, length]`, 0 from the answer's end on, and float32
        `[batch, length, source_length]`.
    """

    def step(position, token, ended, states, ids, alignments):
        logits, alignment, states = aligned_step(token, states)
        token = tf.where(ended, PADDING_ID, tf.argmax(logits, axis=-1, output_type=tf.int32))
        ids, alignments = ids.write(position, token), alignments.write(position, alignment)
        return position + 1, token, ended | (token == PADDING_ID), states, ids, alignments

    state = (
        0,
        tf.fill([batch], START_ID),
        tf.fill([batch], False),
        states,
        tf.TensorArray(tf.int32, length, element_shape=[None]),
        tf.TensorArray(tf.float32, length, element_shape=[None, None]),
    )
    *_, ids, alignments = tf.while_loop(lambda position, *_: position < length, step, state)
    return tf.transpose(ids.stack()), tf.transpose(alignments.stack(), (1, 0, 2))
