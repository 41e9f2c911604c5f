"""The edit distance between batches of token sequences."""

import numpy as np

from seqzoo.pipelines import PADDING_ID


def edit_distances(answers, targets):
    """How many tokens have to be inserted, deleted or replaced to make each target of its answer.

    Levenshtein (1966), by rows of the table that Wagner and Fischer (1974) fill, for all sequences of a batch at once.

    Args:
        answers: int array `[rows, length]`, each row's tokens first, then `PADDING_ID`.
        targets: int array `[rows, length]`, likewise; of any length.

    Returns:
        int64 `[rows]`.
    """
    answer_lengths, target_lengths = ((ids != PADDING_ID).sum(axis=1) for ids in (answers, targets))
    rows, places = np.arange(len(targets)), np.arange(targets.shape[1] + 1)
    distances = target_lengths.copy()  # Of an empty answer.
    row = np.tile(places, (len(targets), 1))
    for at in range(answers.shape[1]):
        deleted, replaced = row + 1, row[:, :-1] + (answers[:, at, None] != targets)
        deleted[:, 1:] = np.minimum(deleted[:, 1:], replaced)
        # An insertion costs 1 for each place to the right.
        row = np.minimum.accumulate(deleted - places, axis=1) + places
        distances = np.where(answer_lengths == at + 1, row[rows, target_lengths], distances)
    return distances
