"""The chapter's figure: how Reverse and Peeky change what is learnt."""

import dataclasses

from seqzoo.io.files import new_folder, write_table
from seqzoo.pipelines.pair_files import TAB
from seqzoo.runtime import choose_threads
from seqzoo.training.history import draw_curves
from seqzoo.training.recipes.catalogue import RECIPES
from seqzoo.training.run import fit

VARIANTS = {"baseline": "addition_baseline", "Reverse": "addition_reverse", "Reverse + Peeky": "addition_peeky_reverse"}
SCHEDULES = ("book", "zoo")


def figure(
    output,
    recipe="book",
    data=None,
    validation_data=None,
    epochs=None,
    seed=0,
    verbose="auto",
    compile_options=None,
    separator=TAB,
):
    """Trains baseline, Reverse and Reverse + Peeky and draws their accuracy on validation data.

    Figure 7-28 of *Deep Learning from Scratch 2*.

    Args:
        output: folder, new or empty. Gets `curves.csv` (`variant`, `epoch`, `exact_match`) and `curves.png`.
        recipe: `"book"` or `"zoo"`: the chapter's training, or each recipe of the zoo.
        data: see `seqzoo.training.train`.
        validation_data: see `seqzoo.training.train`.
        epochs: int, or `None` for the recipe's.
        seed: int.
        verbose: see `keras.Model.fit`.
        compile_options: see `seqzoo.training.train`.
        separator: str, what stands between source and target in the files, see `read_pairs`.

    Returns:
        Dictionary from the variant to its exact match after each epoch.
    """
    if recipe not in SCHEDULES:
        raise ValueError(f"recipe must be one of {SCHEDULES}. Received: {recipe!r}")
    recipes = {}
    for variant, name in VARIANTS.items():
        variant_recipe = RECIPES[name].with_book_recipe() if recipe == "book" else RECIPES[name]
        variant_recipe = dataclasses.replace(variant_recipe, separator=separator)
        if epochs is not None:
            variant_recipe = dataclasses.replace(variant_recipe, epochs=epochs)
        recipes[variant] = variant_recipe.for_data(data)
    choose_threads(*(max(getattr(each, name) for each in recipes.values()) for name in ("hidden_dim", "shards")))
    runs = {variant: (each, *each.training_data(data, validation_data, seed)) for variant, each in recipes.items()}
    curves = {}
    with new_folder(output) as output:
        for variant, run in runs.items():
            _, history = fit(*run, seed=seed, verbose=verbose, compile_options=compile_options)
            curves[variant] = history.history["val_exact_match"]
    rows = [
        {"variant": variant, "epoch": epoch, "exact_match": value}
        for variant, values in curves.items()
        for epoch, value in enumerate(values, 1)
    ]
    write_table(output / "curves.csv", rows)
    draw_curves(output / "curves.png", curves)
    return curves
