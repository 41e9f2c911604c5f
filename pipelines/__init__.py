"""Strings in, batches out: vocabularies, preprocessors, pair files, the TFDS builder `addition`."""

from seqzoo.pipelines.addition import Addition, load_addition, with_commuted_sums
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.pairs import as_pairs, hold_out, read_pairs
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary

__all__ = [
    "PADDING_ID",
    "START_ID",
    "Addition",
    "PairPreprocessor",
    "Vocabulary",
    "as_pairs",
    "hold_out",
    "load_addition",
    "read_pairs",
    "with_commuted_sums",
]
