"""The encoder: a source as the states that a decoder starts from, and as the memory that attention reads."""

import keras
import tensorflow as tf
from keras import ops

from seqzoo.models.layers.initializers import constructor_arguments, initializer_options
from seqzoo.models.layers.recurrent import number_of_states, recurrent_layers, token_layers
from seqzoo.pipelines.vocabulary import PADDING_ID


@keras.saving.register_keras_serializable("seqzoo")
class Encoder(keras.Model):
    """Encodes a source as the states that the decoder starts from.

    `Encoder` of *Deep Learning from Scratch 2*, section 7.3.1, with any number of layers of any cell. As there, padding
    is read like any other token, unless the encoder is bidirectional or returns sequences: then padding is skipped.

    Args:
        vocabulary_size: int.
        embedding_dim: int.
        hidden_dim: int, units of each recurrent layer, in each direction.
        length: int, the sources' length, or `None` for any. `unroll` needs it.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        num_layers: int.
        dropout: float, rate of dropout on the embedded tokens, between layers, and on the outputs that are returned.
        pass_cell_state: bool. `False` hands over zeros in place of an LSTM's cell state, as the book does.
        unroll: bool, see `Recurrent`.
        initializer: `"keras"` or `"book"`, see `initializer_options`.
        dtype: dtype policy of all layers.
        bidirectional: bool. Each layer then reads the source in both directions, backwards from its last token; dense
            layers project the last states of both to the decoder's.
        return_sequences: bool, whether to return the last layer's outputs as well, for attention.

    Call arguments:
        source: int32, `[batch, length]`, padded with 0 after its tokens, or before them.

    Returns:
        A dictionary whose `states` is a list with one entry a layer, each a list of its states `[batch, hidden_dim]`:
        hidden and cell state for an LSTM, else the hidden state. With `return_sequences` also `outputs`,
        `[batch, length, output_dim]`, and `mask`, bool `[batch, length]`, `False` at padding.
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
        bidirectional=False,
        return_sequences=False,
        **kwargs,
    ):
        config = constructor_arguments(locals())
        config["dtype"] = dtype = keras.dtype_policies.get(dtype or keras.config.dtype_policy()).name

        # === Layers ===
        self.embedding, self.recurrent, self.dropouts = token_layers(config, num_layers + return_sequences)
        if bidirectional:
            self.backward = recurrent_layers(
                cell, hidden_dim, num_layers, unroll, initializer, dtype, prefix="backward_"
            )
            self.bridges = [
                [_bridge(hidden_dim, i, j, initializer, dtype) for j in range(number_of_states(cell))]
                for i in range(num_layers)
            ]

        # === Functional Model ===
        self.skips_padding = bidirectional or return_sequences
        source = keras.Input((length,), dtype="int32", name="source")
        mask = ops.not_equal(source, PADDING_ID) if self.skips_padding else None
        x, handed_over = self.embedding(source), []
        for i, layer in enumerate(self.recurrent):
            x = self.dropouts[i](x)
            inputs = x
            x, states = layer(inputs, token_mask=mask)
            states = [states]
            if bidirectional:
                backward_outputs, backward_states = self.backward[i](ops.flip(inputs, 1), token_mask=ops.flip(mask, 1))
                x = ops.concatenate([x, ops.flip(backward_outputs, 1)], axis=-1)
                states.append(backward_states)
            handed_over.append(self._hand_over(i, states, pass_cell_state))
        outputs = {"states": handed_over}
        if return_sequences:
            outputs |= {"outputs": self.dropouts[-1](x), "mask": mask}
        super().__init__(inputs=source, outputs=outputs, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.pass_cell_state = pass_cell_state
        self.bidirectional = bidirectional
        self.return_sequences = return_sequences
        self._config = config

    @property
    def output_dim(self):
        """The last dimension of `outputs`, int."""
        return self._config["hidden_dim"] * (1 + self.bidirectional)

    def tables(self):
        """What depends on one token alone, for each token once; `read` looks it up.

        Returns:
            A list with a dictionary for each direction: `projected`, each token's embedding times the first layer's
            kernel, and `recurrent`, what `Recurrent.recur` returns after that token at the start,
            `[vocabulary_size, gates × hidden_dim]` both; and `states`, those of the first layer after it, a list of
            `[vocabulary_size, hidden_dim]`.
        """
        embedded, tables = self.embedding(ops.arange(self.vocabulary_size)), []
        for layer in (self.recurrent[0], self.backward[0]) if self.bidirectional else self.recurrent[:1]:
            projected = layer.project(embedded)
            first = projected
            if self.skips_padding:
                first = layer.skip(projected, ops.arange(self.vocabulary_size) != PADDING_ID)
            _, states = layer.step(first, None)
            tables.append({"projected": projected, "recurrent": layer.recur(first, states), "states": states})
        return tables

    def read(self, source, tables=None):
        """What a call returns, step by step: what depends on one token alone is looked up.

        Args:
            source: int32, `[batch, length]`, `length` known.
            tables: what `tables` returns; `None` to compute it, which is work for each token of the vocabulary.

        Returns:
            The dictionary that the class documents.
        """
        tables = self.tables() if tables is None else tables
        tokens = tf.unstack(source, axis=1)
        masks = [token != PADDING_ID for token in tokens] if self.skips_padding else [None] * len(tokens)
        directions = [(self.recurrent, 1), (self.backward, -1)] if self.bidirectional else [(self.recurrent, 1)]
        outputs, handed_over = None, []
        for i in range(len(self.recurrent)):
            results = []
            for (layers, order), table in zip(directions, tables, strict=True):
                layer, read_masks, start = layers[i], masks[::order], ()
                if i == 0:
                    first, *later = tokens[::order]
                    read_masks = read_masks[1:]
                    inputs = [tf.gather(table["projected"], token) for token in later]
                    start = [tf.gather(state, first) for state in table["states"]], tf.gather(table["recurrent"], first)
                else:
                    inputs = [layer.project(output) for output in outputs[::order]]
                if (
                    self.skips_padding
                ):  # Not in the tables: saturated gates among their numbers would spoil int8 weights.
                    inputs = [layer.skip(*each) for each in zip(inputs, read_masks, strict=True)]
                results.append(_step_through(layer, inputs, read_masks, *start))
            outputs = results[0][0]
            if self.bidirectional:
                outputs = [tf.concat(pair, axis=-1) for pair in zip(outputs, results[1][0][::-1], strict=True)]
            handed_over.append(self._hand_over(i, [states for _, states in results], self.pass_cell_state))
        if not self.return_sequences:
            return {"states": handed_over}
        return {"states": handed_over, "outputs": tf.stack(outputs, axis=1), "mask": tf.stack(masks, axis=1)}

    def get_config(self):
        """The constructor's arguments."""
        return {**self._config, "name": self.name, "trainable": self.trainable}

    def _hand_over(self, layer, states, pass_cell_state):
        """The decoder's states of a layer's last ones, those of each direction in a list."""
        if len(states) == 2:
            pairs = zip(self.bridges[layer], *states, strict=True)
            states = [bridge(ops.concatenate(pair, axis=-1)) for bridge, *pair in pairs]
        else:
            (states,) = states
        return states if pass_cell_state else [states[0], *map(ops.zeros_like, states[1:])]


def _step_through(layer, inputs, masks, states=None, recurrent=None):
    """The outputs after each of the projected inputs, a list, and the last states.

    `states` are those after an input before, whose output is returned too, and `recurrent` what `Recurrent.recur`
    returns then.
    """
    outputs = [] if states is None else [states[0]]
    for projected, mask in zip(inputs, masks, strict=True):
        _, new = layer.step(projected, states, recurrent)
        if mask is not None and states is not None:
            new = [tf.where(mask[:, None], new[0], states[0]), *new[1:]]
        states, recurrent = new, None
        outputs.append(states[0])
    return outputs, states


def _bridge(hidden_dim, layer, state, initializer, dtype):
    """Projects the last states of both directions to one of the decoder's: to a hidden state, or to a cell state."""
    return keras.layers.Dense(
        hidden_dim,
        activation=None if state else "tanh",
        dtype=dtype,
        name=f"bridge_{layer}_{state}",
        **initializer_options(initializer, "dense"),
    )
