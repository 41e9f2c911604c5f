"""The encoder: a source as the states that a decoder starts from, and as the memory that attention reads."""

import keras
import tensorflow as tf
from keras import ops

from seqzoo.models.layers.initializers import constructor_arguments, initializer_options
from seqzoo.models.layers.recurrent import number_of_states, recurrent_layers, token_layers
from seqzoo.pipelines.vocabulary import PADDING_ID


class RecurrentEncoder(keras.Model):
    """What encoders have in common: recurrent layers over a sequence, whose last states the decoder starts from.

    Subclasses keep their configuration and whether they are `bidirectional`, make `recurrent` layers, call
    `_make_backward_layers`, and make the functional model of what `_read` returns.
    """

    @property
    def output_dim(self):
        """The last dimension of `outputs`, int."""
        return self._config["hidden_dim"] * (1 + self.bidirectional)

    def get_config(self):
        """The constructor's arguments."""
        return {**self._config, "name": self.name, "trainable": self.trainable}

    def _make_backward_layers(self, unroll):
        """Where it is bidirectional, the layers of the other direction, and what joins the last states of both."""
        if self.bidirectional:
            names = ("cell", "hidden_dim", "num_layers", "initializer", "dtype")
            cell, hidden_dim, num_layers, initializer, dtype = (self._config[name] for name in names)
            self.backward = recurrent_layers(
                cell, hidden_dim, num_layers, unroll, initializer, dtype, prefix="backward_"
            )
            self.bridges = [
                [_bridge(hidden_dim, i, j, initializer, dtype) for j in range(number_of_states(cell))]
                for i in range(num_layers)
            ]

    def _read(self, x, mask, dropouts, pass_cell_state):
        """`(outputs, states)` of a sequence `[batch, length, dim]`, as `Encoder` describes them.

        `dropouts` are layers for the inputs of each recurrent layer, `mask` is `False` at what is skipped, or `None`.
        """
        handed_over = []
        for i, layer in enumerate(self.recurrent):
            inputs = dropouts[i](x)
            x, states = layer(inputs, token_mask=mask)
            states = [states]
            if self.bidirectional:
                flipped = None if mask is None else ops.flip(mask, 1)
                backward_outputs, backward_states = self.backward[i](ops.flip(inputs, 1), token_mask=flipped)
                x = ops.concatenate([x, ops.flip(backward_outputs, 1)], axis=-1)
                states.append(backward_states)
            handed_over.append(self._hand_over(i, states, pass_cell_state))
        return x, handed_over

    def _hand_over(self, layer, states, pass_cell_state):
        """The decoder's states of a layer's last ones, those of each direction in a list."""
        if len(states) == 2:
            pairs = zip(self.bridges[layer], *states, strict=True)
            states = [bridge(ops.concatenate(pair, axis=-1)) for bridge, *pair in pairs]
        else:
            (states,) = states
        return states if pass_cell_state else [states[0], *map(ops.zeros_like, states[1:])]


