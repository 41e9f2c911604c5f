"""Strings in, batches out: vocabularies, preprocessors, files of pairs and of text, and the data sets."""

from seqzoo.pipelines.datasets.addition.addition_dataset_builder import Addition
from seqzoo.pipelines.datasets.addition.fresh import fresh_batches
from seqzoo.pipelines.datasets.addition.sums import (
    AdditionData,
    digits_of_sums,
    load_addition,
    load_test_sums,
    with_commuted_sums,
    with_short_sums_repeated,
)
from seqzoo.pipelines.datasets.cmudict.cmudict_dataset_builder import Builder as Cmudict
from seqzoo.pipelines.datasets.cmudict.rows import CmudictData
from seqzoo.pipelines.datasets.dates.dates_dataset_builder import Builder as Dates
from seqzoo.pipelines.datasets.dates.rows import DatesData, load_dates
from seqzoo.pipelines.datasets.dates.spellings import spellings
from seqzoo.pipelines.datasets.handwritten_numbers.handwritten_numbers_dataset_builder import (
    Builder as HandwrittenNumbers,
)
from seqzoo.pipelines.datasets.handwritten_numbers.rows import HandwrittenNumbersData
from seqzoo.pipelines.datasets.handwritten_numbers.words import number_in_words
from seqzoo.pipelines.datasets.known import load_test_rows
from seqzoo.pipelines.datasets.sigmorphon_g2p.sigmorphon_g2p_dataset_builder import Builder as SigmorphonG2p
from seqzoo.pipelines.datasets.texts import TextData, load_python_topics, load_tiny_shakespeare
from seqzoo.pipelines.image_preprocessor import ImagePreprocessor
from seqzoo.pipelines.inspection import inspect_pairs, inspect_text
from seqzoo.pipelines.pair_files import read_pairs
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.pairs import alternatives, as_pairs, hold_out
from seqzoo.pipelines.row_errors import DataWarning
from seqzoo.pipelines.text_preprocessor import END_ID, TextPreprocessor
from seqzoo.pipelines.texts import as_text, read_text, text_sha256
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID, Vocabulary

__all__ = [
    "END_ID", "PADDING_ID", "START_ID", "Addition", "AdditionData", "Cmudict", "CmudictData", "DataWarning", "Dates",
    "DatesData", "HandwrittenNumbers", "HandwrittenNumbersData", "ImagePreprocessor", "PairPreprocessor",
    "SigmorphonG2p", "TextData", "TextPreprocessor", "Vocabulary", "alternatives", "as_pairs", "as_text",
    "digits_of_sums", "fresh_batches", "hold_out", "inspect_pairs", "inspect_text", "load_addition", "load_dates",
    "load_python_topics", "load_test_rows", "load_test_sums", "load_tiny_shakespeare", "number_in_words", "read_pairs",
    "read_text", "spellings", "text_sha256", "with_commuted_sums", "with_short_sums_repeated",
]  # fmt: skip
