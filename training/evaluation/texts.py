"""Scores of a language model: how well it predicts each token of a text."""

import math

import numpy as np
import tensorflow as tf

from seqzoo.runtime import has_gpu

_PART = 1024
_SAMPLES = ("", 200)


def evaluate_text(model, text, beam_size=1, length_penalty=0.0, block=None):
    """Predicts each token of a text from those before it, and measures.

    The text is read once, in order, the state carried on to its end: every token is scored with its whole context. In
    blocks, as nanoGPT scores texts, the state begins anew in each, and a token has the context of its block only.

    Args:
        model: `LanguageModel`.
        text: what `TextPreprocessor.encode` takes.
        beam_size: 1; a text is predicted, without a search.
        length_penalty: 0.
        block: int, tokens in a block; `None` for the whole context.

    Returns:
        A dictionary of `tokens`, int; `nats_per_token`, the mean of the negative natural logarithms of the tokens'
        probabilities; `bits_per_token`, the same in bits; `perplexity`, its exponential; `accuracy`, the share of
        tokens that were the most probable ones; and `examples`, a text that the model writes, as a list of one.

    Raises:
        ValueError: for a text that does not fit the model, a beam, or a block without tokens.
    """
    if (beam_size, length_penalty) != (1, 0):
        raise ValueError(
            f"A {type(model).__name__} is scored without a search: leave out beam_size and length_penalty. "
            f"Received: beam_size={beam_size}, length_penalty={length_penalty}"
        )
    if block is not None and not (isinstance(block, int) and block > 0):
        raise ValueError(f"block must be a number of tokens from 1, or None. Received: {block!r}")

    @tf.function(jit_compile=not has_gpu(), autograph=False)
    def score(tokens, targets, states):
        logits, states = model.read(tokens, states)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        return losses, tf.argmax(logits, axis=-1, output_type=tf.int32) == targets, states

    first, nats, right, tokens = model.initial_state(1), 0.0, 0, 0
    states, most = first, 0
    for part, targets in model.preprocessor.ordered(text, block or _PART):
        # All parts have the shape of the first, for one compilation; what is read past the end does not count.
        length = targets.shape[1]
        most = max(most, length)
        padding = [(0, 0), (0, most - length)]
        losses, hits, states = score(np.pad(part, padding), np.pad(targets, padding), first if block else states)
        nats += float(np.sum(losses[0, :length], dtype="float64"))
        right += int(np.count_nonzero(hits[0, :length]))
        tokens += length
    nats /= tokens
    return {
        "tokens": tokens,
        "nats_per_token": nats,
        "bits_per_token": nats / math.log(2),
        "perplexity": math.exp(min(nats, 700.0)),
        "accuracy": right / tokens,
        "examples": [model.generate(*_SAMPLES)],
    }
