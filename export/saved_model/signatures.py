"""Writes functions as the signatures of a SavedModel."""

import tensorflow as tf

from seqzoo.models.layers.gradients import answers_only


def write_functions(functions, folder):
    """Writes functions, a dictionary from names to `(function, list of tf.TensorSpec)`, as a SavedModel."""
    # Each is traced once, and only its variables are kept: `keras.export.ExportArchive` traces functions twice,
    # and a Keras model that it tracks loads in Python but not in TensorFlow Serving.
    with answers_only():
        signatures = {
            name: tf.function(function, autograph=False).get_concrete_function(*specs)
            for name, (function, specs) in functions.items()
        }
        module = tf.Module()
        module.used_variables = [variable for function in signatures.values() for variable in function.variables]
        tf.saved_model.save(module, folder, signatures)
