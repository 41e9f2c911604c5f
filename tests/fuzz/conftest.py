"""Two small models in parts, to be changed and put together again."""

import keras
import pytest
from fuzz.model_files import parts_of

from seqzoo import models
from seqzoo.pipelines import PairPreprocessor, TextPreprocessor


@pytest.fixture(scope="session")
def whole():
    """The parts of two small models: `{"pairs" or "text": {name: bytes}}`."""
    pairs = PairPreprocessor.from_pairs([("ab", "BA"), ("c", "C")])
    text = TextPreprocessor.from_text("abc\nab")
    answering = models.Seq2Seq(pairs, 4, 4)
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    answering.compile(models.optimizers.Adam(schedule), models.SequenceCrossentropy(), metrics=[models.ExactMatch()])
    writing = models.LanguageModel(text, 4, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    writing.compile("adam", loss, metrics=[models.Perplexity(), keras.metrics.SparseTopKCategoricalAccuracy(3)])
    return {"pairs": parts_of(answering), "text": parts_of(writing)}
