"""LiteRT (TensorFlow Lite) files of built-in operations."""
