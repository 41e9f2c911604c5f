"""Files of pairs and texts that may be anything: each is read rightly, or its first wrong line is named."""

import numpy as np
import pytest
from fuzz.cases import cases, check_all
from hypothesis import strategies as st

from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, Vocabulary, read_pairs, read_text

# What Python takes for a line's end, or strips, and a file of lines does not; and what is no text at all.
SNIPPETS = [
    b"\t", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\0", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf",
    b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c", b"\xef\xbf\xbf", b"a" * 9000, b" ", b"",
]  # fmt: skip
LETTERS = "abé한👍 "
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@st.composite
def spliced(draw, content):
    """`content` with pieces cut out and others put in."""
    content = draw(content)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 1000]))
        content = content[:at] + draw(st.sampled_from(SNIPPETS)) + content[at + cut :]
    return content


SIDES = st.text(st.sampled_from(LETTERS + "\u2028\x85\x0b\x1c\0x"), min_size=1, max_size=4)
LINES = st.tuples(SIDES, st.just("\t"), SIDES, st.sampled_from(["\n", "\n", "\r\n", "\r"])).map("".join)
FITTING_SIDES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=3)
PAIR_FILES = st.one_of(
    spliced(st.lists(LINES, max_size=6).map(lambda lines: "".join(lines).encode())),
    st.tuples(FITTING_SIDES, st.just("\t"), FITTING_SIDES).map(lambda parts: "".join(parts).encode()),
    st.binary(max_size=40),
)
TEXT_FILES = st.one_of(
    spliced(st.text(st.sampled_from(LETTERS + "\n\r\u2028\x85\x0b\x1c\0x"), max_size=30).map(str.encode)),
    st.binary(max_size=20),
)


def is_utf8(content):
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def with_line_feeds(content):
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def expected_pairs(content):
    """What a file of pairs holds, `(pairs, None)`; or `(None, number of its first wrong line)`."""
    if content.startswith(BYTE_ORDER_MARK):
        return None, None
    lines = with_line_feeds(content).split(b"\n")
    pairs = []
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        sides = line.split(b"\t")
        if len(sides) != 2 or b"" in sides or not is_utf8(line):
            return None, number
        pairs.append(tuple(side.decode() for side in sides))
    return pairs, None


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


def write_files(folder, contents):
    """Writes the files, whose names are in their order, as all that is in the folder; returns a glob of them."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for number, content in enumerate(contents):
        (folder / f"{number:03}.tsv").write_bytes(content)
    return folder / "*.tsv"


@cases(10, 400, minutes=1)  # of 25 files each
def test_a_file_of_pairs_is_read_exactly_or_its_wrong_line_is_named(count, tmp_path):
    path = tmp_path / "pairs.tsv"

    def check(contents):
        for content in contents:
            pairs, wrong = expected_pairs(content)
            if not pairs:
                path.write_bytes(content)
                with pytest.raises(ValueError, match=r"pairs\.tsv") as error:
                    read_pairs(path)
                problem = f":{wrong}: the line " if wrong else " is empty"
                if content.startswith(BYTE_ORDER_MARK):
                    problem = " begins with a byte order mark"
                assert str(error.value).startswith(f"{path}{problem}")
        right = [content for content in contents if expected_pairs(content)[0]]
        if right:  # Together, which takes a twentieth of the time.
            expected = [pair for content in right for pair in expected_pairs(content)[0]]
            assert rows_of(read_pairs(write_files(tmp_path / "right", right))) == expected

    check_all(check, count, contents=st.lists(PAIR_FILES, min_size=25, max_size=25))


@cases(6, 300, minutes=1)  # of up to 11 files each
def test_pairs_that_do_not_fit_the_model_are_named_by_their_line(count, tmp_path):
    preprocessor = PairPreprocessor(Vocabulary(LETTERS), source_length=3, target_length=2)

    def misfit(content):
        for number, (source, target) in enumerate(expected_pairs(content)[0], 1):
            if len(source) > 3 or len(target) > 2 or not set(source + target) <= set(LETTERS):
                return number
        return None

    def check(contents):
        contents = [content for content in contents if expected_pairs(content)[0]]
        right = [content for content in contents if misfit(content) is None]
        wrong = [content for content in contents if misfit(content)][:1]
        if not right + wrong:
            return
        files = write_files(tmp_path / "files", right + wrong)
        if not wrong:
            assert rows_of(read_pairs(files, preprocessor)) == [pair for c in right for pair in expected_pairs(c)[0]]
            return
        with pytest.raises(ValueError, match=r"\.tsv") as error:
            read_pairs(files, preprocessor)
        assert str(error.value).startswith(f"{files.parent}/{len(right):03}.tsv:{misfit(wrong[0])}: ")

    check_all(check, count, contents=st.lists(PAIR_FILES, min_size=10, max_size=20))


def first_invalid(content):
    """The number of the first line that is not UTF-8, or `None`."""
    for number, line in enumerate(with_line_feeds(content).split(b"\n"), 1):
        if not is_utf8(line):
            return number
    return None


@cases(12, 1_000, minutes=2)
def test_a_text_is_read_and_encoded_exactly_or_its_wrong_line_is_named(count, tmp_path):
    path = tmp_path / "text.txt"
    known = TextPreprocessor(Vocabulary(LETTERS + "\n"))

    def decoded(preprocessor, data):
        return preprocessor.decode(preprocessor.encode(data, path)[None].astype("int32")).numpy()[0]

    def check(content):
        path.write_bytes(content)
        problem = "" if content else " is empty"
        if content.startswith(BYTE_ORDER_MARK):
            problem = " begins with a byte order mark"
        elif wrong := first_invalid(content):
            problem = f":{wrong}: the line is not valid UTF-8"
        if problem:
            with pytest.raises(ValueError, match=r"text\.txt") as error:
                read_text(path)
            assert str(error.value).startswith(f"{path}{problem}")
            return
        content = with_line_feeds(content)
        text, data = content.decode(), read_text(path)
        if "\uffff" in text:  # No character, as Unicode guarantees.
            with pytest.raises(ValueError, match="must be one Unicode character"):
                TextPreprocessor.from_text(data)
        else:
            assert decoded(TextPreprocessor.from_text(data), data) == content
        lines = text.split("\n")
        wrong = next((number for number, line in enumerate(lines, 1) if not set(line) <= set(LETTERS)), None)
        if wrong is None:
            assert decoded(known, data) == content
            return
        with pytest.raises(ValueError, match=r"text\.txt") as error:
            known.encode(data, path)
        assert str(error.value).startswith(f"{path}:{wrong}: the text ")

    check_all(check, count, content=TEXT_FILES)


@cases(4, 400, minutes=1)
def test_a_text_of_lines_keeps_each_line(count, tmp_path):
    path = tmp_path / "text.txt"

    def check(text):
        path.write_bytes(text.encode())
        lines = [line for line in with_line_feeds(text.encode()).decode().split("\n") if line]
        if not lines:
            with pytest.raises(ValueError, match=r"is empty|has no tokens"):
                TextPreprocessor.from_text(read_text(path), lines=True)
            return
        preprocessor = TextPreprocessor.from_text(read_text(path), lines=True)
        ids = preprocessor.encode(read_text(path))
        parts = np.split(ids, np.flatnonzero(ids == 0) + 1)[:-1]
        assert [preprocessor.decode(part[None].astype("int32")).numpy()[0].decode() for part in parts] == lines

    check_all(check, count, text=st.text(st.sampled_from(LETTERS + "\n\n\r\u2028\x85\x0b"), max_size=20))
