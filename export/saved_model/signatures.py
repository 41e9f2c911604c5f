"""Writes functions as the signatures of a SavedModel."""

import tensorflow as tf


def write_functions(functions, folder):
    """Writes functions, a dictionary from names to `(function, list of tf.TensorSpec)`, as a SavedModel."""
    # Each is traced once, and only its variables are kept: `keras.export.ExportArchive` traces functions twice,
    # and a Keras model that it tracks loads in Python but not in TensorFlow Serving.
    signatures = {
        name: tf.function(function, autograph=False).get_concrete_function(*specs)
        for name, (function, specs) in functions.items()
    }
    module = tf.Module()
    module.used_variables = [variable for function in signatures.values() for variable in function.variables]
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # Those of recurrent steps: a graph each.
    tf.saved_model.save(module, folder, signatures, options)
