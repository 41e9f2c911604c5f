"""Files of pairs: separators, line ends, and what is said about lines that are no pair."""

import re

import pytest
import tensorflow as tf

from seqzoo.pipelines import DataWarning, PairPreprocessor, Vocabulary, read_pairs
from seqzoo.pipelines.pair_files import places_of_pairs

STRING = tf.TensorSpec([], tf.string)
SUMS = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4)


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_file_is_read_line_by_line(write):
    path = write("57+5\t62\n 1 + 2\t 3 \n")
    dataset = read_pairs(path)
    assert dataset.element_spec == (STRING, STRING)
    assert rows_of(dataset) == [("57+5", "62"), (" 1 + 2", " 3 ")]
    assert rows_of(read_pairs(str(path))) == rows_of(dataset)


@pytest.mark.parametrize(
    "content",
    ["a\tb\nc\td\n", "a\tb\nc\td", "a\tb\r\nc\td\r\n", "a\tb\r\nc\td", "a\tb\rc\td\r", "a\tb\rc\td"],
    ids=repr,
)
def test_line_ends_of_every_system_are_accepted(write, content):
    assert rows_of(read_pairs(write(content))) == [("a", "b"), ("c", "d")]


def test_unicode_survives(write):
    pairs = [("안녕", "👍🏽"), ("e\u0301", "é"), ("a\u2028b", "c\x85d"), ("\x00", "b\x00"), ("x\ufeff", "\u3000")]
    assert rows_of(read_pairs(write("".join(f"{source}\t{target}\n" for source, target in pairs)))) == pairs


@pytest.mark.parametrize("content", [b"a\rb\tc", b"a\tb\r\r\nb\tc", b"a\tb\rc"], ids=repr)
def test_a_carriage_return_ends_a_line(write, content):
    path, number = write(content), 1 if content.startswith(b"a\r") else 2
    with pytest.raises(ValueError, match=re.escape(f"{path}:{number}: the line must be source<TAB>target")):
        read_pairs(path)


def test_lines_of_old_macs_are_read_and_checked_in_blocks(write):
    pairs = [(f"{row}+0", f"{row}") for row in range(2_000)] * 6
    path = write("".join(f"{source}\t{target}\r" for source, target in pairs))
    assert rows_of(read_pairs(path, SUMS)) == pairs
    path = write("1+1\t2\r" * 9_000 + "x\t2\r")
    with pytest.raises(ValueError, match=re.escape(f"{path}:9001: source 'x' has the character 'x'")):
        read_pairs(path, SUMS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"abc", "must be source<TAB>target with one tab: 'abc'"),
        (b"", "must be source<TAB>target with one tab: ''"),
        (b"a\tb\tc", "must be source<TAB>target with one tab: 'a\\tb\\tc'"),
        (b"a\tb\t", "must be source<TAB>target with one tab"),
        (b"\tb", "has an empty side: '\\tb'"),
        (b"a\t", "has an empty side: 'a\\t'"),
        (b"a\t\r", "has an empty side"),
        (b"\t", "has an empty side"),
        (b"\xff\tb", "is not valid UTF-8 at the byte \\xff"),
        (b"a\t\xed\xa0\x80", "is not valid UTF-8"),
        (b"a\t\xec\x95", "is not valid UTF-8"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [0, 1, 9_000])
def test_bad_line_is_named(write, line, problem, before):
    path = write(b"a\tb\n" * before + line + b"\nc\td\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}:{before + 1}: the line {problem}")):
        read_pairs(path)


def test_byte_order_mark_is_refused(write):
    path = write(b"\xef\xbb\xbfa\tb\n")
    with pytest.raises(ValueError, match=re.escape(f"{path} begins with a byte order mark")):
        read_pairs(path)


def test_long_bad_line_is_shortened(write):
    with pytest.raises(ValueError, match=r"…$") as error:
        read_pairs(write("x" * 100_000))
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1+1+1+1+1\t5", "source '1+1+1+1+1' has 9 characters, the model takes at most 7"),
        ("1+1\t20000", "target '20000' has 5 characters, the model takes at most 4"),
        ("3-1\t2", "source '3-1' has the character '-', which is not in the vocabulary"),
        ("3+1\t사", "target '사' has the character '사', which is not in the vocabulary"),
    ],
)
@pytest.mark.parametrize("before", [1, 9_000])
def test_line_that_does_not_fit_the_preprocessor_is_named(write, line, problem, before):
    path = write("1+2\t3\n" * before + line + "\n1+1\t2\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}:{before + 1}: {problem}")):
        read_pairs(path, SUMS)
    assert rows_of(read_pairs(path))[before] == tuple(line.split("\t"))


def test_file_that_fits_the_preprocessor_is_read(write):
    assert rows_of(read_pairs(write("57+5\t62\r\n1+2\t3\n"), SUMS)) == [("57+5", "62"), ("1+2", "3")]


def test_empty_file_is_refused(write):
    path = write("")
    with pytest.raises(ValueError, match=re.escape(f"{path} is empty")):
        read_pairs(path)


@pytest.mark.parametrize("name", ["none.tsv", "none*.tsv"])
def test_missing_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=re.escape(name)):
        read_pairs(tmp_path / name)


def test_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} is not a file")):
        read_pairs(tmp_path)


def test_folder_among_the_files_of_a_glob_is_refused(write, tmp_path):
    write("a\tb\n", "1.tsv")
    (tmp_path / "2.tsv").mkdir()
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / '2.tsv'} is not a file")):
        read_pairs(tmp_path / "*.tsv")


