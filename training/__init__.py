"""Training: recipes, fault-tolerant runs, several devices, and the scores of what was trained."""

from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.evaluation import evaluate, evaluate_all_sums, evaluate_sums
from seqzoo.training.recipes.base import Recipe
from seqzoo.training.recipes.catalogue import RECIPES, recipe
from seqzoo.training.recipes.pairs import PairRecipe
from seqzoo.training.recipes.pictures import ImageRecipe
from seqzoo.training.recipes.texts import TextRecipe
from seqzoo.training.run import fit, train

__all__ = [
    "RECIPES", "Checkpoint", "ImageRecipe", "PairRecipe", "Recipe", "TextRecipe", "evaluate", "evaluate_all_sums",
    "evaluate_sums", "fit", "recipe", "train",
]  # fmt: skip
