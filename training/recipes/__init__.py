"""Recipes: how a model is trained, as data: the model, its data set and its schedule; and the catalogue of them."""
