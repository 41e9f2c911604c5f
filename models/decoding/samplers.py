"""Samplers: how a language model picks its next token."""

import keras
import tensorflow as tf

_DRAWS_A_SEED = 64


@keras.saving.register_keras_serializable("seqzoo")
class Sampler:
    """Draws a token by its probability. The base of all samplers, which override `adjust`.

    A draw depends on the logits and on one uniform number alone, so that the same seed leads to the same text alone and
    in a batch, in Python and in an exported graph. A sampler is compiled when it is first used: do not change it later.

    Example:
        >>> class Cooling(seqzoo.models.Sampler):
        ...     def adjust(self, logits):
        ...         return 2.0 * logits
    """

    def adjust(self, logits):
        """The logits to draw by: float32 `[batch, vocabulary_size]`, `-inf` for what must not be drawn."""
        return logits

    def __call__(self, logits, uniform):
        """One token a row, by the inverse of its distribution function.

        Args:
            logits: float32 `[batch, vocabulary_size]`.
            uniform: float32 `[batch]` in [0, 1).

        Returns:
            int32 `[batch]`.
        """
        cumulated = tf.cumsum(tf.nn.softmax(self.adjust(logits)), axis=-1)
        return tf.math.count_nonzero(cumulated <= uniform[:, None] * cumulated[:, -1:], axis=-1, dtype=tf.int32)

    def get_config(self):
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The sampler that `get_config` described."""
        return cls(**config)

    # Equal samplers share one compiled loop. One with attributes that are not in `get_config` equals only itself.
    def __eq__(self, other):
        if self is other or type(self) is not type(other):
            return self is other
        return self._value() is not None and self._value() == other._value()

    def __hash__(self):
        return hash(type(self))

    def _value(self):
        return self.get_config() if "get_config" in vars(type(self)) or not vars(self) else None


@keras.saving.register_keras_serializable("seqzoo")
class Greedy(Sampler):
    """Always the most probable token, the one with the lowest id among equals."""

    def adjust(self, logits):
        """All but the highest logit are `-inf`."""
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.where(tf.range(tf.shape(logits)[-1]) == best[:, None], 0.0, -float("inf"))


@keras.saving.register_keras_serializable("seqzoo")
class Temperature(Sampler):
    """Divides the logits by a temperature: below 1 the probable becomes more probable, above 1 less.

    Args:
        temperature: float above 0.

    Raises:
        ValueError: for a temperature that is not.
    """

    def __init__(self, temperature=1.0):
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be a number above 0. Received: temperature={temperature}")
        # Nearer to 0 or to infinity float32 would overflow; the draws are the same.
        self.temperature = min(max(float(temperature), 1e-30), 1e30)

    def adjust(self, logits):
        """The logits divided by the temperature."""
        # The highest logit moves to 0 first, lest a low temperature overflows.
        return (logits - tf.reduce_max(logits, axis=-1, keepdims=True)) / self.temperature

    def get_config(self):
        """The constructor's arguments."""
        return {"temperature": self.temperature}


@keras.saving.register_keras_serializable("seqzoo")
class TopK(Sampler):
    """Draws among the k most probable tokens only; tokens as probable as the last of them stay too.

    Args:
        k: int from 1. A k above the vocabulary's size keeps all.

    Raises:
        ValueError: for a k below 1.
    """

    def __init__(self, k):
        if not 1 <= k < float("inf") or k != int(k):
            raise ValueError(f"k must be a whole number from 1. Received: k={k}")
        self.k = min(int(k), 2**31 - 1)

    def adjust(self, logits):
        """All but the k highest logits are `-inf`."""
        lowest = tf.math.top_k(logits, tf.minimum(self.k, tf.shape(logits)[-1])).values[:, -1:]
        return tf.where(logits >= lowest, logits, -float("inf"))

    def get_config(self):
        """The constructor's arguments."""
        return {"k": self.k}


@keras.saving.register_keras_serializable("seqzoo")
class TopP(Sampler):
    """Draws among the fewest tokens whose probabilities add up to p.

    Nucleus sampling, Holtzman et al. 2020, https://arxiv.org/abs/1904.09751.

    Args:
        p: float in (0, 1].

    Raises:
        ValueError: for a p outside.
    """

    def __init__(self, p):
        if not 0 < p <= 1:
            raise ValueError(f"p must be in (0, 1]. Received: p={p}")
        self.p = float(p)

    def adjust(self, logits):
        """All but the most probable logits, up to a probability of p, are `-inf`."""
        order = tf.argsort(logits, axis=-1, direction="DESCENDING", stable=True)
        descending = tf.gather(logits, order, batch_dims=1)
        probability = tf.nn.softmax(descending)
        # What comes before a token must not reach p yet; before the most probable one there is nothing.
        before = tf.cumsum(probability, axis=-1, exclusive=True)
        kept = (before < self.p) | (before == 0)
        lowest = tf.reduce_min(tf.where(kept, descending, float("inf")), axis=-1, keepdims=True)
        return tf.where(logits >= lowest, logits, -float("inf"))

    def get_config(self):
        """The constructor's arguments."""
        return {"p": self.p}


@keras.saving.register_keras_serializable("seqzoo")
class Chain(Sampler):
    """Several samplers, each adjusting what the one before has left: `Chain([Temperature(0.8), TopK(40)])`.

    Args:
        samplers: sequence of `Sampler`.
    """

    def __init__(self, samplers):
        self.samplers = list(samplers)

    def adjust(self, logits):
        """The logits, adjusted by each sampler in turn."""
        for sampler in self.samplers:
            logits = sampler.adjust(logits)
        return logits

    def get_config(self):
        """The constructor's arguments, the samplers serialised."""
        return {"samplers": [keras.saving.serialize_keras_object(sampler) for sampler in self.samplers]}

    @classmethod
    def from_config(cls, config):
        """The chain that `get_config` described."""
        return cls([keras.saving.deserialize_keras_object(sampler) for sampler in config["samplers"]])

    def _value(self):
        return self.samplers


def uniform_numbers(seeds, first, count):
    """The numbers that draws depend on, each by its seed and position alone: float32 `[batch, count]` in [0, 1).

    `seeds` are int64 `[batch]`, `first` the position of the first draw and `count` how many, int32 scalars.
    """
    first_block = first // _DRAWS_A_SEED
    blocks = tf.range(first_block, (first + count - 1) // _DRAWS_A_SEED + 1, dtype=tf.int32)
    pairs = tf.stack(tf.meshgrid(seeds, tf.cast(blocks, tf.int64), indexing="ij"), axis=-1)

    def block(seed):
        return tf.random.stateless_uniform([_DRAWS_A_SEED], seed, alg="philox")

    spec = tf.TensorSpec([_DRAWS_A_SEED], tf.float32)
    numbers = tf.map_fn(block, tf.reshape(pairs, [-1, 2]), fn_output_signature=spec)
    start = first - first_block * _DRAWS_A_SEED
    return tf.reshape(numbers, [tf.size(seeds), tf.size(blocks) * _DRAWS_A_SEED])[:, start : start + count]
