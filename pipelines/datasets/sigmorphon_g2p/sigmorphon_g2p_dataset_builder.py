"""Pronunciations in 21 languages as a TFDS builder, `sigmorphon_g2p`: Korean `바다` and its phones `p a d a̠`."""

import typing

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.builders import OrderedBuilder, numbered_examples, pairs_info

_COMMIT = "821bcdece5a47820872215969f275004b0abe80c"
_FOLDER = f"https://raw.githubusercontent.com/sigmorphon/2021-task1/{_COMMIT}/data"
_HIGH = {"eng_us": "American English"}
_MEDIUM = {
    "arm_e": "Armenian (Eastern dialect)",
    "bul": "Bulgarian",
    "dut": "Dutch",
    "fre": "French",
    "geo": "Georgian",
    "hbs_latn": "Serbo-Croatian (Latin script)",
    "hun": "Hungarian",
    "jpn_hira": "Japanese (Hiragana)",
    "kor": "Korean",
    "vie_hanoi": "Vietnamese (Hanoi dialect)",
}
_LOW = {
    "ady": "Adyghe",
    "gre": "Modern Greek",
    "ice": "Icelandic",
    "ita": "Italian",
    "khm": "Khmer",
    "lav": "Latvian",
    "mlt_latn": "Maltese (Latin script)",
    "rum": "Romanian",
    "slv": "Slovene",
    "wel_sw": "Welsh (South Wales dialect)",
}
_FILES = {"train": "train", "validation": "dev", "test": "test"}
_CITATION = """\
@inproceedings{ashby-etal-2021,
  title = {Results of the Second {SIGMORPHON} Shared Task on Multilingual Grapheme-to-Phoneme Conversion},
  author = {Ashby, Lucas F.E. and others},
  booktitle = {Proceedings of the 18th SIGMORPHON Workshop on Computational Research in Phonetics, Phonology, and
    Morphology},
  year = {2021},
}"""
_LICENSE = "From Wiktionary by way of WikiPron, CC BY-SA 3.0: https://creativecommons.org/licenses/by-sa/3.0/"


class SigmorphonConfig(tfds.core.BuilderConfig):
    """The words of one language, in one of the task's three sizes, `high`, `medium` or `low`."""

    def __init__(self, name, language, size):
        super().__init__(name=name, description=f"{language}, {size}-resource.")
        self.size = size


class Builder(OrderedBuilder, tfds.core.GeneratorBasedBuilder):
    """Words of 21 languages and their phones, of the second SIGMORPHON shared task on grapheme-to-phoneme conversion.

    Sources are words in Unicode's form NFC, targets their phones in the International Phonetic Alphabet, with a space
    between two. `validation` is what the task calls the development set. The metric is the word error rate, averaged
    over the ten languages of a size.

    | size | configs | train | validation | test |
    | --- | --- | --- | --- | --- |
    | high | `eng_us` | 33,344 | 4,168 | 4,168 |
    | medium | `arm_e` `bul` `dut` `fre` `geo` `hbs_latn` `hun` `jpn_hira` `kor` `vie_hanoi` | 8,000 | 1,000 | 1,000 |
    | low | `ady` `gre` `ice` `ita` `khm` `lav` `mlt_latn` `rum` `slv` `wel_sw` | 800 | 100 | 100 |
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: typing.ClassVar = {"1.0.0": "First version."}
    # Where TFDS looks for a builder's own files; its guesses go wrong when a subpackage is mapped in.
    pkg_dir_path = tfds.core.Path(__file__).parent
    code_path = tfds.core.Path(__file__)
    BUILDER_CONFIGS: typing.ClassVar = [
        SigmorphonConfig(name, language, size)
        for size, languages in (("high", _HIGH), ("medium", _MEDIUM), ("low", _LOW))
        for name, language in languages.items()
    ]

    def _info(self):
        homepage = "https://github.com/sigmorphon/2021-task1"
        return pairs_info(self, homepage=homepage, citation=_CITATION, license=_LICENSE)

    def _split_generators(self, dl_manager):
        prefix = f"{_FOLDER}/{self.builder_config.size}/{self.builder_config.name}"
        files = dl_manager.download({split: f"{prefix}_{name}.tsv" for split, name in _FILES.items()})
        return {split: self._generate_examples(path) for split, path in files.items()}

    def _generate_examples(self, path):
        lines = path.read_text(encoding="utf-8").split("\n")
        return numbered_examples(line.split("\t") for line in lines if line)
