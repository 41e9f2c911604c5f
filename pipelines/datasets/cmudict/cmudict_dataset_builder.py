"""Pronunciations of English words as a TFDS builder, `cmudict`: `tensor` and its phonemes `T EH N S ER`."""

import hashlib
import typing

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.builders import OrderedBuilder, numbered_examples, pairs_info

_COMMIT = "f08d3dfb10b8d619e665a9581d2a327bcc2504f7"
_FOLDER = f"https://raw.githubusercontent.com/AdolfVonKleist/Phonetisaurus/{_COMMIT}/test/g014b2b"
_VALIDATION_WORDS = 2_670
_CITATION = """\
@misc{cmudict,
  author = {{Carnegie Mellon University}},
  title = {The {CMU} Pronouncing Dictionary},
  howpublished = {\\url{http://www.speech.cs.cmu.edu/cgi-bin/cmudict}},
}
@article{bisani-ney-2008-joint,
  author = {Bisani, Maximilian and Ney, Hermann},
  title = {Joint-sequence models for grapheme-to-phoneme conversion},
  journal = {Speech Communication},
  volume = {50},
  number = {5},
  pages = {434--451},
  year = {2008},
}"""
_LICENSE = """\
Copyright (C) 1993-2015 Carnegie Mellon University. All rights reserved. A BSD licence of two clauses; the split is from
Phonetisaurus, under one of three."""


class Builder(OrderedBuilder, tfds.core.GeneratorBasedBuilder):
    """English words and their phonemes, from the CMU Pronouncing Dictionary, in the split that papers compare on.

    Sources are words in lower case, of the 26 letters and the apostrophe. Targets are the dictionary's 39 phonemes,
    without stress, with a space between two. A word with several pronunciations has a row for each; an answer is right
    if it is any of them, see `seqzoo.training.evaluate`.

    Upstream has a training and a test file, which share no word. `validation` are words of the training file, of which
    `train` then has no row: those of 2,670 words with the lowest SHA-256, which is as good as drawn by lot.

    | split | words | rows |
    | --- | --- | --- |
    | `train` | 104,167 | 110,614 |
    | `validation` | 2,670 | 2,824 |
    | `test` | 12,000 | 12,753 |
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: typing.ClassVar = {"1.0.0": "First version."}
    # Where TFDS looks for a builder's own files; its guesses go wrong when a subpackage is mapped in.
    pkg_dir_path = tfds.core.Path(__file__).parent
    code_path = tfds.core.Path(__file__)

    def _info(self):
        homepage = "http://www.speech.cs.cmu.edu/cgi-bin/cmudict"
        return pairs_info(self, homepage=homepage, citation=_CITATION, license=_LICENSE)

    def _split_generators(self, dl_manager):
        files = dl_manager.download({"train": f"{_FOLDER}/g014b2b.train", "test": f"{_FOLDER}/g014b2b.ref"})
        rows = _read(files["train"])
        validation = set(_lowest_hashes({word for word, _ in rows}, _VALIDATION_WORDS))
        return {
            "train": numbered_examples(row for row in rows if row[0] not in validation),
            "validation": numbered_examples(row for row in rows if row[0] in validation),
            "test": numbered_examples(_read(files["test"])),
        }

    def _generate_examples(self, rows):
        return numbered_examples(rows)


def _read(path):
    """The `(word, phonemes)` rows of a file whose lines are a word and its pronunciations with tabs between them."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(word.lower(), phonemes) for word, *pronunciations in lines for phonemes in pronunciations]


def _lowest_hashes(words, count):
    return sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest())[:count]
