"""Dates as a TFDS builder, `dates`: `22nd of October 1973`, and the ISO 8601 date `1973-10-22`."""

import typing

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.builders import OrderedBuilder, numbered_examples, pairs_info
from seqzoo.pipelines.datasets.dates.rows import SPLIT_SIZES, date_rows


class Builder(OrderedBuilder, tfds.core.GeneratorBasedBuilder):
    """Dates in many spellings, and the same in ISO 8601, made on the spot: nothing is downloaded.

    The task of *Deep Learning from Scratch 2*, section 8.3.1, in more languages: English in American and British order,
    German, French, Spanish, Italian, Portuguese, Dutch, Japanese, Chinese, Korean, and digits alone. Dates are those of
    the hundred years from 1950 to 2049.

    **One source, one date.** No spelling of a date is one of another date, whatever its case:

    - A year of four digits comes first, followed by month and day in this order, or last.
    - With full stops the day precedes the month: `3.4.1990` is 3 April. `3/4/1990` and `3-4-1990`, which differ between
      America and Europe, are not written: with slashes and hyphens both orders occur, for days above 12 or equal to the
      month, as in `4/13/1990`, `13/4/1990`, `4/4/1990`.
    - A year of two digits comes last. It either follows an apostrophe, `Nov 9 '05`, or is above 31 and so no day,
      `9. November 89`; its century is that of the range.

    **How rows are drawn.** The date is drawn first, evenly; then the language, three of thirteen times English, once
    each other language or digits alone; then one of its spellings, evenly; then its case: as the language has it, with
    a capital, all lower, all upper. A source that was drawn before is drawn again. The draw is a stable sequence of
    random bits (PCG64).

    **No date in two splits.** A twentieth of all dates, chosen at random, is for `validation` alone, in any spelling,
    and another one for `test`.

    | split | rows | dates to draw from |
    | --- | --- | --- |
    | `train` | 50,000 | 32,873 |
    | `validation` | 5,000 | 1,826 |
    | `test` | 10,000 | 1,826 |
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: typing.ClassVar = {"1.0.0": "First version."}
    # Where TFDS looks for a builder's own files; its guess goes wrong when a subpackage is mapped in.
    pkg_dir_path = tfds.core.Path(__file__).parent

    def _info(self):
        return pairs_info(self)

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in SPLIT_SIZES}

    def _generate_examples(self, split):
        return numbered_examples(date_rows(split))
