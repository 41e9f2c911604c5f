"""Writes functions as the signatures of a SavedModel."""

import keras


def write_functions(functions, folder):
    """Writes functions, a dictionary from names to `(function, list of tf.TensorSpec)`, as a SavedModel."""
    # Without `track`: a tracked Keras model loads in Python but not in TensorFlow Serving.
    archive = keras.export.ExportArchive()
    for name, (function, specs) in functions.items():
        archive.add_endpoint(name, function, specs)
    archive.write_out(folder, verbose=False)
