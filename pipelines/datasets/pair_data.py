"""What a data set of pairs says of itself to the recipes that train on it."""

from typing import ClassVar


class PairData:
    """A data set of pairs, of which nothing is special unless a subclass says so.

    Subclasses are frozen dataclasses of the options of the data set. They have a `name`; `load()`, the rows to train on
    and to validate on; `load_test()`, those that no choice is made on; and `preprocessor(reverse, reverse_target)`.
    """

    vocabulary_options: ClassVar = {}
    """Options of `PairPreprocessor.from_pairs` by which its own preprocessor differs from that without any."""

    fresh = False
    """Whether each epoch has rows of its own in place of those that `load` returns."""

    is_at_hand = True
    """Whether it needs no download, and nothing that is not installed."""

    notice = None
    """The notice that goes with the data and with what is made of them, `str`; `None` for none."""

    def augment(self, pairs):
        """What an epoch trains on, given pairs of this data set: these."""
        return pairs

    def plain(self):
        """This data set where nothing is added to an epoch: itself."""
        return self
