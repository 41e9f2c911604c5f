"""Dates in many spellings, a task like that of *Deep Learning from Scratch 2*, section 8.3, as a TFDS builder."""
