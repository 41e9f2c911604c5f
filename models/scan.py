"""A recurrence over a long sequence as one loop, its gradient written so that the loop has less to do."""

import tensorflow as tf


def scan(combine, projected, kernel, bias, states):
    """Runs a recurrent cell over all steps.

    The same numbers as a loop that TensorFlow differentiates itself, with less work in its gradient: that of the
    recurrent kernel is not summed step by step but made by one product a gate after the loop, of all steps at once.

    Args:
        combine: the cell's elementwise part. `combine(projected, recurrent, states)` takes one step's
            `[batch, gates × units]` twice and the states, and gives the new states, the output first. It must read
            no variables, which would get no gradient.
        projected: `[length, batch, gates × units]`, the inputs times their kernel.
        kernel: `[units, gates × units]`, by which each step multiplies the output before.
        bias: `[gates × units]`, added to that product.
        states: list of `[batch, units]`, before the first step.

    Returns:
        `(outputs, states)`: `[length, batch, units]`, and the states after the last step.
    """

    @tf.custom_gradient
    def run(projected, kernel, bias, *states):
        length = tf.shape(projected)[0] if projected.shape[0] is None else projected.shape[0]

        def step(at, states, recurrents, histories):
            recurrent = tf.matmul(states[0], kernel) + bias
            states = combine(projected[at], recurrent, states)
            histories = [history.write(at, state) for history, state in zip(histories, states, strict=True)]
            return at + 1, states, recurrents.write(at, recurrent), histories

        start = (0, list(states), _array(length, projected), [_array(length, state) for state in states])
        _, last, recurrents, histories = _loop(length, step, start)
        recurrents, histories = recurrents.stack(), [history.stack() for history in histories]

        def gradient(outputs_gradient, *last_gradients):
            before = [
                tf.concat([first[None], history[:-1]], axis=0) for first, history in zip(states, histories, strict=True)
            ]

            def step_back(done, gradients, from_projected, from_recurrent):
                at = length - 1 - done
                inputs = [projected[at], recurrents[at], *[state[at] for state in before]]
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    outputs = combine(inputs[0], inputs[1], inputs[2:])
                upstream = [gradients[0] + outputs_gradient[at], *gradients[1:]]
                of_projected, of_recurrent, *of_states = tape.gradient(
                    outputs, inputs, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
                )
                of_states[0] += tf.matmul(of_recurrent, kernel, transpose_b=True)
                return (
                    done + 1,
                    of_states,
                    from_projected.write(at, of_projected),
                    from_recurrent.write(at, of_recurrent),
                )

            start = (0, list(last_gradients), _array(length, projected), _array(length, projected))
            _, of_states, from_projected, from_recurrent = _loop(length, step_back, start)
            from_projected, from_recurrent = from_projected.stack(), from_recurrent.stack()
            units = kernel.shape[0]
            outputs_before = tf.reshape(before[0], [-1, units])
            # One product a gate: what it writes stays in the processor's cache.
            of_kernel = [
                tf.matmul(outputs_before, tf.reshape(part, [-1, units]), transpose_a=True)
                for part in tf.split(from_recurrent, kernel.shape[1] // units, axis=-1)
            ]
            return (
                from_projected,
                tf.concat(of_kernel, axis=1),
                tf.reduce_sum(from_recurrent, axis=[0, 1]),
                *of_states,
            )

        return (histories[0], *last), gradient

    outputs, *last = run(projected, kernel, bias, *states)
    return outputs, last


def _array(length, like):
    """A tensor array of `length` elements of the shape of one step."""
    return tf.TensorArray(like.dtype, size=length, element_shape=like.shape[-2:])


def _loop(length, step, start):
    # XLA differentiates and compiles loops of a length it knows; `maximum_iterations` says it.
    return tf.while_loop(lambda at, *_: at < length, step, start, maximum_iterations=length)