def test_files_of_a_glob_are_read_in_the_order_of_their_names(write, tmp_path):
    write("e\tf\n", "c.tsv")
    write("a\tb", "a.tsv")
    write("c\td\nc\te\n", "b.tsv")
    write("x\ty\n", "a.txt")
    assert rows_of(read_pairs(tmp_path / "*.tsv")) == [("a", "b"), ("c", "d"), ("c", "e"), ("e", "f")]


def test_bad_line_of_a_glob_is_named_in_its_file(write, tmp_path):
    write("1+1\t2\n1+2\t3\n", "a.tsv")
    path = write("1+1\t2\nx\t3\n", "b.tsv")
    with pytest.raises(ValueError, match=re.escape(f"{path}:2: source 'x' has the character 'x'")):
        read_pairs(tmp_path / "*.tsv", SUMS)
    path.write_text("1+1\t2\nx\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}:2: the line must be source<TAB>target")):
        read_pairs(tmp_path / "*.tsv")


def test_name_with_glob_characters_is_read_as_a_name(write):
    assert rows_of(read_pairs(write("a\tb\n", "pairs[1].tsv"))) == [("a", "b")]


@pytest.mark.parametrize(
    ("separator", "line", "pair"),
    [
        ("_", "16+75  _91  ", ("16+75", "91")),
        ("_", "september 27, 1994           _1994-09-27", ("september 27, 1994", "1994-09-27")),
        (" ", "'bout B AW1 T", ("'bout", "B AW1 T")),
        (" ", " 'BOUT  B AW1 T ", ("'BOUT", "B AW1 T")),
        (",", "a , b, c", ("a", "b, c")),
        (" ||| ", "der hund ||| the dog ||| x", ("der hund", "the dog ||| x")),
        ("→", "é→한", ("é", "한")),
        ("\t\t", "a b\t\tc\td", ("a b", "c\td")),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_is_split_where_its_separator_first_stands(write, separator, line, pair, end):
    path = write(line + end + line)
    assert rows_of(read_pairs(path, separator=separator)) == [pair, pair]
    preprocessor = PairPreprocessor.from_pairs([pair])
    assert rows_of(preprocessor.read(path, separator=separator)) == [pair, pair]


@pytest.mark.parametrize(
    ("separator", "line", "problem"),
    [
        ("_", "16+75 91", "must be source, '_', target: '16+75 91'"),
        ("_", "  _91", "has an empty side"),
        (" ", "word ", "must be source, ' ', target: 'word '"),
        (",", '"a, b",c', "has quotes, which are not parsed"),
        (";", '"a";c', "has quotes, which are not parsed"),
    ],
)
def test_a_line_that_is_no_pair_with_its_separator_is_named(write, separator, line, problem):
    path = write(f"a{separator}b\n{line}\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}:2: the line {problem}")):
        read_pairs(path, separator=separator)


@pytest.mark.parametrize("separator", ["", "\n", "a\r", None, 1])
def test_what_is_no_separator_is_refused(write, separator):
    with pytest.raises(ValueError, match="separator must be a string of one or more characters"):
        read_pairs(write("a\tb\n"), separator=separator)


def test_line_that_does_not_fit_is_named_with_a_separator_too(write):
    path = write("1+1_2\n1+x_2\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}:2: source '1+x' has the character 'x'")):
        read_pairs(path, SUMS, separator="_")


@pytest.mark.parametrize(
    ("lines", "guess"),
    [
        ("16+75  _91  \n52+607 _659 \n", "between its columns: give --separator _ (separator='_')"),
        ("september 27, 1994           _1994-09-27\n", "give --separator _"),
        ('source,target\n"a, b",c\n', "commas between its columns: write its pairs with tabs by Python's csv module"),
        ('source,target\n"a, b",c\n', "give --separator ',' (separator=',')"),
        ("a;b\nc;d\n", "give --separator ';'"),
        ("'bout B AW1 T\n'cause K AH0 Z\n", "where the first space of a line ends its source, give --separator ' '"),
        ('{"source": "a b", "target": "c_d"}\n{"source": "b", "target": "c"}\n', "looks like JSON lines"),
        ("a\tb\tc\n", "It has 3 columns"),
        ("my pairs\na\tb\nc\td\n", "remove this one if it is a header or a comment"),
    ],
)
def test_the_error_of_a_first_line_says_what_the_file_may_be(write, lines, guess):
    path = write(lines)
    with pytest.raises(ValueError, match=re.escape(f"{path}:1: the line must be source<TAB>target")) as error:
        read_pairs(path)
    assert guess in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_guessed_where_nothing_shows(write):
    with pytest.raises(ValueError, match=r"with one tab: 'abc'$"):
        read_pairs(write("abc\nabd\n"))


@pytest.mark.parametrize(
    ("content", "separator", "kind"),
    [
        ("source\ttarget\na\tb\n", "\t", "header"),
        ("Input,Output\na,b\n", ",", "header"),
        ("# from\tto\na\tb\n", "\t", "comment"),
        (";;; CMUdict\nA B\n", " ", "comment"),
    ],
)
def test_a_first_line_that_looks_like_a_header_or_a_comment_is_said(write, content, separator, kind):
    path = write(content)
    with pytest.warns(DataWarning, match=re.escape(f"{path}:1: the line looks like a {kind}, and is read as a pair")):
        assert len(rows_of(read_pairs(path, separator=separator))) == 2


def test_places_of_pairs_are_lines_of_their_files(write, tmp_path):
    write("a\tb\r\nc\td", "1.tsv")
    write("e\tf\rg\th\r", "2.tsv")
    assert places_of_pairs(tmp_path / "*.tsv", [2, 4]) == {2: f"{tmp_path}/1.tsv:2", 4: f"{tmp_path}/2.tsv:2"}
