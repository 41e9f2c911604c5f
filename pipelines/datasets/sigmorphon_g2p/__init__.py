"""Pronunciations in 21 languages, of the SIGMORPHON 2021 shared task, as a TFDS builder."""
