"""What is found in a file before a training."""

import pytest

from seqzoo.pipelines import inspect_pairs, inspect_text

LINES = ["cafe\u0301\tK AE", "ab\tA B", "ab\tX", "ab\tA B", "AB\tQ", "test\u202f1\tZ Z −"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def test_pairs_are_counted_with_sources_that_have_several_targets(file):
    found = inspect_pairs(file)
    assert {name: found[name] for name in ("pairs", "repeated", "sources", "several_targets")} == {
        "pairs": 6, "repeated": 1, "sources": 4, "several_targets": 1,
    }  # fmt: skip
    assert found["examples"] == [{"source": "ab", "targets": ["A B", "X"]}]
    assert inspect_pairs(file, lower_case=True)["examples"] == [{"source": "ab", "targets": ["A B", "X", "Q"]}]


def test_each_side_has_its_vocabulary_lengths_and_longest_rows(file):
    found = inspect_pairs(file, target_split="whitespace")
    source, target = found["source"], found["target"]
    assert (source["unit"], source["tokens"], target["unit"], target["tokens"]) == ("character", 19, "word", 11)
    assert list(source["vocabulary"].items())[:3] == [("a", 4), ("b", 3), ("e", 2)]
    assert source["code_points"] == {
        "\u0301": "U+0301 COMBINING ACUTE ACCENT",
        "\u202f": "U+202F NARROW NO-BREAK SPACE",
    }
    assert target["vocabulary"] == {"A": 2, "B": 2, "Z": 2, "AE": 1, "K": 1, "Q": 1, "X": 1, "−": 1}
    assert target["code_points"] == {"−": "U+2212 MINUS SIGN"}
    assert source["length"] == {"min": 2, "median": 2, "percentile_99": 6, "max": 6}
    assert source["longest"][0] == {"place": f"{file}:6", "length": 6, "text": "test\u202f1"}
    assert target["longest"][:2] == [
        {"place": f"{file}:6", "length": 3, "text": "Z Z −"},
        {"place": f"{file}:1", "length": 2, "text": "K AE"},
    ]


def test_what_options_would_change_is_counted(file):
    found = inspect_pairs(file)["options"]
    assert list(found) == ["lower_case", "NFC", "NFD", "NFKC", "NFKD"]
    expected = {"changed": 1, "changed_targets": 5, "sources": 3, "tokens": 10, "longest": 6}
    assert found["lower_case"] == expected
    assert found["NFC"] == {"changed": 1, "changed_targets": 0, "sources": 4, "tokens": 12, "longest": 6}
    assert found["NFD"]["changed"] == 0
    assert found["NFKC"]["changed"] == 2
    assert inspect_pairs(file, lower_case=True)["options"]["lower_case"]["changed"] == 0


def test_long_rows_are_shown_by_their_beginning(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("x" * 1000 + "_y\n1_2\n")
    assert inspect_pairs(path, separator="_")["source"]["longest"] == [
        {"place": f"{path}:1", "length": 1000, "text": "x" * 60 + "…"},
        {"place": f"{path}:2", "length": 1, "text": "1"},
    ]


def test_a_text_is_counted_by_lines(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("ab é\r\n\r\nab\r\nAB c d".encode())
    found = inspect_text(path, split="whitespace")
    assert (found["lines"], found["empty"]) == (4, 1)
    assert found["text"]["vocabulary"] == {"ab": 2, "AB": 1, "c": 1, "d": 1, "é": 1}
    assert found["text"]["longest"][0] == {"place": f"{path}:4", "length": 3, "text": "AB c d"}
    assert found["options"]["lower_case"] == {
        "changed": 1, "changed_targets": 0, "sources": 3, "tokens": 4, "longest": 3,
    }  # fmt: skip
    assert list(inspect_text(path)["text"]["vocabulary"]) == [" ", "a", "b", "A", "B", "c", "d", "é"]


def test_a_text_of_empty_lines_has_none(tmp_path):
    (tmp_path / "text.txt").write_text("\n\n")
    found = inspect_text(tmp_path / "text.txt")
    assert (found["lines"], found["empty"], found["text"]["longest"]) == (2, 2, [])
