"""Beam search: the most probable answers that a beam of hypotheses finds."""

import math

import tensorflow as tf

from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID

MAX_BEAM_SIZE = 1000

# In place of minus infinity, whose differences are no numbers.
_IMPOSSIBLE = -1e30


def check_beam(beam_size, n=1, length_penalty=0.0):
    """Raises a `ValueError` for a beam that is none, more answers than hypotheses, or a penalty that is none.

    The penalty is a number from 0, the beam a whole number from 1 to a limit, past which it would take any memory.
    """
    for name, value in (("beam_size", beam_size), ("n", n)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_BEAM_SIZE:
            raise ValueError(f"{name} must be a whole number from 1 to {MAX_BEAM_SIZE}. Received: {name}={value!r}")
    if n > beam_size:
        raise ValueError(f"A beam finds as many answers as it is wide. Received: n={n}, beam_size={beam_size}")
    is_number = isinstance(length_penalty, int | float) and not isinstance(length_penalty, bool)
    if not is_number or not 0 <= length_penalty < math.inf:
        raise ValueError(f"length_penalty must be a number from 0. Received: length_penalty={length_penalty!r}")


def beam_search(step, states, batch, length, beam_size, n=1, length_penalty=0.0):
    """The best complete answers to each source among those that a beam of unfinished ones leads to.

    At each step the `beam_size` most probable continuations stay, and the answers that end there are set aside. The
    search of a source ends when no unfinished answer can become better than the `n` best complete ones; the loop ends
    when that of all sources has. An answer of `length` tokens is complete without an end, and no answer is empty.

    Args:
        step: function from int32 `[batch × beam_size]`, the tokens before, states and `beam_size` to
            `(logits, states)`, the logits float32 `[batch × beam_size, vocabulary_size]`.
        states: dictionary whose `layers` are the states of one hypothesis for each source, `[batch, …]` each. The rest
            stays as it is, outside the loop.
        batch: int32 scalar.
        length: int, the most tokens of an answer.
        beam_size: int.
        n: int, up to `beam_size`.
        length_penalty: float from 0. Answers are ranked by their log-probability divided by
            `((5 + tokens) / 6) ** length_penalty`, the end being a token (Wu et al. 2016,
            https://arxiv.org/abs/1609.08144, section 7). 0 ranks by probability.

    Returns:
        `(ids, log_probability)`: int32 `[batch, n, length]`, best first, 0 from an answer's end on; and float32
        `[batch, n]`, natural logarithms, `-inf` where there are fewer answers.
    """

    def penalty(tokens):
        return ((5.0 + tf.cast(tokens, tf.float32)) / 6.0) ** length_penalty

    def merged(complete, ids, log_probability, tokens):
        """The `n` best of those that are complete and others of one length, `[batch, …]`."""
        scores = tf.concat([complete["score"], log_probability / penalty(tokens)], axis=1)
        best, at = tf.math.top_k(scores, n)
        return {
            "score": best,
            "log_probability": _take(tf.concat([complete["log_probability"], log_probability], axis=1), at),
            "ids": _take(tf.concat([complete["ids"], ids], axis=1), at),
        }

    def extend(position, token, log_probability, ids, layers, complete):
        logits, new = step(tf.reshape(token, [-1]), {**states, "layers": layers}, beam_size)
        size = logits.shape[-1]
        of_next = tf.reshape(tf.nn.log_softmax(logits), [-1, beam_size, size])
        reached = log_probability[:, :, None] + of_next
        # No answer is empty.
        ended = tf.where(position == 0, _IMPOSSIBLE, reached[:, :, PADDING_ID])
        complete = merged(complete, ids, ended, position + 1)
        # Neither the end nor the start, which stands in no answer, is a continuation.
        reached = reached[:, :, START_ID + 1 :]
        log_probability, at = tf.math.top_k(tf.reshape(reached, [-1, beam_size * (size - START_ID - 1)]), beam_size)
        parent, token = at // (size - START_ID - 1), at % (size - START_ID - 1) + START_ID + 1
        log_probability = tf.maximum(log_probability, _IMPOSSIBLE)
        layers = tf.nest.map_structure(lambda state: _take_hypotheses(state, parent, beam_size), new["layers"])
        ids = tf.where(tf.range(length) == position, token[:, :, None], _take(ids, parent))
        return position + 1, token, log_probability, ids, layers, complete

    def unfinished(position, token, log_probability, ids, layers, complete):
        # A log-probability only falls; the most that the penalty can make of it is that of the greatest length.
        can_improve = log_probability[:, 0] / penalty(length) > complete["score"][:, -1]
        return (position < length) & tf.reduce_any(can_improve)

    none = tf.fill([batch, n], _IMPOSSIBLE)
    state = (
        tf.constant(0),
        tf.fill([batch, beam_size], START_ID),
        tf.tile([[0.0] + [_IMPOSSIBLE] * (beam_size - 1)], [batch, 1]),
        tf.fill([batch, beam_size, length], PADDING_ID),
        tf.nest.map_structure(lambda state: tf.repeat(state, beam_size, axis=0), states["layers"]),
        {"score": none, "log_probability": none, "ids": tf.fill([batch, n, length], PADDING_ID)},
    )
    position, _, log_probability, ids, _, complete = tf.while_loop(unfinished, extend, state, maximum_iterations=length)
    log_probability = tf.where(position == length, log_probability, _IMPOSSIBLE)
    complete = merged(complete, ids, log_probability, length)
    is_answer = complete["log_probability"] > _IMPOSSIBLE / 2
    return complete["ids"], tf.where(is_answer, complete["log_probability"], -math.inf)


def _take(values, at):
    """`values` `[batch, count, …]` at `at` `[batch, chosen]`: `[batch, chosen, …]`."""
    return tf.gather(values, at, batch_dims=1)


def _take_hypotheses(state, parent, beam_size):
    """The rows of the chosen hypotheses, `[batch × beam_size, dim]` before and after."""
    dim = state.shape[-1]
    return tf.reshape(_take(tf.reshape(state, [-1, beam_size, dim]), parent), [-1, dim])


def check_no_beam(model, beam_size, length_penalty):
    """Raises a `ValueError` for a beam, or a length penalty, of a model that searches for no answers."""
    check_beam(beam_size, 1, length_penalty)
    if beam_size > 1 or length_penalty:
        raise ValueError(
            f"A {type(model).__name__} continues prompts and searches for no answers: leave out beam_size and "
            f"length_penalty. Received: beam_size={beam_size}, length_penalty={length_penalty}"
        )
