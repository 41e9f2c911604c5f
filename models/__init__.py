"""Keras functional models for small sequence tasks, their loss and metric, and the presets of the zoo."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"seqzoo needs Keras' TensorFlow backend, and Keras runs on {keras.backend.backend()!r}. "
        "Set the environment variable KERAS_BACKEND=tensorflow, or leave it unset."
    )

from seqzoo.models.checkpoint import Checkpoint
from seqzoo.models.decoder import Decoder, PeekyDecoder
from seqzoo.models.encoder import Encoder
from seqzoo.models.evaluation import evaluate
from seqzoo.models.language_model import LanguageModel
from seqzoo.models.loading import from_preset, load
from seqzoo.models.losses import BitsPerToken, ExactMatch, Perplexity, SequenceCrossentropy
from seqzoo.models.presets import PRESETS, Preset, preset
from seqzoo.models.samplers import Chain, Greedy, Sampler, Temperature, TopK, TopP
from seqzoo.models.seq2seq import PeekySeq2Seq, Seq2Seq
from seqzoo.models.shipped import card, ships
from seqzoo.models.sum_evaluation import evaluate_all_sums, evaluate_sums
from seqzoo.models.text_presets import TextPreset

__all__ = [
    "PRESETS",
    "BitsPerToken",
    "Chain",
    "Checkpoint",
    "Decoder",
    "Encoder",
    "ExactMatch",
    "Greedy",
    "LanguageModel",
    "PeekyDecoder",
    "PeekySeq2Seq",
    "Perplexity",
    "Preset",
    "Sampler",
    "Seq2Seq",
    "SequenceCrossentropy",
    "Temperature",
    "TextPreset",
    "TopK",
    "TopP",
    "card",
    "evaluate",
    "evaluate_all_sums",
    "evaluate_sums",
    "from_preset",
    "load",
    "preset",
    "ships",
]
