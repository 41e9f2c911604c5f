"""What cards say of models of known data: what they do and are not for, and whose data they learnt from."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class KnownData:
    """Data that a recipe brings.

    Attributes:
        does: what models of these data do, to which their kind and size are added.
        limits: what they are not for; for texts, the end of it.
        origin: where the data are from.
        licence: SPDX expression of the data's licence.
        notice: sentence that goes with the weights, or `""`.
    """

    does: str
    limits: str
    origin: str
    licence: str
    notice: str = ""


_KNOWN = {
    "addition": KnownData(
        "Adds two whole numbers of up to {digits} digits, written as text: `{source}` → `{answer}`",
        "doing sums. It shows what a small seq2seq model learns, and is a start for tasks over the same characters. "
        "Numbers of more than {digits} digits are outside its training data; see below.",
        "sums that seqzoo draws from a fixed seed, the task of *Deep Learning from Scratch 2*, section 7.2.3",
        "Apache-2.0",
    ),
    "cmudict": KnownData(
        "Pronounces English words: letters → the phonemes of the CMU Pronouncing Dictionary, without stress",
        "names, abbreviations and words of other languages, which it reads as if they were English words; or where "
        "stress matters, which it does not mark. It is a dictionary's American English.",
        "the CMU Pronouncing Dictionary, in the split of Phonetisaurus",
        "BSD-2-Clause AND BSD-3-Clause",
        "Made of the CMU Pronouncing Dictionary, Copyright (C) 1993-2015 Carnegie Mellon University, all rights "
        "reserved; its notice is in `NOTICE.txt`.",
    ),
    "dates": KnownData(
        "Writes dates of the years 1950 to 2049, in ten languages and many spellings, in ISO 8601",
        "dates of other years or languages, or such that mean two days: `3/4/1990` is 3 April here and 4 March there.",
        "dates that seqzoo draws and spells from a fixed seed, the task of *Deep Learning from Scratch 2*, section "
        "8.3.1, in more languages",
        "Apache-2.0",
    ),
    "handwritten_numbers": KnownData(
        "Reads pictures of numbers of one to five digits, written by hand, and writes them in English words",
        "pictures of anything else, which it reads as numbers too, without a sign that it guesses; longer numbers; or "
        "reading that has to be right. The digits that it learnt from are by 13 people, each of whom is likely to have "
        "written some of those that it was tested on: how it reads other hands was not measured.",
        "the 1,797 scans of digits that scikit-learn carries, put side by side by seqzoo from a fixed seed",
        "CC-BY-4.0",
        "The digits are from *Optical Recognition of Handwritten Digits* by E. Alpaydin and C. Kaynak (1998), UCI "
        "Machine Learning Repository, https://doi.org/10.24432/C50P49, under CC BY 4.0; see `NOTICE.txt`.",
    ),
    "pydoc_data.topics": KnownData(
        "Writes text in the manner of the Python documentation that every CPython carries",
        "It knows Python's reference manual and nothing else; what it writes about Python is not true but likely.",
        "`pydoc_data.topics` of the Python that trained it",
        "PSF-2.0",
    ),
    "tiny_shakespeare": KnownData(
        "Writes text in the manner of a million characters of Shakespeare's plays",
        "It knows words and verse, no plot and no meaning.",
        "plays of Shakespeare, in the public domain, in the file of karpathy/char-rnn",
        "MIT",
    ),
}


def known_data(source):
    """What is known of the data that a card names as its source.

    Args:
        source: str, name of a data set, with or without a configuration (`addition/digits_3`), or `None`.

    Returns:
        `KnownData`, or `None` for data that users bring.
    """
    return _KNOWN.get((source or "").partition("/")[0])
