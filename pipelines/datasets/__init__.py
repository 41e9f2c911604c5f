"""The data sets that recipes train on; those of pairs are TFDS builders."""
