"""Scores of a model of sums: over every sum there is, by the operands' lengths, and by carries."""

import numpy as np

from seqzoo.pipelines import digits_of_sums

MAX_EXHAUSTIVE_DIGITS = 3
"""Models of sums of up to so many digits are evaluated on every sum."""


def evaluate_all_sums(model, beam_size=1, length_penalty=0.0):
    """Asks a model for every sum of two numbers of up to as many digits as it was made for, and counts its errors.

    Args:
        model: `Seq2Seq` of sums of up to 2 or 3 digits: 10,000 or 1,000,000 sums, `a+b` and `b+a` each.
        beam_size: int, see `evaluate`.
        length_penalty: float, see `evaluate`.

    Returns:
        As `evaluate_sums`.

    Raises:
        ValueError: for a model of anything else.
    """
    digits = digits_of_sums(model.preprocessor)
    if digits is None or digits > MAX_EXHAUSTIVE_DIGITS:
        kind = "not a model of sums" if digits is None else f"for sums of {digits} digits, {100**digits:,} of them"
        raise ValueError(
            f"All sums are evaluated for models of up to {MAX_EXHAUSTIVE_DIGITS} digits; this one is {kind}: "
            "use seqzoo evaluate without --exhaustive"
        )
    return evaluate_sums(model, all_operands(digits), beam_size, length_penalty)


def evaluate_sums(model, operands, beam_size=1, length_penalty=0.0):
    """Asks a model for sums, and counts its errors.

    Args:
        model: `Seq2Seq` of sums.
        operands: int64 `[rows, 2]`, non-negative.
        beam_size: int, see `evaluate`.
        length_penalty: float, see `evaluate`.

    Returns:
        As `score_sums`.

    Raises:
        ValueError: for a sum that the model cannot read.
    """
    sources = (f"{a}+{b}" for a, b in operands.tolist())
    return score_sums(operands, model.generate_each(sources, beam_size=beam_size, length_penalty=length_penalty))


def score_sums(operands, answers):
    """Counts the errors of answers to sums.

    Args:
        operands: int64 `[rows, 2]`, non-negative.
        answers: iterable of as many `str`.

    Returns:
        A dictionary of `rows` and `errors`, int; `exact_match`, the share that is right; `by_digits`, a dictionary from
        the operands' numbers of digits, the smaller first, such as `"1+3"`, to `rows` and `errors`; `by_carries`,
        likewise from the number of columns that carry; and `wrong`, a dictionary of `source`, `target` and `answer` for
        each wrong answer.
    """
    is_wrong = np.zeros(len(operands), bool)
    wrong = []
    for row, answer in enumerate(answers):
        a, b = operands[row].tolist()
        if answer != str(a + b):
            is_wrong[row] = True
            wrong.append({"source": f"{a}+{b}", "target": str(a + b), "answer": answer})
    digits = np.sort(_digits(operands), axis=1)
    return {
        "rows": len(operands),
        "errors": len(wrong),
        "exact_match": 1 - len(wrong) / len(operands),
        "by_digits": _by(np.char.add(np.char.add(digits[:, 0].astype(str), "+"), digits[:, 1].astype(str)), is_wrong),
        "by_carries": _by(_carries(operands).astype(str), is_wrong),
        "wrong": wrong,
    }


def all_operands(digits):
    """Every pair of numbers of up to so many digits, int64 `[100**digits, 2]`."""
    numbers = np.arange(10**digits)
    return np.stack(np.meshgrid(numbers, numbers, indexing="ij"), axis=-1).reshape(-1, 2)


def _by(groups, is_wrong):
    names, group = np.unique(groups, return_inverse=True)
    rows, errors = np.bincount(group), np.bincount(group, weights=is_wrong).astype(int)
    return {
        str(name): {"rows": int(n), "errors": int(wrong)} for name, n, wrong in zip(names, rows, errors, strict=True)
    }


def _digits(numbers):
    return sum((numbers >= 10**power).astype(int) for power in range(1, 19)) + 1


def _carries(operands):
    """How many columns of each written sum carry, int `[rows]`."""
    count = np.zeros(len(operands), int)
    power = 10
    while (operands >= power // 10).any():
        count += (operands % power).sum(axis=1) >= power
        power *= 10
    return count
