"""Keras' optimizers, with gradients clipped as a whole where several devices compute them."""

import keras
import tensorflow as tf


class _ClippedAsAWhole:
    """Clips the norm of all replicas' gradients together; the same numbers as one device with the whole batch.

    Keras 3.15 clips each replica's own gradients and adds them up after.
    """

    def apply(self, grads, trainable_variables=None):
        """See `keras.optimizers.Optimizer.apply`."""
        context = tf.distribute.get_replica_context()
        replicas = 1 if context is None else context.num_replicas_in_sync
        if replicas > 1 and self.global_clipnorm:
            # As a mean, since the optimizer adds up the replicas' gradients; it finds nothing left to clip.
            grads = context.all_reduce(tf.distribute.ReduceOp.MEAN, grads)
            grads, _ = tf.clip_by_global_norm(grads, self.global_clipnorm / replicas)
        super().apply(grads, trainable_variables)


@keras.saving.register_keras_serializable("seqzoo")
class Adam(_ClippedAsAWhole, keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose `global_clipnorm` holds over several devices."""


@keras.saving.register_keras_serializable("seqzoo")
class AdamW(_ClippedAsAWhole, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` whose `global_clipnorm` holds over several devices."""
