"""Pictures of numbers, made of digits that people wrote by hand, and the numbers in words, as a TFDS builder."""
