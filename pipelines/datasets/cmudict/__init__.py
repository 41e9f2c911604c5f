"""Pronunciations of English words, from the CMU Pronouncing Dictionary, as a TFDS builder and as training data."""
