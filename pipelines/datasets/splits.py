"""Splits of rows that are made in memory, and TFDS' slices of them."""

import tensorflow_datasets as tfds

from seqzoo.pipelines.pairs import as_pairs


def load_rows(split, sizes, rows_of):
    """The rows of a split, or of a slice of one, as TFDS would load them.

    Args:
        split: a key of `sizes`, or TFDS' slices of them such as `"train[:90%]"`.
        sizes: dictionary of the number of rows of each split.
        rows_of: function from the name of a split to its list of `(source, target)` rows.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars.

    Raises:
        ValueError: for a split that TFDS does not understand.
    """
    splits = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0, filename_template=None)
        for name, size in sizes.items()
    }
    try:
        instructions = tfds.core.ReadInstruction.from_spec(split).to_absolute(splits)
    except (ValueError, AssertionError) as error:
        known = ", ".join(map(repr, sizes))
        raise ValueError(f"Unknown split {split!r}: use {known} or a slice such as 'train[:90%]'") from error
    rows = []
    for part in instructions:
        rows += rows_of(part.splitname)[part.from_ : part.to]
    return as_pairs(rows)
