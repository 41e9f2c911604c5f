"""What the TFDS builders of pairs have in common."""

import tensorflow_datasets as tfds


def pairs_info(builder):
    """The `tfds.core.DatasetInfo` of a builder of `source` and `target` texts, which its docstring describes."""
    text = tfds.features.Text()
    return tfds.core.DatasetInfo(
        builder=builder,
        description=builder.__doc__,
        features=tfds.features.FeaturesDict({"source": text, "target": text}),
        supervised_keys=("source", "target"),
        disable_shuffling=True,
    )


def numbered_examples(rows):
    """`(source, target)` rows as TFDS takes examples, in their order."""
    for row, (source, target) in enumerate(rows):
        yield row, {"source": source, "target": target}
