"""The sums of *Deep Learning from Scratch 2*, section 7.2.3, as a TFDS builder."""
