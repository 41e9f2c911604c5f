"""The loop that continues a text: one token after the other, drawn by a sampler, until an end."""

import tensorflow as tf

from seqzoo.models.decoding.samplers import uniform_numbers
from seqzoo.pipelines.text_preprocessor import END_ID
from seqzoo.pipelines.vocabulary import PADDING_ID


def initial_decoding_state(token, states, stop_length=0):
    """The state that `continue_text` starts from, a dictionary.

    `token` is int32 `[batch]`, the last token of each prompt; `states` are the model's before it; `stop_length` is the
    number of tokens of the stop string.
    """
    batch = tf.size(token)
    return {
        "token": token,
        "states": states,
        "position": tf.constant(0),
        "ended": tf.fill([batch], False),
        "recent": tf.fill([batch, stop_length], -1),
    }


def continue_text(step, state, rules, count, sampler):
    """Appends up to `count` tokens in one loop; the same in Python and in an exported graph.

    Args:
        step: function from int32 `[batch]`, a token, and states to `(logits, states)`.
        state: from `initial_decoding_state`, or from the call before.
        rules: dictionary of `seeds`, int64 `[batch]`; `allowed`, bool `[vocabulary_size]`; and `stop`, int32
            `[length]`, the ids of the stop string, if any.
        count: int32 scalar.
        sampler: `Sampler`.

    Returns:
        `(ids, state)`: int32 `[batch, count]`, 0 after an end; and the state to continue from.
    """
    uniform = uniform_numbers(rules["seeds"], state["position"], count)
    batch = tf.size(state["token"])
    has_stop = tf.size(rules["stop"]) > 0

    def unfinished(at, token, states, ended, recent, ids):
        return (at < count) & ~tf.reduce_all(ended)

    def append_one(at, token, states, ended, recent, ids):
        logits, states = step(token, states)
        logits = tf.where(rules["allowed"], logits, -float("inf"))
        token = tf.where(ended, PADDING_ID, sampler(logits, uniform[:, at]))
        ended |= token == END_ID
        recent = tf.concat([recent, token[:, None]], axis=1)[:, 1:]
        ended |= has_stop & tf.reduce_all(recent == rules["stop"], axis=1)
        return at + 1, token, states, ended, recent, ids.write(at, token)

    ids = tf.TensorArray(tf.int32, size=count, element_shape=[None])
    ids = ids.unstack(tf.fill([count, batch], PADDING_ID))
    start = (0, state["token"], state["states"], state["ended"], state["recent"], ids)
    at, token, states, ended, recent, ids = tf.while_loop(unfinished, append_one, start)
    state = {"token": token, "states": states, "position": state["position"] + at, "ended": ended, "recent": recent}
    return tf.transpose(ids.stack()), state


def encode_stop(vocabulary, stop):
    """The ids of a stop string, a list; empty for `None`."""
    if stop is None:
        return []
    ids = vocabulary.lookup([stop]).flat_values.numpy().tolist()
    if not ids or vocabulary.unknown_id in ids:
        raise ValueError(f"stop must be text of tokens that the model can write. Received: stop={stop!r}")
    return ids


def allowed_tokens(vocabulary, skip=()):
    """Which tokens may be written, bool `[vocabulary_size]`: all listed ones but `skip`, and the end symbol."""
    skip = set(skip)
    if unlisted := sorted(skip - set(vocabulary.tokens)):
        raise ValueError(f"skip has the token {unlisted[0]!r}, which is not in the vocabulary")
    first = vocabulary.size - len(vocabulary.tokens)
    allowed = [index == END_ID for index in range(first)]
    allowed += [token not in skip for token in vocabulary.tokens]
    if not any(allowed[first:]):
        raise ValueError("skip leaves no token to write. Received: the whole vocabulary")
    return tf.constant(allowed)
