"""Handwritten numbers as a TFDS builder, `handwritten_numbers`: a picture, and `four hundred nineteen`."""

import typing

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.builders import OrderedBuilder
from seqzoo.pipelines.datasets.handwritten_numbers.drawing import HEIGHT, WIDTH
from seqzoo.pipelines.datasets.handwritten_numbers.rows import PARTITIONS, SPLIT_SIZES, number_rows

_CITATION = """\
@misc{alpaydin-kaynak-1998-optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  publisher = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49},
}"""
_HOMEPAGE = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
_LICENSE = "The scanned digits: Creative Commons Attribution 4.0 International (CC BY 4.0)."


class Builder(OrderedBuilder, tfds.core.GeneratorBasedBuilder):
    """Pictures of numbers of one to five digits, made of digits that people wrote by hand, and the numbers in words.

    The digits are the 1,797 scans that scikit-learn carries, a copy of the test set of UCI's "Optical Recognition of
    Handwritten Digits": 8 × 8 pixels of 17 greys, written by 13 people. Nothing is downloaded, but scikit-learn must be
    installed.

    **How pictures are drawn.** The number of digits is drawn evenly from 1 to 5, then the digits, the first of which is
    0 only where there is no other, then for each a scan. They are enlarged, slanted, shifted up or down and put side by
    side with gaps, anywhere in a picture of 16 × 80 pixels; the paper is white to light grey, the ink dark, both with
    noise. The draw is a stable sequence of random bits (PCG64).

    **No scan in two splits.** Of the scans of each digit, 15% are for `validation` alone, and 15% for `test`. Who wrote
    which scan is not known, so that each writer is likely to be in all splits: a score on `test` says nothing about the
    handwriting of other people. The configurations `partition_0` to `partition_2` split the scans in three ways.

    | split | pictures |
    | --- | --- |
    | `train` | 40,000 |
    | `validation` | 2,000 |
    | `test` | 5,000 |
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: typing.ClassVar = {"1.0.0": "First version."}
    BUILDER_CONFIGS: typing.ClassVar = [
        tfds.core.BuilderConfig(name=f"partition_{number}", description=f"Partition {number} of the scans.")
        for number in range(PARTITIONS)
    ]
    # Where TFDS looks for a builder's own files; its guess goes wrong when a subpackage is mapped in.
    pkg_dir_path = tfds.core.Path(__file__).parent

    def _info(self):
        image = tfds.features.Image(shape=(HEIGHT, WIDTH, 1), encoding_format="png")
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict({"image": image, "caption": tfds.features.Text()}),
            supervised_keys=("image", "caption"),
            homepage=_HOMEPAGE,
            citation=_CITATION,
            license=_LICENSE,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in SPLIT_SIZES}

    def _generate_examples(self, split):
        partition = int(self.builder_config.name.rpartition("_")[2])
        for row, (picture, caption) in enumerate(zip(*number_rows(partition, split), strict=True)):
            yield row, {"image": picture[..., None], "caption": caption}
