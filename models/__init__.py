"""Keras functional models from strings to strings, their losses and metrics, and the presets that ship trained."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"seqzoo needs Keras' TensorFlow backend, and Keras runs on {keras.backend.backend()!r}. "
        "Set the environment variable KERAS_BACKEND=tensorflow, or leave it unset."
    )

from seqzoo.models.base import StringModel, from_preset, load
from seqzoo.models.decoders import AttentionDecoder, Decoder, PeekyDecoder
from seqzoo.models.decoding.beam_search import beam_search
from seqzoo.models.decoding.samplers import Chain, Greedy, Sampler, Temperature, TopK, TopP
from seqzoo.models.encoders import Encoder
from seqzoo.models.ensemble import Ensemble
from seqzoo.models.files.loading import card, presets
from seqzoo.models.image_to_text import ImageEncoder, ImageToText
from seqzoo.models.language_model import LanguageModel
from seqzoo.models.losses import SequenceCrossentropy
from seqzoo.models.metrics import BitsPerToken, ExactMatch, Perplexity
from seqzoo.models.seq2seq import AttentionSeq2Seq, PeekySeq2Seq, Seq2Seq

__all__ = [
    "AttentionDecoder", "AttentionSeq2Seq", "BitsPerToken", "Chain", "Decoder", "Encoder", "Ensemble", "ExactMatch",
    "Greedy", "ImageEncoder", "ImageToText", "LanguageModel", "PeekyDecoder", "PeekySeq2Seq", "Perplexity", "Sampler",
    "Seq2Seq", "SequenceCrossentropy", "StringModel", "Temperature", "TopK", "TopP", "beam_search", "card",
    "from_preset", "load", "presets",
]  # fmt: skip
