"""A trained model as one artefact that runs without this project: SavedModel, LiteRT."""

from seqzoo.export.litert import litert
from seqzoo.export.saved_model import saved_model

__all__ = ["litert", "saved_model"]
