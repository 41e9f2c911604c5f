"""The decoders: from what an encoder returns to the logits of an answer, all at once or step by step."""

import keras
import tensorflow as tf

from seqzoo.models.layers.attention import GlobalAttention
from seqzoo.models.layers.dropout import Dropout
from seqzoo.models.layers.initializers import constructor_arguments, initializer_options
from seqzoo.models.layers.recurrent import number_of_states, repeat, token_layers


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
        config["dtype"] = dtype = keras.dtype_policies.get(dtype or keras.config.dtype_policy()).name

        # === Layers ===
        self.embedding, self.recurrent, self.dropouts = token_layers(config, num_layers + 1)
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
        inputs = {"target": target, "states": states, **self._more_inputs(config)}
        context = self.context(states)
        x = self.embedding(target)
        for layer, drop, layer_states in zip(self.recurrent, self.dropouts, states, strict=False):
            x = layer(drop(x), states=layer_states, context=context)[0]
        logits = self._logits(self.dropouts[-1](x), context, inputs)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self._config = config

    def context(self, states):
        """What every step reads beside its token, given the encoder's states: `[batch, context_dim]` or `None`."""
        return None

    def initial_state(self, encoded):
        """The states that `step` starts from.

        Args:
            encoded: the dictionary that `Encoder` returns.

        Returns:
            A dictionary: `layers`, the encoder's states, one row for each answer that is being written; and what all
            steps, and all answers to a source, have in common, computed once: `tokens`, each token's embedding times
            the first layer's kernel, `[vocabulary_size, gates × hidden_dim]`; and where there is a `context`, it and
            its product with each layer's kernel, `projected`.
        """
        start = {
            "layers": encoded["states"],
            "tokens": self.recurrent[0].project(self.embedding(tf.range(self.vocabulary_size))),
        }
        context = self.context(encoded["states"])
        if context is not None:
            start["context"] = context
            start["projected"] = [layer.project_context(context) for layer in self.recurrent]
        return start

    def step(self, token, states, beam_size=1):
        """One step of inference.

        Args:
            token: int32, `[batch × beam_size]`, the token before; the hypotheses of a source stand side by side.
            states: from `initial_state`, or the step before; `layers` with a row for each hypothesis.
            beam_size: int.

        Returns:
            `(logits, states)`: float32 `[batch × beam_size, vocabulary_size]` of the next token, and the new states.
        """
        output, states = self._recurrent_step(token, states, beam_size)
        if "context" in states:
            output = keras.ops.concatenate([_for_each(states["context"], beam_size), output], axis=-1)
        return self.dense(output), states

    def get_config(self):
        """The constructor's arguments."""
        return {**self._config, "name": self.name, "trainable": self.trainable}

    def _more_inputs(self, config):
        """Inputs beside `target` and `states`, a dictionary."""
        return {}

    def _logits(self, outputs, context, inputs):
        """Logits of the last layer's outputs, `[batch, length, …]` all."""
        return self.dense(
            outputs if context is None else keras.ops.concatenate([repeat(context, outputs), outputs], axis=-1)
        )

    def _recurrent_step(self, token, states, beam_size):
        """The last layer's output for each hypothesis, and the new states."""
        x, layer_states = None, []
        for i, layer in enumerate(self.recurrent):
            projected = tf.gather(states["tokens"], token) if i == 0 else layer.project(x)
            if "context" in states:
                projected += _for_each(states["projected"][i], beam_size)
            x, new_states = layer.step(projected, states["layers"][i])
            layer_states.append(new_states)
        return x, {**states, "layers": layer_states}


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


@keras.saving.register_keras_serializable("seqzoo")
class AttentionDecoder(Decoder):
    """A decoder whose every step reads the encoder's outputs by attention; see `GlobalAttention`.

    `AttentionDecoder` of *Deep Learning from Scratch 2*, section 8.2 (Luong et al. 2015,
    https://arxiv.org/abs/1508.04025, without input feeding, so that all steps are attended at once in training).

    Args:
        memory_dim: int, dimension of the encoder's outputs.
        memory_length: int, or `None` for any.
        **options: as for `Decoder`.

    Call arguments:
        inputs: dictionary of `target`, int32 `[batch, length]`, and what `Encoder` returns with `return_sequences`.

    Returns:
        float32 logits, `[batch, length, vocabulary_size]`.
    """

    def __init__(self, *args, memory_dim, memory_length=None, **options):
        self._memory_shape = (memory_length, memory_dim)
        super().__init__(*args, **options)
        self._config |= {"memory_dim": memory_dim, "memory_length": memory_length}

    def initial_state(self, encoded):
        """As of `Decoder`, with `keys`, `values` and `mask` of the source in common."""
        keys, values = self.attention.project(encoded["outputs"])
        return {**super().initial_state(encoded), "keys": keys, "values": values, "mask": encoded["mask"]}

    def step(self, token, states, beam_size=1):
        """One step of inference; see `Decoder`."""
        return self.aligned_step(token, states, beam_size)[::2]

    def aligned_step(self, token, states, beam_size=1):
        """`(logits, alignment, states)`: as `step`, and float32 `[batch × beam_size, source_length]`."""
        output, states = self._recurrent_step(token, states, beam_size)
        outputs = tf.reshape(output, [-1, beam_size, output.shape[-1]])  # The hypotheses in the place of steps.
        read, alignment = self.attention.attend(outputs, *(states[name] for name in ("keys", "values", "mask")))
        logits = self.dense(tf.reshape(read, [-1, read.shape[-1]]))
        return logits, tf.reshape(alignment, [-1, tf.shape(alignment)[-1]]), states

    def _more_inputs(self, config):
        initializer, dtype = config["initializer"], config["dtype"]
        self.attention = GlobalAttention(config["hidden_dim"], initializer, dtype=dtype, name="attention")
        self.read_dropout = Dropout(config["dropout"], dtype=dtype, name="read_dropout")
        length, dim = self._memory_shape
        return {
            "outputs": keras.Input((length, dim), dtype=self.attention.compute_dtype, name="outputs"),
            "mask": keras.Input((length,), dtype="bool", name="mask"),
        }

    def _logits(self, outputs, context, inputs):
        return self.dense(self.read_dropout(self.attention(outputs, inputs["outputs"], inputs["mask"])))


def _for_each(of_sources, beam_size):
    """A row of each source, `[batch, dim]`, once for each of its hypotheses: `[batch × beam_size, dim]`."""
    return of_sources if beam_size == 1 else tf.repeat(of_sources, beam_size, axis=0)
