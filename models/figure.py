"""The chapter's figure: how Reverse and Peeky change what is learnt."""

import dataclasses

from seqzoo.files import new_folder
from seqzoo.models.execution import choose_threads
from seqzoo.models.presets import PRESETS
from seqzoo.models.training import draw_curves, fit, write_table

VARIANTS = {
    "baseline": "addition_baseline",
    "Reverse": "addition_reverse",
    "Reverse + Peeky": "addition_peeky_reverse",
}
RECIPES = ("book", "zoo")


def figure(output, recipe="book", data=None, validation_data=None, epochs=None, seed=0, verbose="auto"):
    """Trains baseline, Reverse and Reverse + Peeky and draws their accuracy on validation data.

    Figure 7-28 of *Deep Learning from Scratch 2*.

    Args:
        output: folder, new or empty. Gets `curves.csv` (`variant`, `epoch`, `exact_match`) and `curves.png`.
        recipe: `"book"` or `"zoo"`: the chapter's training, or each preset's own.
        data: file of sums, or `None` for `addition/digits_3`; see `Preset.training_data`.
        validation_data: likewise.
        epochs: int, or `None` for the recipe's.
        seed: int.
        verbose: see `keras.Model.fit`.

    Returns:
        Dictionary from the variant to its exact match after each epoch.

    Raises:
        ValueError: for an unknown recipe, wrong data, or a folder that holds anything.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {RECIPES}. Received: {recipe!r}")
    choose_threads(max(PRESETS[name].hidden_dim for name in VARIANTS.values()))
    runs = {}
    for variant, name in VARIANTS.items():
        preset = PRESETS[name].with_book_recipe() if recipe == "book" else PRESETS[name]
        if epochs is not None:
            preset = dataclasses.replace(preset, epochs=epochs)
        runs[variant] = (preset, *preset.training_data(data, validation_data, seed))
    curves = {}
    with new_folder(output) as output:
        for variant, run in runs.items():
            _, history = fit(*run, seed=seed, verbose=verbose)
            curves[variant] = history.history["val_exact_match"]
    rows = [
        {"variant": variant, "epoch": epoch, "exact_match": value}
        for variant, values in curves.items()
        for epoch, value in enumerate(values, 1)
    ]
    write_table(output / "curves.csv", rows)
    draw_curves(output / "curves.png", curves)
    return curves
