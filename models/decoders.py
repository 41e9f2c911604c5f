"""The decoders: from an encoder's states to the logits of an answer, all at once or step by step."""

import keras
import tensorflow as tf

from seqzoo.models.layers.initializers import constructor_arguments, initializer_options
from seqzoo.models.layers.recurrent import number_of_states, recurrent_layers, repeat


@keras.saving.register_keras_serializable("seqzoo")
class Decoder(keras.Model):
    """Writes an answer, token by token, from the states it is given.

    `Decoder` of *Deep Learning from Scratch 2*, section 7.3.2. Called on a whole target it returns all logits at once
    (teacher forcing); `step` returns those of one token. Both compute the same numbers.

    Args:
        vocabulary_size: int.
        embedding_dim: int.
        hidden_dim: int, units of each recurrent layer.
        length: int, the targets' length, or `None` for any. `unroll` needs it.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int.
        dropout: float, rate of dropout on the embedded tokens and on each layer's outputs.
        unroll: bool, see `Recurrent`.
        initializer: `"keras"` or `"book"`, see `initializer_options`.
        dtype: dtype policy of all layers; logits are float32 whatever it is.

    Call arguments:
        inputs: dictionary of `target`, int32 `[batch, length]`, and `states`, as `Encoder` returns them.

    Returns:
        float32 logits, `[batch, length, vocabulary_size]`.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        hidden_dim,
        length=None,
        cell="lstm",
        num_layers=1,
        dropout=0.0,
        unroll=False,
        initializer="keras",
        dtype=None,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        dtype = keras.dtype_policies.get(dtype or keras.config.dtype_policy()).name

        # === Layers ===
        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            dtype=dtype,
            name="embedding",
            **initializer_options(initializer, "embedding"),
        )
        self.recurrent = recurrent_layers(cell, hidden_dim, num_layers, unroll, initializer, dtype)
        self.dropouts = [keras.layers.Dropout(dropout, dtype=dtype, name=f"dropout_{i}") for i in range(num_layers + 1)]
        self.dense = keras.layers.Dense(
            vocabulary_size, dtype="float32", name="logits", **initializer_options(initializer, "dense")
        )

        # === Functional Model ===
        target = keras.Input((length,), dtype="int32", name="target")
        states = [
            [
                keras.Input((hidden_dim,), dtype=layer.compute_dtype, name=f"state_{i}_{j}")
                for j in range(number_of_states(cell))
            ]
            for i, layer in enumerate(self.recurrent)
        ]
        context = self.context(states)
        x = self.embedding(target)
        for layer, drop, layer_states in zip(self.recurrent, self.dropouts, states, strict=False):
            x = layer(drop(x), states=layer_states, context=context)[0]
        x = self.dropouts[-1](x)
        logits = self.dense(x if context is None else keras.ops.concatenate([repeat(context, x), x], axis=-1))
        super().__init__(inputs={"target": target, "states": states}, outputs=logits, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self._config = {**config, "dtype": dtype}

    def context(self, states):
        """What every step reads beside its token, given the encoder's states: `[batch, context_dim]` or `None`."""
        return None

    def initial_state(self, states):
        """The states that `step` starts from.

        Args:
            states: as `Encoder` returns them.

        Returns:
            A dictionary: `layers`, the encoder's states, and what all steps have in common, computed once: `tokens`,
            each token's embedding times the first layer's kernel, `[vocabulary_size, gates × hidden_dim]`; and
            where there is a `context`, it and its product with each layer's kernel, `projected`.
        """
        start = {
            "layers": states,
            "tokens": self.recurrent[0].project(self.embedding(keras.ops.arange(self.vocabulary_size))),
        }
        context = self.context(states)
        if context is not None:
            start["context"] = context
            start["projected"] = [layer.project_context(context) for layer in self.recurrent]
        return start

    def step(self, token, states):
        """One step of inference.

        Args:
            token: int32, `[batch]`, the token before.
            states: from `initial_state`, or the step before.

        Returns:
            `(logits, states)`: float32 `[batch, vocabulary_size]` of the next token, and the new states.
        """
        x, layer_states = None, []
        for i, layer in enumerate(self.recurrent):
            projected = tf.gather(states["tokens"], token) if i == 0 else layer.project(x)
            if "context" in states:
                projected += states["projected"][i]
            x, new_states = layer.step(projected, states["layers"][i])
            layer_states.append(new_states)
        if "context" in states:
            x = keras.ops.concatenate([states["context"], x], axis=-1)
        return self.dense(x), {**states, "layers": layer_states}

    def get_config(self):
        """The constructor's arguments."""
        return {**self._config, "name": self.name, "trainable": self.trainable}


@keras.saving.register_keras_serializable("seqzoo")
class PeekyDecoder(Decoder):
    """A decoder whose every step also reads the encoder's last hidden state.

    `PeekyDecoder` of *Deep Learning from Scratch 2*, section 7.4.2 (after Cho et al. 2014,
    https://arxiv.org/abs/1406.1078): every recurrent layer and the dense layer get the top layer's `h` beside their
    inputs. Arguments and results are `Decoder`'s.
    """

    def context(self, states):
        """The top layer's hidden state, `[batch, hidden_dim]`."""
        return states[-1][0]
