"""Comparison of what an export returns with what its model returns, row by row."""

import numpy as np
import tensorflow as tf

NEAR_TIE = 1e-3
"""Where the two best tokens' logits, or two answers' scores, are no further apart, rounding decides between them."""


class Verification:
    """What verifications of exports have in common: a model, the data to compare on, and how answers are searched."""

    def __init__(self, model, data=None, beam_size=1, length_penalty=0.0):
        self.model = model
        self.data = data
        self.search = {"beam_size": beam_size, "length_penalty": length_penalty}


def compared(own, exported, gaps):
    """What a comparison found.

    Args:
        own: list of what the model returns.
        exported: list of what the export returns.
        gaps: function from the numbers of the rows that differ, `own` and `exported` to how far they are from a tie,
            float `[rows]`.

    Returns:
        A dictionary: `rows`; `equal`, how many are the model's; `near_ties`, how many differ where rounding decides;
        `different`, how many differ otherwise; and `first_different`, a sentence's part or `None`.
    """
    differing = [at for at, (one, other) in enumerate(zip(own, exported, strict=True)) if one != other]
    different = []
    if differing:
        far = ~(np.asarray(gaps(differing, own, exported)) <= NEAR_TIE)  # Also where there is no number.
        different = [at for at, is_far in zip(differing, far, strict=True) if is_far]
    return {
        "rows": len(own),
        "equal": len(own) - len(differing),
        "near_ties": len(differing) - len(different),
        "different": len(different),
        "first_different": f"{exported[different[0]]!r}, not {own[different[0]]!r}" if different else None,
    }


def compared_numbers(own, exported, tolerance):
    """`compared` for arrays `[rows, …]` whose rows are equal if no number differs by more than `tolerance`."""
    if not len(own):
        return compared([], [], None)
    is_equal = np.isclose(exported, own, rtol=1e-5, atol=tolerance).reshape(len(own), -1).all(axis=1)
    different = np.flatnonzero(~is_equal)
    first = f"{np.asarray(exported)[different[0]]}, not {np.asarray(own)[different[0]]}" if len(different) else None
    return {
        "rows": len(own),
        "equal": int(is_equal.sum()),
        "near_ties": 0,
        "different": len(different),
        "first_different": first,
    }


def compared_with_numbers(own, exported, gaps, own_numbers, numbers, tolerance):
    """`compared`, and where rows are equal `compared_numbers` of what belongs to them, `[rows, …]`."""
    result = compared(own, exported, gaps)
    if result["different"]:
        return result
    same = [at for at, (one, other) in enumerate(zip(own, exported, strict=True)) if one == other]
    of_numbers = compared_numbers(np.array(own_numbers)[same], np.array(numbers)[same], tolerance)
    return {**of_numbers, "rows": result["rows"], "near_ties": result["near_ties"]}


def raise_if_different(result):
    """Raises a `ValueError` where an export of full precision differs from its model in more than rounding."""
    for signature, each in {None: result, **result["other_signatures"]}.items():
        if each["different"]:
            named = f"'s signature {signature}" if signature else ""
            raise ValueError(
                f"The export{named} answers {each['different']} of {each['rows']} rows differently than the model, and "
                f"not by rounding. First: {each['first_different']}. Nothing was written"
            )


def reported(result):
    """A result as reports have it: without what differs first."""
    others = {name: _without_first(each) for name, each in result["other_signatures"].items()}
    return {**_without_first(result), "other_signatures": others}


def gaps_of(logits):
    """How far apart the two best logits are, of `[…, vocabulary_size]`."""
    best = tf.math.top_k(logits, 2).values.numpy()
    return best[..., 0] - best[..., 1]


def _without_first(result):
    return {key: value for key, value in result.items() if key != "first_different"}
