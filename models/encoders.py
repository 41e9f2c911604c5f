"""The encoder: a source as the states that a decoder starts from."""

import keras
import tensorflow as tf

from seqzoo.models.layers.initializers import constructor_arguments, initializer_options
from seqzoo.models.layers.recurrent import recurrent_layers


@keras.saving.register_keras_serializable("seqzoo")
class Encoder(keras.Model):
    """Encodes a source as the states that the decoder starts from.

    `Encoder` of *Deep Learning from Scratch 2*, section 7.3.1, with any number of layers of any cell. Padding is read
    like any other token.

    Args:
        vocabulary_size: int.
        embedding_dim: int.
        hidden_dim: int, units of each recurrent layer.
        length: int, the sources' length, or `None` for any. `unroll` needs it.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int.
        dropout: float, rate of dropout on the embedded tokens and between layers.
        pass_cell_state: bool. `False` hands over zeros in place of an LSTM's cell state, as the book does.
        unroll: bool, see `Recurrent`.
        initializer: `"keras"` or `"book"`, see `initializer_options`.
        dtype: dtype policy of all layers.

    Call arguments:
        source: int32, `[batch, length]`.

    Returns:
        A dictionary whose `states` is a list with one entry a layer, each a list of its states `[batch, hidden_dim]`:
        hidden and cell state for an LSTM, else the hidden state.
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
        pass_cell_state=True,
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
        self.dropouts = [keras.layers.Dropout(dropout, dtype=dtype, name=f"dropout_{i}") for i in range(num_layers)]

        # === Functional Model ===
        source = keras.Input((length,), dtype="int32", name="source")
        x = self.embedding(source)
        states = []
        for layer, drop in zip(self.recurrent, self.dropouts, strict=True):
            x, layer_states = layer(drop(x))
            states.append(_handed_over(layer_states, pass_cell_state))
        super().__init__(inputs=source, outputs={"states": states}, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.pass_cell_state = pass_cell_state
        self._config = {**config, "dtype": dtype}

    def tables(self):
        """What depends on one token alone, for each token once; `read` looks it up.

        Returns:
            A dictionary of `projected`, each token's embedding times the first layer's kernel, and `recurrent`, what
            `Recurrent.recur` returns after that token at the start, `[vocabulary_size, gates × hidden_dim]` both; and
            `states`, those of the first layer after it, a list of `[vocabulary_size, hidden_dim]`.
        """
        layer = self.recurrent[0]
        projected = layer.project(self.embedding(keras.ops.arange(self.vocabulary_size)))
        _, states = layer.step(projected, None)
        return {"projected": projected, "recurrent": layer.recur(projected, states), "states": states}

    def read(self, source, tables=None):
        """The states that a call returns, step by step: what depends on one token alone is looked up.

        Args:
            source: int32, `[batch, length]`, `length` known.
            tables: what `tables` returns; `None` to compute it, which is work for each token of the vocabulary.

        Returns:
            The list `states` of the class.
        """
        tables = self.tables() if tables is None else tables
        first, *later = tf.unstack(source, axis=1)
        states = [tf.gather(table, first) for table in tables["states"]]
        recurrent, outputs = tf.gather(tables["recurrent"], first), [states[0]]
        for token in later:
            output, states = self.recurrent[0].step(tf.gather(tables["projected"], token), states, recurrent)
            outputs.append(output)
            recurrent = None
        handed_over = [_handed_over(states, self.pass_cell_state)]
        for layer in self.recurrent[1:]:
            inputs, outputs, states = [layer.project(output) for output in outputs], [], None
            for projected in inputs:
                output, states = layer.step(projected, states)
                outputs.append(output)
            handed_over.append(_handed_over(states, self.pass_cell_state))
        return handed_over

    def get_config(self):
        """The constructor's arguments."""
        return {**self._config, "name": self.name, "trainable": self.trainable}


def _handed_over(states, pass_cell_state):
    return states if pass_cell_state else [states[0], *map(keras.ops.zeros_like, states[1:])]
