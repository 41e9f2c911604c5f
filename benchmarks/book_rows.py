"""The zoo's recipes on the book's own rows: `python benchmarks/book_rows.py TRAIN.tsv TEST.tsv [RECIPE …]`.

Each recipe of three-digit sums trains on the 45,000 sums of *Deep Learning from Scratch 2* (its `addition.txt`, as
`source<TAB>target` lines), with mirrored and repeated sums as on its own data set, no test sum among them. Prints the
exact match on the 5,000 test sums. Two to five minutes of CPU time a recipe.
"""

import argparse

from seqzoo.pipelines import read_pairs, with_commuted_sums, with_short_sums_repeated
from seqzoo.training import RECIPES, evaluate, fit

_RECIPES = ["addition_baseline", "addition_reverse", "addition_peeky"]


def main():
    """Trains and prints a line for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("recipes", nargs="*", default=_RECIPES, metavar="RECIPE")
    options = parser.parse_args()
    train, test = read_pairs(options.train), read_pairs(options.test)
    for name in options.recipes:
        recipe = RECIPES[name].for_data(options.train)
        added = RECIPES[name].dataset
        pairs = train
        if added:
            pairs = with_commuted_sums(with_short_sums_repeated(train, added.short_sums), except_for=test)
        model, _ = fit(recipe, pairs, test, recipe.preprocessor(train), verbose=0)
        print(f"{name} {evaluate(model, test)['exact_match']:.2%} after {recipe.epochs} epochs", flush=True)


if __name__ == "__main__":
    main()
