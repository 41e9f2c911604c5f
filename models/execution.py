"""How models run fast on this machine: what is unrolled or compiled, and where its memory stays."""

import ctypes
import os

import tensorflow as tf

_STRATEGIES = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,  # As good as none.
)

# Unrolled graphs grow with the length; past this a loop compiles sooner and runs as fast.
_LONGEST_UNROLL = 32


def unrolls(*lengths):
    """Whether recurrent layers should be unrolled over sequences of these lengths on this machine.

    On a CPU XLA makes short unrolled sequences fast; on a GPU unrolling would shut cuDNN out.
    """
    return all(length is not None and length <= _LONGEST_UNROLL for length in lengths) and not has_gpu()


def execution(steps_per_epoch):
    """The options of Keras' `compile` that make training fast on this machine, a dictionary.

    On a CPU the steps run as one XLA program, 50 at a time: together about twice as fast as Keras' defaults. Under a
    distribution strategy neither is possible.

    Raises:
        ValueError: under a strategy that does not keep a copy of the whole model on each device.
    """
    _keep_freed_memory()
    if tf.distribute.has_strategy():
        strategy = tf.distribute.get_strategy()
        if not isinstance(strategy, _STRATEGIES):
            raise ValueError(
                "A preset trains under MirroredStrategy, or MultiWorkerMirroredStrategy (seqzoo train --distributed). "
                f"Received: {type(strategy).__name__}"
            )
        return {"jit_compile": False, "steps_per_execution": 1}
    return {"jit_compile": not has_gpu(), "steps_per_execution": min(50, steps_per_epoch)}


def has_gpu():
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def _keep_freed_memory():
    """Has glibc keep the memory that is freed, for the whole process; does nothing where there is no glibc.

    Every training step allocates its buffers anew. glibc would give them back to the kernel, which clears each page
    again: a tenth or more of a language model's CPU time.
    """
    no_mmap, no_trim = (-4, 0), (-1, 2**31 - 1)  # M_MMAP_MAX, M_TRIM_THRESHOLD; see mallopt(3).
    mallopt = os.name == "posix" and getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(*no_mmap)
        mallopt(*no_trim)
