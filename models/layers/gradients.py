"""Functions with a gradient of their own, and graphs that have none of it."""

import contextlib
import contextvars
import functools

import tensorflow as tf

_ANSWERS_ONLY = contextvars.ContextVar("answers_only", default=False)


@contextlib.contextmanager
def answers_only():
    """Graphs that are traced meanwhile have no gradients of functions' own, which loaders would warn of."""
    token = _ANSWERS_ONLY.set(True)
    try:
        yield
    finally:
        _ANSWERS_ONLY.reset(token)


def own_gradient(function):
    """`tf.custom_gradient`, but within `answers_only`."""
    differentiated = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*inputs):
        return function(*inputs)[0] if _ANSWERS_ONLY.get() else differentiated(*inputs)

    return call
