"""How well handwritten numbers are read: `python benchmarks/read_numbers.py --output DIR`.

Trains the recipe `read_numbers` on each of the three partitions of the scanned digits, and scores each model once on
its test pictures. A training that was cut off goes on when the command is run again with the same DIR. It takes about
three quarters of an hour of CPU time.
"""

import argparse
import dataclasses
import pathlib
import statistics

import seqzoo
from seqzoo.pipelines import HandwrittenNumbersData


def main():
    """Prints the share of test pictures that are captioned without an error, of each partition, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--partition", type=int, choices=range(3), help="one of them alone")
    options = parser.parse_args()
    scores = []
    for partition in range(3) if options.partition is None else [options.partition]:
        recipe = dataclasses.replace(seqzoo.training.RECIPES["read_numbers"], dataset=HandwrittenNumbersData(partition))
        folder = options.output / f"partition_{partition}"
        resume = (folder / "run.json").exists()
        model, metrics = seqzoo.training.train(recipe, folder, verbose=2, resume=resume)
        score = seqzoo.training.evaluate(model, recipe.dataset.load_test())["exact_match"]
        print(
            f"partition {partition}: {score:.2%} of test pictures, {metrics['exact_match']:.2%} of validation pictures"
        )
        scores.append(score)
    print(f"mean: {statistics.mean(scores):.2%}")


if __name__ == "__main__":
    main()
