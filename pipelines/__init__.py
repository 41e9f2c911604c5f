"""Strings in, batches out: vocabularies, preprocessors, files of pairs and of text, the TFDS builder `addition`."""

from seqzoo.pipelines.addition import (
    Addition,
    digits_of_sums,
    load_addition,
    load_test_sums,
    with_commuted_sums,
    with_short_sums_repeated,
)
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.pairs import as_pairs, hold_out, read_pairs
from seqzoo.pipelines.text import as_text, load_python_topics, load_tiny_shakespeare, read_text, text_sha256
from seqzoo.pipelines.text_preprocessor import END_ID, TextPreprocessor
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary

__all__ = [
    "END_ID",
    "PADDING_ID",
    "START_ID",
    "Addition",
    "PairPreprocessor",
    "TextPreprocessor",
    "Vocabulary",
    "as_pairs",
    "as_text",
    "digits_of_sums",
    "hold_out",
    "load_addition",
    "load_python_topics",
    "load_test_sums",
    "load_tiny_shakespeare",
    "read_pairs",
    "read_text",
    "text_sha256",
    "with_commuted_sums",
    "with_short_sums_repeated",
]
