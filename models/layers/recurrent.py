"""The recurrent layer that every model here is built from: a stock Keras one, run with fewer products."""

import keras
from keras import ops

from seqzoo.models.layers.dropout import Dropout
from seqzoo.models.layers.gradients import own_gradient
from seqzoo.models.layers.initializers import initializer_options
from seqzoo.models.layers.scan import scan
from seqzoo.runtime import has_gpu

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}

# A gate of so much is open, or closed, to the last bit, whatever is added; also in half precision.
_SATURATED = 1e4


@keras.saving.register_keras_serializable("seqzoo")
class Recurrent(keras.layers.Layer):
    """A stock Keras recurrent layer that can also read a context: one vector a row, the same at every step.

    On a GPU, without `unroll`, it calls the stock layer (cuDNN), the context repeated beside its inputs. Else it
    computes the same from the same weights, but projects the inputs of all steps in one matrix product and the context
    once; the steps are unrolled, the first step's product with a state of zeros skipped, or run by `scan`.

    Args:
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        units: int.
        unroll: bool.
        initializer: see `initializer_options`.
        **kwargs: `name`, `dtype`.

    Call arguments:
        inputs: `[batch, length, dim]`.
        states: list of `[batch, units]`, as many as `number_of_states(cell)`; `None` for zeros.
        context: `[batch, context_dim]`, or `None`. In the kernel it stands before the inputs.
        token_mask: bool `[batch, length]`, `False` at padding, which may stand before or after the inputs and is
            skipped: the last states are those after the last input. What is returned at padding has no meaning. `None`
            reads all. Only without a context.

    Returns:
        `(outputs, states)`: `[batch, length, units]`, and the last states.

    Raises:
        ValueError: for an unknown cell, or units below 1.
    """

    def __init__(self, cell, units, unroll=False, initializer="keras", **kwargs):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {sorted(CELLS)}. Received: cell={cell!r}")
        if units < 1:
            raise ValueError(f"hidden_dim must be at least 1. Received: hidden_dim={units}")
        self.cell = cell
        self.units = units
        self.unroll = unroll
        self.initializer = initializer
        self.rnn = CELLS[cell](
            units,
            return_sequences=True,
            return_state=True,
            dtype=self.dtype_policy,
            name=cell,
            **initializer_options(initializer, cell),
        )
        # XLA cannot compile cuDNN, which only the stock layer calls.
        self.rnn.supports_jit = self.supports_jit = not self._calls_stock_layer or self.rnn.supports_jit

    def build(self, inputs_shape, states_shape=None, context_shape=None, token_mask_shape=None):
        """Makes the stock layer's weights."""
        context_dim = context_shape[-1] if context_shape else 0
        self.rnn.build((None, None, inputs_shape[-1] + context_dim))

    def call(self, inputs, states=None, context=None, token_mask=None):
        """See the class."""
        if self._calls_stock_layer:
            if context is not None:
                inputs = ops.concatenate([repeat(context, inputs), inputs], axis=-1)
            outputs, *states = self.rnn(inputs, initial_state=states, token_mask=token_mask)
            return outputs, states
        projected = self.project(ops.transpose(inputs, (1, 0, 2)))
        if token_mask is not None:
            projected = self.skip(projected, ops.transpose(token_mask))
        outputs, states = self._run(projected, 0.0 if context is None else self.project_context(context), states)
        if token_mask is not None:
            after = ops.concatenate([token_mask[:, 1:], ops.zeros_like(token_mask[:, :1])], axis=1)
            is_last = ops.cast(ops.logical_and(token_mask, ops.logical_not(after)), outputs.dtype)
            states = [ops.sum(is_last[:, :, None] * outputs, axis=1), *states[1:]]
        return outputs, states

    def _run(self, projected, from_context, states):
        """Outputs `[batch, length, units]` and last states of projected inputs `[length, batch, gates × units]`."""
        if not self.unroll:
            if states is None:
                zeros = ops.zeros((ops.shape(projected)[1], self.units), self.compute_dtype)
                states = [zeros] * number_of_states(self.cell)
            bias = self._recurrent_bias()
            bias = ops.zeros(projected.shape[-1:], self.compute_dtype) if bias is None else bias
            kernel = self._weight("recurrent_kernel")
            adds = self.cell != "gru"  # The others read only the sum of the two.
            combine = (lambda gates, states: self._combine(0.0, gates, states)) if adds else self._combine
            outputs, states = scan(combine, projected + from_context, kernel, bias, states, adds)
            return ops.transpose(outputs, (1, 0, 2)), states
        outputs = []
        for step_inputs in ops.unstack(projected, projected.shape[0], axis=0):
            gates = step_inputs + from_context
            states = self._combine(gates, self.recur(gates, states), states, gated_carry)
            outputs.append(states[0])
        return ops.stack(outputs, axis=1), states

    def project(self, inputs):
        """Inputs `[…, dim]` times their part of the kernel, plus the bias: `[…, gates × units]`."""
        bias = self._weight("bias")
        kernel = self._weight("kernel")
        if kernel.shape[0] > inputs.shape[-1]:  # The rest is the context's.
            kernel = kernel[-inputs.shape[-1] :]
        return ops.matmul(inputs, kernel) + (bias[0] if self.cell == "gru" else bias)

    def project_context(self, context):
        """A context `[batch, context_dim]` times its part of the kernel: `[batch, gates × units]`."""
        return ops.matmul(context, self._weight("kernel")[: context.shape[-1]])

    def skip(self, projected, mask):
        """Projected inputs `[…, gates × units]` that leave the state as it is where `mask`, bool `[…]`, is `False`.

        An LSTM's cell state stays as it is by closed input gates and open forget gates, a GRU's state by open update
        gates. The state of zeros before the first input stays of zeros in every cell, outputs included.
        """
        gates = {"lstm": [-_SATURATED, _SATURATED, 0.0, 0.0], "gru": [_SATURATED, 0.0, 0.0], "simple_rnn": [0.0]}
        skipped = ops.repeat(ops.convert_to_tensor(gates[self.cell], self.compute_dtype), self.units)
        return ops.where(mask[..., None], projected, skipped)

    def step(self, projected, states, recurrent=None):
        """One step of the cell on projected inputs, for inference: XLA would repeat a gradient through many of them.

        Args:
            projected: `[batch, gates × units]`, the sum of `project` and `project_context`.
            states: as in `call`.
            recurrent: `[batch, gates × units]`, what `recur` returns; `None` to compute it.

        Returns:
            `(output, states)`: `[batch, units]`, and the new states.
        """
        recurrent = self.recur(projected, states) if recurrent is None else recurrent
        states = self._combine(projected, recurrent, states)
        return states[0], states

    def recur(self, projected, states):
        """The output before times the recurrent kernel, plus its bias: `[batch, gates × units]`, as `projected`."""
        recurrent = 0.0
        if states is not None:
            recurrent = ops.matmul(states[0], self._weight("recurrent_kernel"))
        bias = self._recurrent_bias()
        if bias is not None:
            recurrent += ops.broadcast_to(bias, ops.shape(projected))
        return recurrent

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "cell": self.cell,
            "units": self.units,
            "unroll": self.unroll,
            "initializer": self.initializer,
        }

    @property
    def _calls_stock_layer(self):
        return not self.unroll and has_gpu()

    def _combine(self, projected, recurrent, states, carry=None):
        """A step's elementwise part: the new states of projected inputs, projected output before, and states.

        `carry` computes an LSTM's `state * sigmoid(forget gate)`: `gated_carry` where a gradient flows back through
        unrolled steps, else a plain product, which is fewer operations.
        """
        if self.cell == "lstm":
            gates = projected + recurrent
            if not self.unroll:
                # sigmoid(x) is (1 + tanh(x / 2)) / 2: one function of all gates, which XLA vectorises in a loop.
                halves = ops.convert_to_tensor([0.5, 0.5, 1.0, 0.5], self.compute_dtype)
                i, f, g, o = ops.split(ops.tanh(gates * ops.repeat(halves, self.units)), 4, axis=-1)
                c = (0.5 + 0.5 * i) * g
                if states is not None:
                    c += (0.5 + 0.5 * f) * states[1]
                return [(0.5 + 0.5 * o) * ops.tanh(c), c]
            i, f, g, o = ops.split(gates, 4, axis=-1)
            c = ops.sigmoid(i) * ops.tanh(g)
            if states is not None:
                c += carry(states[1], f) if carry else states[1] * ops.sigmoid(f)
            return [ops.sigmoid(o) * ops.tanh(c), c]
        if self.cell == "gru":
            z, r, g = ops.split(projected, 3, axis=-1)
            recurrent_z, recurrent_r, recurrent_g = ops.split(recurrent, 3, axis=-1)
            z = ops.sigmoid(z + recurrent_z)
            new = (1.0 - z) * ops.tanh(g + ops.sigmoid(r + recurrent_r) * recurrent_g)
            return [new if states is None else new + z * states[0]]
        return [ops.tanh(projected + recurrent)]

    def _recurrent_bias(self):
        return self._weight("bias")[1] if self.cell == "gru" else None

    def _weight(self, name):
        return ops.cast(getattr(self.rnn.cell, name), self.compute_dtype)


