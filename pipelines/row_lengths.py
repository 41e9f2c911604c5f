"""How long the rows of data are, and rows that are far longer than the others."""

import collections
import heapq
import warnings

from seqzoo.pipelines.row_errors import DataWarning

_SHARE = 0.99
# What 99% of the rows have at most, times this and plus that, is far longer.
_FAR_TIMES, _FAR_TOKENS = 4, 64


class RowLengths:
    """The lengths of the rows of one side of the pairs, or of the lines of a text, in tokens.

    Args:
        kept: int, how many of the longest rows to know by their numbers.
    """

    def __init__(self, kept=1):
        self._counts = collections.Counter()
        self._kept = kept
        self._longest = []

    def add(self, length, number):
        """Counts a row of `length` tokens; `number` is its own, counted from 1."""
        self._counts[length] += 1
        if len(self._longest) < self._kept:
            heapq.heappush(self._longest, (length, -number))
        elif length > self._longest[0][0]:
            heapq.heapreplace(self._longest, (length, -number))

    @property
    def longest(self):
        """`(length, number)` of the longest rows, the longest first."""
        return [(length, -number) for length, number in sorted(self._longest, reverse=True)]

    def mean_with_ends(self):
        """The mean length with a token more for each row's end; the longest rows have no room for it."""
        longest = max(self._counts)
        written = sum(count * min(length + 1, longest) for length, count in self._counts.items())
        return written / self._counts.total()

    def summary(self):
        """A dictionary of `min`, `median`, `percentile_99` and `max`."""
        return {
            "min": min(self._counts),
            "median": self._at_most(0.5),
            "percentile_99": self._at_most(_SHARE),
            "max": max(self._counts),
        }

    def far(self):
        """`(usual, rows)`: what 99% of the rows have at most, and how many rows are far longer than that.

        At least one row is left out of the 99%, however few there are.
        """
        usual = self._at_most(_SHARE, left_out=1)
        limit = max(usual * _FAR_TIMES, usual + _FAR_TOKENS)
        return usual, sum(count for length, count in self._counts.items() if length >= limit)

    def _at_most(self, share, left_out=0):
        rows = self._counts.total()
        rank = max(1, min(-int(-share * rows // 1), rows - left_out))
        for length in sorted(self._counts):
            rank -= self._counts[length]
            if rank <= 0:
                return length
        return 0


def warn_of_long_rows(lengths, places):
    """Warns of the longest row where it is far longer than the others, since all that is beside it is padded to it.

    Args:
        lengths: dictionary from `"source"` and `"target"` to their `RowLengths`.
        places: function from a row's number to where it is, for the warning.

    Warns:
        DataWarning: for each side that has such a row.
    """
    for side, each in lengths.items():
        (length, number), *_ = each.longest
        usual, rows = each.far()
        if not rows:
            continue
        more = f" ({rows:,} rows are far longer)" if rows > 1 else ""
        message = (
            f"{places(number)}: the {side} has {length:,} tokens, where 99% of the {side}s have at most "
            f"{usual:,}{more}. What is padded to its length takes up to {length // max(usual, 1):,} times the time and "
            f"memory: shorten the row or remove it, unless {side}s of this length are to be learnt"
        )
        warnings.warn(message, DataWarning, stacklevel=3)
