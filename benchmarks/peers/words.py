"""Words and their answers as ids, for the sides that bring no preprocessor of their own.

A file has lines of `source<TAB>target`: a source is read by its characters, a target by its tokens, which spaces
separate. Ids are as seqzoo's: 0 is padding, and ends an answer; 1 starts one; 2, of sources, is any unknown character.
"""

import dataclasses

import numpy as np

PADDING, START, UNKNOWN = 0, 1, 2


def read(path):
    """`(source, tokens of the target)` of each line."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    return [(source, target.split(" ")) for source, target in lines]


@dataclasses.dataclass(frozen=True)
class Vocabularies:
    """The ids of both sides' tokens, and the greatest lengths."""

    sources: dict
    targets: dict
    source_length: int
    target_length: int

    @classmethod
    def of(cls, path):
        """Those of a file."""
        sources, targets = zip(*read(path), strict=True)
        sides = [sorted({token for row in side for token in row}) for side in (sources, targets)]
        ids = [{token: first + at for at, token in enumerate(side)} for side, first in zip(sides, (3, 2), strict=True)]
        return cls(*ids, *(max(map(len, side)) for side in (sources, targets)))

    @property
    def sizes(self):
        """How many ids there are of sources, and of targets."""
        return len(self.sources) + 3, len(self.targets) + 2

    def encode(self, path):
        """`(sources, answers)` of a file: int64 `[rows, source_length]` and `[rows, target_length]`, padded with 0."""
        sources, answers = zip(*read(path), strict=True)
        return self.encode_sources(sources), _padded(answers, self.targets, self.target_length)

    def encode_sources(self, sources):
        """Int64 `[rows, source_length]`, padded with 0."""
        return _padded(sources, self.sources, self.source_length)

    def decode(self, ids):
        """The answers of ids `[rows, length]`, tokens separated by spaces; an answer ends at its first padding."""
        tokens = {at: token for token, at in self.targets.items()}
        rows = (row[: row.index(PADDING)] if PADDING in row else row for row in ids.tolist())
        return [" ".join(tokens.get(at, "") for at in row) for row in rows]


def _padded(rows, ids, length):
    table = np.zeros((len(rows), length), "int64")
    for at, row in enumerate(rows):
        table[at, : len(row)] = [ids.get(token, UNKNOWN) for token in row]
    return table
