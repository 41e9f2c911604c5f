"""A trained model as one artefact that runs without this project: SavedModel, LiteRT; and what ships with it."""

from seqzoo.export.build import build
from seqzoo.export.litert.writer import litert
from seqzoo.export.page import page
from seqzoo.export.saved_model.writer import saved_model

__all__ = ["build", "litert", "page", "saved_model"]
