"""Lengths of rows: their summary, and the warning of rows that are far longer than the others."""

import re
import warnings

import pytest

from seqzoo.models import AttentionSeq2Seq
from seqzoo.pipelines import DataWarning, PairPreprocessor
from seqzoo.pipelines.row_lengths import RowLengths
from seqzoo.training import recipe


def lengths_of(lengths, kept=1):
    rows = RowLengths(kept)
    for number, length in enumerate(lengths, 1):
        rows.add(length, number)
    return rows


def test_summary_and_the_longest_rows_are_those_of_the_sorted_lengths():
    rows = lengths_of([3, 9, 1, 9, *([2] * 96)], kept=3)
    assert rows.summary() == {"min": 1, "median": 2, "percentile_99": 9, "max": 9}
    assert rows.longest == [(9, 2), (9, 4), (3, 1)]
    assert lengths_of([7]).summary() == {"min": 7, "median": 7, "percentile_99": 7, "max": 7}


@pytest.mark.parametrize(
    ("lengths", "far"),
    [
        ([5] * 2000 + [3000], (5, 1)),
        ([5] * 2000 + [3000] * 10, (5, 10)),
        ([5] * 9 + [3000], (5, 1)),
        ([5] * 9 + [60], (5, 0)),
        ([100] * 99 + [399], (100, 0)),
        ([100] * 99 + [400], (100, 1)),
        ([3000], (3000, 0)),
    ],
)
def test_rows_are_far_longer_at_four_times_what_most_have_and_64_tokens_more(lengths, far):
    assert lengths_of(lengths).far() == far


PAIRS = [(f"{row:04}", f"{row % 7}") for row in range(1999)]


@pytest.mark.parametrize("make", [PairPreprocessor.from_pairs, AttentionSeq2Seq.from_pairs])
def test_a_row_that_is_far_longer_than_the_others_is_named_with_what_it_costs(make):
    pairs = [*PAIRS[:1734], ("1" * 3000, "2"), *PAIRS[1734:]]
    message = (
        "Pair 1,735: the source has 3,000 tokens, where 99% of the sources have at most 4. What is padded to its "
        "length takes up to 750 times the time and memory: shorten the row or remove it, unless sources of this length "
        "are to be learnt"
    )
    with pytest.warns(DataWarning, match=f"^{re.escape(message)}$"):
        make(pairs)


def test_a_target_is_named_too_and_how_many_rows_there_are():
    pairs = [*PAIRS, ("a", "1" * 100), ("b", "1" * 200)]
    with pytest.warns(DataWarning, match=r"^Pair 2,001: the target has 200 tokens, .* 1 \(2 rows are far longer\)\. "):
        PairPreprocessor.from_pairs(pairs)


def test_rows_of_usual_lengths_are_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PairPreprocessor.from_pairs([*PAIRS, ("a" * 60, "1")])


@pytest.mark.parametrize("name", ["pairs_baseline", "pairs_attention"])
def test_recipes_name_the_file_and_the_line(tmp_path, name):
    for part in (0, 1):
        lines = "".join(f"{source}\t{target}\n" for source, target in PAIRS[part::2])
        (tmp_path / f"{part}.tsv").write_text(lines + f"{'1' * (3000 * part + 4)}\t{part}\n")
    with pytest.warns(DataWarning, match=f"^{re.escape(str(tmp_path))}/1.tsv:1000: the source has 3,004 tokens"):
        recipe(name).training_data(str(tmp_path / "*.tsv"))
