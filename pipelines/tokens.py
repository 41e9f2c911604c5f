"""Strings as lists of tokens in Python, and which tokens a vocabulary keeps."""

import collections

from seqzoo.pipelines.normalization import normalize_string
from seqzoo.pipelines.words import JOINER, marked_string, unmarked_string

SPLITS = ("characters", "whitespace", "words")
"""What a token of a string may be, see `Vocabulary`."""


def split_tokens(string, split, lower_case=False, normal_form=None):
    """The tokens of one `str` as a list, as `Vocabulary.tokenize` has them: words are split at ASCII white space."""
    string = normalize_string(string, lower_case, normal_form)
    if split == "characters":
        return list(string)
    return [word.decode() for word in (marked_string(string) if split == "words" else string).encode().split()]


def join_tokens(tokens, split):
    """The `str` of a list of tokens: the inverse of `split_tokens`."""
    if split == "characters":
        return "".join(tokens)
    return unmarked_string(" ".join(tokens)) if split == "words" else " ".join(tokens)


def bare_token(token, split):
    """A token as it stands in a text, without the marks of `split="words"`."""
    return token.replace(JOINER, "") if split == "words" else token


def check_max_tokens(max_tokens, unknown):
    """Raises a `ValueError` for a number of tokens that is none, or without an unknown token for the others."""
    if max_tokens is not None and (max_tokens < 1 or not unknown):
        raise ValueError(
            f"max_tokens must be at least 1, and needs unknown=True. Received: max_tokens={max_tokens}, "
            f"unknown={unknown}"
        )


def most_frequent(counts, max_tokens):
    """The tokens of a `collections.Counter` that are kept, a list: the most frequent ones, or all for `None`."""
    # Sorted first, so that among equally frequent tokens the choice does not depend on their order.
    return [token for token, _ in collections.Counter(dict(sorted(counts.items()))).most_common(max_tokens)]