@own_gradient
def gated_carry(state, gate):
    """`state * sigmoid(gate)`, with a gradient that XLA computes once a step.

    The gradient of a state flows back through all steps by elementwise products alone, and XLA would fuse the whole
    chain of later steps, again and again, into whatever reads a link of it: time that grows with the length squared.
    XLA never repeats a division, so the chain is made of divisions.
    """
    share = ops.sigmoid(gate)
    new = state * share

    def gradient(upstream):
        return upstream / (1.0 + ops.exp(-gate)), upstream * new * (1.0 - share)

    return new, gradient


def recurrent_layers(cell, hidden_dim, num_layers, unroll, initializer, dtype, prefix=""):
    """`num_layers` layers `Recurrent`, whose names begin with `prefix`."""
    if num_layers < 1:
        raise ValueError(f"num_layers must be at least 1. Received: num_layers={num_layers}")
    return [
        Recurrent(cell, hidden_dim, unroll, initializer, dtype=dtype, name=f"{prefix}{cell}_{i}")
        for i in range(num_layers)
    ]


def token_layers(config, dropouts):
    """What encoders and decoders begin with, made from their constructor's arguments.

    Returns:
        `(embedding, recurrent layers, dropout layers)`, of the last as many as `dropouts`.
    """
    initializer, dtype = config["initializer"], config["dtype"]
    embedding = keras.layers.Embedding(
        config["vocabulary_size"],
        config["embedding_dim"],
        dtype=dtype,
        name="embedding",
        **initializer_options(initializer, "embedding"),
    )
    sizes = [config[name] for name in ("cell", "hidden_dim", "num_layers", "unroll")]
    drops = [Dropout(config["dropout"], dtype=dtype, name=f"dropout_{i}") for i in range(dropouts)]
    return embedding, recurrent_layers(*sizes, initializer, dtype), drops


def number_of_states(cell):
    """How many state tensors a layer carries: 2 for an LSTM (hidden and cell state), else 1 (hidden)."""
    return 2 if cell == "lstm" else 1


def repeat(context, inputs):
    """A context `[batch, dim]` at every step of `inputs`: `[batch, length, dim]`."""
    return ops.repeat(context[:, None], inputs.shape[1] or ops.shape(inputs)[1], axis=1)
