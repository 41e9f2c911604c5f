"""KerasTuner searches over the zoo's models and recipes: they resume, repeat, spread, and hand over a model."""

from seqzoo.tuning.hypermodels import ImageHyperModel, LanguageHyperModel, RecipeHyperModel, Seq2SeqHyperModel
from seqzoo.tuning.search import search
from seqzoo.tuning.tuners import TUNERS, BayesianOptimization, GridSearch, Hyperband, RandomSearch

__all__ = [
    "TUNERS", "BayesianOptimization", "GridSearch", "Hyperband", "ImageHyperModel", "LanguageHyperModel",
    "RandomSearch", "RecipeHyperModel", "Seq2SeqHyperModel", "search",
]  # fmt: skip
