"""SavedModels, as TensorFlow Serving loads them."""
