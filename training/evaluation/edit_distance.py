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


def edit_steps(answer, target):
    """The changes that make a target of an answer, as few as there can be.

    Args:
        answer: list of tokens.
        target: list of tokens.

    Returns:
        A list of `(target token, answer token)`, from the last change to the first; `""` stands for the answer's token
        where one is inserted, and for the target's where one is deleted.
    """
    rows = [list(range(len(target) + 1))]
    for at, token in enumerate(answer, 1):
        row = [at]
        for place, right in enumerate(target, 1):
            row.append(min(rows[-1][place - 1] + (token != right), rows[-1][place] + 1, row[-1] + 1))
        rows.append(row)
    at, place, steps = len(answer), len(target), []
    while at or place:
        cost = rows[at][place]
        if at and place and rows[at - 1][place - 1] + (answer[at - 1] != target[place - 1]) == cost:
            at, place = at - 1, place - 1
            if answer[at] != target[place]:
                steps.append((target[place], answer[at]))
        elif at and rows[at - 1][place] + 1 == cost:
            at -= 1
            steps.append(("", answer[at]))
        else:
            place -= 1
            steps.append((target[place], ""))
    return steps
