"""What a file of pairs or of text holds, to be looked at before a training."""

import collections

from seqzoo.pipelines.characters import code_point, is_mistakable
from seqzoo.pipelines.normalization import NORMAL_FORMS, normalize_string
from seqzoo.pipelines.pair_files import TAB, places_of_pairs, read_pairs
from seqzoo.pipelines.pairs import decoded
from seqzoo.pipelines.row_lengths import RowLengths
from seqzoo.pipelines.texts import read_text
from seqzoo.pipelines.tokens import bare_token, join_tokens, split_tokens

_EXAMPLES = 5
_SHOWN_CHARACTERS = 60


def inspect_pairs(
    path, source_split="characters", target_split="characters", lower_case=False, normal_form=None, separator=TAB
):
    """What a file of pairs holds, as a training would read it. All different sources and targets are held in memory.

    Args:
        path: see `read_pairs`.
        source_split: `"characters"`, `"whitespace"` or `"words"`, see `Vocabulary`.
        target_split: the same for targets.
        lower_case: bool, whether sources are read in lower case.
        normal_form: str, the Unicode normal form in which sources are read, or `None`.
        separator: see `read_pairs`.

    Returns:
        A dictionary of
        `pairs`, int, and `repeated`, how many of them stand in the file before;
        `sources`, int, how many different ones there are as they are read;
        `several_targets`, int, how many of these have more than one target, and `examples` of them, `source` and
        `targets`;
        `source` and `target`, what is on either side: `unit` of a token, `tokens`, `vocabulary` (a dictionary from each
        token to how often it stands there, the most frequent first), `code_points` (a dictionary from tokens to those
        of their characters that cannot be seen, or are punctuation or symbols beside ASCII: `U+2212 MINUS SIGN`),
        `length` in tokens (`min`, `median`,
        `percentile_99`, `max`) and the `longest` rows (`place` as file:line, `length`, the beginning of the `text`);
        `options`, for lower case and each normal form what it would change: `changed` sources, `changed_targets`, and
        how many `sources`, `tokens` in their vocabulary and tokens in the `longest` there would be.

    Raises:
        ValueError: as `read_pairs`.
        FileNotFoundError: where there is no such file.
    """
    options = {"lower_case": lower_case, "normal_form": normal_form}
    source_side, target_side = _Side(source_split, options), _Side(target_split, {})
    targets, pairs = collections.defaultdict(collections.Counter), 0
    originals = set()
    for number, (source, target) in enumerate(decoded(read_pairs(path, separator=separator)), 1):
        tokens = source_side.add(source, number)
        targets[source_side.joined(tokens)][target_side.joined(target_side.add(target, number))] += 1
        originals.add(source)
        pairs = number
    several = {source: list(each) for source, each in targets.items() if len(each) > 1}
    all_targets = {target for each in targets.values() for target in each}
    examples = list(several.items())[:_EXAMPLES]

    def places(numbers):
        return places_of_pairs(path, numbers)

    return {
        "pairs": pairs,
        "repeated": pairs - sum(map(len, targets.values())),
        "sources": len(targets),
        "several_targets": len(several),
        "examples": [{"source": source, "targets": each[:_EXAMPLES]} for source, each in examples],
        "source": source_side.report(places),
        "target": target_side.report(places),
        "options": _what_options_change(originals, all_targets, source_split, options),
    }


def inspect_text(path, split="characters", lower_case=False, normal_form=None):
    """What a text holds, as a training of a language model would read it. Its different lines are held in memory.

    Args:
        path: see `read_text`.
        split: `"characters"`, `"whitespace"` or `"words"`, see `Vocabulary`.
        lower_case: bool, whether it is read in lower case.
        normal_form: str, the Unicode normal form in which it is read, or `None`.

    Returns:
        A dictionary of `lines` and `empty` ones among them, int, of `text`, what is in the others, and of `options`;
        see `inspect_pairs`, where `sources` are lines. Line ends are no tokens.

    Raises:
        ValueError: as `read_text`.
        FileNotFoundError: where there is no such file.
    """
    options = {"lower_case": lower_case, "normal_form": normal_form}
    side, lines, number, empty = _Side(split, options), set(), 0, 0
    for piece in read_text(path).as_numpy_iterator():
        for line in piece.decode().removesuffix("\n").split("\n"):
            number += 1
            empty += not line
            if line:
                side.add(line, number)
                lines.add(line)
    return {
        "lines": number,
        "empty": empty,
        "text": side.report(lambda numbers: {each: f"{path}:{each}" for each in numbers}),
        "options": _what_options_change(lines, (), split, options),
    }


class _Side:
    """The sources, the targets or the lines of a text, counted."""

    def __init__(self, split, options):
        self._split, self._options = split, options
        self._counts, self._lengths, self._texts = collections.Counter(), RowLengths(_EXAMPLES), {}

    def add(self, string, number):
        """Counts a string; returns its tokens."""
        tokens = split_tokens(string, self._split, **self._options)
        self._counts.update(tokens)
        self._lengths.add(len(tokens), number)
        if len(tokens) >= self._lengths.longest[-1][0]:
            self._texts[number] = string[:_SHOWN_CHARACTERS] + "…" * (len(string) > _SHOWN_CHARACTERS)
            kept = {each for _, each in self._lengths.longest}
            self._texts = {each: text for each, text in self._texts.items() if each in kept}
        return tokens

    def joined(self, tokens):
        return join_tokens(tokens, self._split)

    def report(self, places):
        longest = self._lengths.longest
        place = places([number for _, number in longest])
        return {
            "unit": "character" if self._split == "characters" else "word",
            "tokens": self._counts.total(),
            "vocabulary": dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))),
            "code_points": {
                token: names for token in self._counts if (names := _code_points(bare_token(token, self._split)))
            },
            "length": self._lengths.summary() if longest else None,
            "longest": [
                {"place": place[number], "length": length, "text": self._texts[number]} for length, number in longest
            ],
        }


def _code_points(token):
    return ", ".join(code_point(each) for each in dict.fromkeys(token) if is_mistakable(each) and each != " ")


def _what_options_change(sources, targets, split, options):
    found, as_read = {}, {source: split_tokens(source, split, **options) for source in sources}
    for name, changes in {"lower_case": {"lower_case": True}, **{f: {"normal_form": f} for f in NORMAL_FORMS}}.items():
        read, vocabulary, longest, changed = set(), set(), 0, 0
        for source, before in as_read.items():
            tokens = split_tokens(source, split, **{**options, **changes})
            changed += tokens != before
            vocabulary.update(tokens)
            longest = max(longest, len(tokens))
            read.add(tuple(tokens))
        found[name] = {
            "changed": changed,
            "changed_targets": sum(normalize_string(target, **changes) != target for target in targets),
            "sources": len(read),
            "tokens": len(vocabulary),
            "longest": longest,
        }
    return found
