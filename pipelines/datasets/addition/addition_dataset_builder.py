"""The chapter's task as a TFDS builder, `addition`: sums written as text, `57+5` and its answer `62`."""

import typing

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.addition.sums import DIGITS, SPLIT_SIZES, addition_rows
from seqzoo.pipelines.datasets.builders import OrderedBuilder, numbered_examples, pairs_info


class AdditionConfig(tfds.core.BuilderConfig):
    """Sums of two numbers of up to `digits` digits."""

    def __init__(self, digits):
        super().__init__(name=f"digits_{digits}", description=f"Numbers of 1 to {digits} digits.")
        self.digits = digits


class Addition(OrderedBuilder, tfds.core.GeneratorBasedBuilder):
    """Sums of two non-negative whole numbers, made on the spot: nothing is downloaded.

    The task of *Deep Learning from Scratch 2*, section 7.2.3. Configs `digits_2` to `digits_5`, and `digits_9`.

    **How numbers are drawn.** The number of digits of each operand is drawn first, independently, a length being four
    times as likely as the next shorter one; then the number, evenly among those of that length (0 has one digit). For
    three digits: 1 with 4.8%, 2 with 19.0%, 3 with 76.2%. Short operands are thus more frequent than among all sums
    (1%, 9%, 90%), so that their few cases are learnt too. For nine digits all lengths are equally likely, as far as
    there are pairs: of one digit and one, two and two, and such, all there are have been drawn.

    **No sum twice.** `a+b` and `b+a` count as one pair of operands; a pair that was drawn before is drawn again. The
    order that is written is the one drawn. Pairs stand in the order of the draw, a stable sequence of random bits
    (PCG64) that depends on the config alone; the first go to `train`, the next to `test`, so that `a+b` and `b+a`
    never stand in two splits. Of nine digits they are shuffled first, so that each split has pairs of all lengths.

    | config | train | validation | test | pairs there are |
    | --- | --- | --- | --- | --- |
    | `digits_2` | 4,000 | | 500 | 5,050 |
    | `digits_3` | 45,000 | | 5,000 | 500,500 |
    | `digits_4` | 200,000 | | 20,000 | 50,005,000 |
    | `digits_5` | 500,000 | | 100,000 | 5,000,050,000 |
    | `digits_9` | 500,000 | 10,000 | 100,000 | about 5 × 10¹⁷ |
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: typing.ClassVar = {"1.0.0": "First version."}
    # Where TFDS looks for a builder's own files; its guess goes wrong when a subpackage is mapped in.
    pkg_dir_path = tfds.core.Path(__file__).parent
    BUILDER_CONFIGS: typing.ClassVar = [AdditionConfig(digits) for digits in DIGITS]

    def _info(self):
        return pairs_info(self)

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in SPLIT_SIZES[self.builder_config.digits]}

    def _generate_examples(self, split):
        return numbered_examples(addition_rows(self.builder_config.digits, split))
