"""A recurrence over a long sequence as one loop, its gradient written so that the loop has less to do."""

import tensorflow as tf

from seqzoo.models.layers.gradients import own_gradient


def scan(combine, projected, kernel, bias, states, adds=False):
    """Runs a recurrent cell over all steps.

    The same numbers as a loop that TensorFlow differentiates itself, with less work in its gradient: that of the
    recurrent kernel is not summed step by step but made by one product after the loop, of all steps at once.

    Args:
        combine: the cell's elementwise part. `combine(projected, recurrent, states)` takes one step's
            `[batch, gates × units]` twice and the states, and returns the new states, the output first; with `adds` it
            is `combine(gates, states)`. It must read no variables, which would get no gradient.
        projected: `[length, batch, gates × units]`, the inputs times their kernel.
        kernel: `[units, gates × units]`, by which each step multiplies the output before.
        bias: `[gates × units]`, added to that product.
        states: list of `[batch, units]`, before the first step.
        adds: bool, whether `combine` takes the sum of the two, of which the gradient needs half as much.

    Returns:
        `(outputs, states)`: `[length, batch, units]`, and the states after the last step.
    """

    @own_gradient
    def run(projected, kernel, bias, *states):
        length = tf.shape(projected)[0] if projected.shape[0] is None else projected.shape[0]

        def step(at, states, gates, histories):
            now = tf.matmul(states[0], kernel) + bias
            now = [projected[at] + now] if adds else [projected[at], now]
            states = combine(*now, states)
            histories = [history.write(at, state) for history, state in zip(histories, states, strict=True)]
            return at + 1, states, gates.write(at, now[-1]), histories

        start = (0, list(states), _array(length, projected), [_array(length, state) for state in states])
        _, last, gates, histories = _loop(length, step, start)
        gates, histories = gates.stack(), [history.stack() for history in histories]

        def gradient(outputs_gradient, *last_gradients):
            before = [
                tf.concat([first[None], history[:-1]], axis=0) for first, history in zip(states, histories, strict=True)
            ]
            transposed = tf.transpose(kernel)  # Once, not at each step.
            read = [gates] if adds else [projected, gates]

            def step_back(done, gradients, written):
                at = length - 1 - done
                inputs = [each[at] for each in (*read, *before)]
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    now, states = inputs[: len(read)], inputs[len(read) :]
                    outputs = combine(*now, states)
                upstream = [gradients[0] + outputs_gradient[at], *gradients[1:]]
                of_inputs = tape.gradient(outputs, inputs, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)
                of_gates, of_states = of_inputs[: len(read)], of_inputs[len(read) :]
                of_states[0] += tf.matmul(of_gates[-1], transposed)
                written = [array.write(at, each) for array, each in zip(written, of_gates, strict=True)]
                return done + 1, of_states, written

            start = (0, list(last_gradients), [_array(length, each) for each in read])
            _, of_states, written = _loop(length, step_back, start)
            of_gates = [each.stack() for each in written]
            units, width = kernel.shape
            outputs_before, flat = tf.reshape(before[0], [-1, units]), tf.reshape(of_gates[-1], [-1, width])
            of_kernel = tf.matmul(outputs_before, flat, transpose_a=True)
            return of_gates[0], of_kernel, tf.reduce_sum(flat, axis=0), *of_states

        return (histories[0], *last), gradient

    outputs, *last = run(projected, kernel, bias, *states)
    return outputs, last


def _array(length, like):
    """A tensor array of `length` elements of the shape of one step."""
    return tf.TensorArray(like.dtype, size=length, element_shape=like.shape[-2:])


def _loop(length, step, start):
    # XLA differentiates and compiles loops of a length it knows; `maximum_iterations` says it.
    return tf.while_loop(lambda at, *_: at < length, step, start, maximum_iterations=length)