@keras.saving.register_keras_serializable("seqzoo")
class Encoder(RecurrentEncoder):
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
        self._config = config
        self.bidirectional = bidirectional
        self.embedding, self.recurrent, self.dropouts = token_layers(config, num_layers + return_sequences)
        self._make_backward_layers(unroll)

        # === Functional Model ===
        self.skips_padding = bidirectional or return_sequences
        source = keras.Input((length,), dtype="int32", name="source")
        mask = ops.not_equal(source, PADDING_ID) if self.skips_padding else None
        x, handed_over = self._read(self.embedding(source), mask, self.dropouts, pass_cell_state)
        outputs = {"states": handed_over}
        if return_sequences:
            outputs |= {"outputs": self.dropouts[-1](x), "mask": mask}
        super().__init__(inputs=source, outputs=outputs, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.pass_cell_state = pass_cell_state
        self.return_sequences = return_sequences

    def tables(self):
        """What depends on one token alone, for each token once; `read` looks it up.

        Returns:
            A list with a dictionary for each direction: `projected`, each token's embedding times the first layer's
            kernel, and `recurrent`, what `Recurrent.recur` returns after that token at the start,
            `[vocabulary_size, gates × hidden_dim]` both; and `states`, those of the first layer after it, a list of
            `[vocabulary_size, hidden_dim]`.
        """
        embedded, tables = self.embedding(tf.range(self.vocabulary_size)), []
        for layer in (self.recurrent[0], self.backward[0]) if self.bidirectional else self.recurrent[:1]:
            projected = layer.project(embedded)
            first = projected
            if self.skips_padding:
                first = layer.skip(projected, tf.range(self.vocabulary_size) != PADDING_ID)
            _, states = layer.step(first, None)
            tables.append({"projected": projected, "recurrent": layer.recur(first, states), "states": states})
        return tables

    def read(self, source, tables=None, arrays=True):
        """What a call returns, step by step: what depends on one token alone is looked up.

        Where padding is skipped, no more steps are computed than the longest source has tokens.

        Args:
            source: int32, `[batch, length]`, `length` known.
            tables: what `tables` returns; `None` to compute it, which is work for each token of the vocabulary.
            arrays: bool, whether to keep outputs in a `tf.TensorArray`, which LiteRT has not for any batch.

        Returns:
            The dictionary that the class documents.
        """
        tables = self.tables() if tables is None else tables
        if self.skips_padding:
            return self._read_tokens(source, tables, arrays)
        first, *later = tf.unstack(source, axis=1)
        (table,), outputs, handed_over = tables, None, []
        for i, layer in enumerate(self.recurrent):
            if i == 0:
                states = [tf.gather(state, first) for state in table["states"]]
                recurrent = tf.gather(table["recurrent"], first)
                inputs, outputs = [tf.gather(table["projected"], token) for token in later], [states[0]]
            else:
                states = recurrent = None
                inputs, outputs = map(layer.project, outputs), []
            for projected in inputs:
                _, states = layer.step(projected, states, recurrent)
                recurrent = None
                outputs.append(states[0])
            handed_over.append(self._hand_over(i, [states], self.pass_cell_state))
        return {"states": handed_over}

    def _read_tokens(self, source, tables, arrays):
        """`read` in a loop from the first position that holds a token of any source to the last, or back from there."""
        length = source.shape[1]
        tokens = tf.transpose(source)
        is_read = tf.cast(tf.reduce_any(tokens != PADDING_ID, axis=1), tf.int32)
        steps = tf.maximum(tf.reduce_sum(is_read), 1)
        start = tf.argmax(is_read, output_type=tf.int32)
        places = [(self.recurrent, lambda step: start + step)]
        if self.bidirectional:
            places.append((self.backward, lambda step: start + steps - 1 - step))
        outputs, handed_over = None, []
        for i in range(len(self.recurrent)):
            directions = [
                _Direction(layers[i], place, tokens, table if i == 0 else None, outputs)
                for (layers, place), table in zip(places, tables, strict=True)
            ]
            states = [direction.first() for direction in directions]
            histories = [
                tf.TensorArray(output.dtype, length, element_shape=[None, output.shape[-1]])
                if arrays
                else tf.zeros_like(output)
                for output, *_ in states
            ]
            histories = [
                _written(history, direction.place(0), state[0], length)
                for history, direction, state in zip(histories, directions, states, strict=True)
            ]

            def read_step(step, states, histories, directions=directions):
                states = [each.step(step, state) for each, state in zip(directions, states, strict=True)]
                histories = [
                    _written(history, direction.place(step), state[0], length)
                    for history, direction, state in zip(histories, directions, states, strict=True)
                ]
                return step + 1, states, histories

            first_iteration = (1, states, histories)
            _, states, histories = tf.while_loop(
                lambda step, *_: step < steps, read_step, first_iteration, maximum_iterations=length - 1
            )
            outputs = tf.concat([_stacked(history) for history in histories], axis=-1)
            handed_over.append(self._hand_over(i, states, self.pass_cell_state))
        if not self.return_sequences:
            return {"states": handed_over}
        return {"states": handed_over, "outputs": tf.transpose(outputs, (1, 0, 2)), "mask": source != PADDING_ID}


class _Direction:
    """One layer's way through the sources: step by step, padding skipped.

    `place` is the position that each step reads, of `tokens`, int32 `[length, batch]`; `table` one of `Encoder.tables`
    for a first layer, and for later ones `outputs` those of the layer before, `[length, batch, dim]`. Positions are
    gathered: OpenVINO 2026.4 cannot slice at one that is computed.
    """

    def __init__(self, layer, place, tokens, table, outputs):
        self.layer, self.place, self.tokens, self.table = layer, place, tokens, table
        self.projected = None if table else layer.project(outputs)

    def first(self):
        """The states after the first step."""
        token = tf.gather(self.tokens, self.place(0))
        if self.table:
            return [tf.gather(state, token) for state in self.table["states"]]
        return self.layer.step(self._inputs(0), None)[1]

    def step(self, step, states):
        """The states after a later step."""
        _, new = self.layer.step(self._inputs(step), states)
        is_token = (tf.gather(self.tokens, self.place(step)) != PADDING_ID)[:, None]
        return [tf.where(is_token, new[0], states[0]), *new[1:]]

    def _inputs(self, step):
        at = self.place(step)
        token = tf.gather(self.tokens, at)
        projected = tf.gather(self.table["projected"], token) if self.table else tf.gather(self.projected, at)
        # Not in the tables: saturated gates among their numbers would spoil int8 weights.
        return self.layer.skip(projected, token != PADDING_ID)


def _written(history, at, output, length):
    """A history of the outputs `[batch, dim]` of `length` positions, with one more: a `tf.TensorArray`, or a tensor."""
    if isinstance(history, tf.TensorArray):
        return history.write(at, output)
    return tf.where(tf.reshape(tf.range(length) == at, [-1, 1, 1]), output[None], history)


def _stacked(history):
    """All outputs of a history, `[length, batch, dim]`, zeros where there is none."""
    return history.stack() if isinstance(history, tf.TensorArray) else history


def _bridge(hidden_dim, layer, state, initializer, dtype):
    """Projects the last states of both directions to one of the decoder's: to a hidden state, or to a cell state."""
    return keras.layers.Dense(
        hidden_dim,
        activation=None if state else "tanh",
        dtype=dtype,
        name=f"bridge_{layer}_{state}",
        **initializer_options(initializer, "dense"),
    )
