"""Pairs of strings from anywhere: lists, `tf.data`, TFDS, files with a tab, and a part held out."""

import re

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.pipelines import PairPreprocessor, Vocabulary, alternatives, as_pairs, hold_out, read_pairs

PAIRS = [("57+5", "62"), ("안녕", "hello 👍"), ("e\u0301\x00", " a b ")]
STRING = tf.TensorSpec([], tf.string)
SUMS = PairPreprocessor(Vocabulary("0123456789+"), source_length=7, target_length=4)
TRANSLATIONS = [{"en": "hello", "de": "hallo"}, {"en": "thank you", "de": "danke schön"}]


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


def columns(pairs):
    return tuple(tf.constant(side) for side in zip(*pairs, strict=True))


class TinyTranslation(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.Translation(languages=["en", "de"]))

    def _split_generators(self, dl_manager):
        return {"train": enumerate(TRANSLATIONS)}

    def _generate_examples(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def translation(tmp_path_factory):
    return tfds.load("tiny_translation", split="train", data_dir=tmp_path_factory.mktemp("tfds"))


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "pairs",
    [
        PAIRS,
        tuple(PAIRS),
        [list(pair) for pair in PAIRS],
        [(source.encode(), target.encode()) for source, target in PAIRS],
        iter(PAIRS),
        tf.data.Dataset.from_tensor_slices(columns(PAIRS)),
        tf.data.Dataset.from_tensor_slices(dict(zip(("source", "target"), columns(PAIRS), strict=True))),
        tf.data.Dataset.from_tensor_slices({"source": columns(PAIRS)[0], "target": columns(PAIRS)[1], "id": [1, 2, 3]}),
    ],
    ids=["list", "tuple", "lists", "bytes", "iterator", "dataset", "dictionaries", "dictionaries-with-more"],
)
def test_pairs_of_every_form_keep_their_rows_and_order(pairs):
    dataset = as_pairs(pairs)
    assert dataset.element_spec == (STRING, STRING)
    assert rows_of(dataset) == PAIRS


def test_no_pairs_are_an_empty_dataset():
    assert rows_of(as_pairs([])) == []


def test_keys_of_dictionaries_can_be_chosen():
    dataset = tf.data.Dataset.from_tensor_slices({"en": ["hello"], "de": ["hallo"]})
    assert rows_of(as_pairs(dataset, source="de", target="en")) == [("hallo", "hello")]


def test_tfds_translation_is_taken_as_pairs(translation):
    pairs = as_pairs(translation, source="en", target="de")
    assert sorted(rows_of(pairs)) == [("hello", "hallo"), ("thank you", "danke schön")]


def test_tfds_translation_without_its_languages_is_refused(translation):
    with pytest.raises(ValueError, match=r"dictionaries with 'source' and 'target'.*Received: element_spec="):
        as_pairs(translation)


@pytest.mark.parametrize(
    "dataset",
    [
        tf.data.Dataset.from_tensor_slices(["a", "b"]),
        tf.data.Dataset.from_tensor_slices((["a"], ["b"], ["c"])),
        tf.data.Dataset.from_tensor_slices(([1], ["b"])),
        tf.data.Dataset.from_tensor_slices((["a"], ["b"])).batch(1),
        tf.data.Dataset.from_tensor_slices([["a", "b"]]),
        tf.data.Dataset.from_tensor_slices({"source": ["a"], "answer": ["b"]}),
        tf.data.Dataset.from_tensor_slices({"source": [1], "target": ["b"]}),
        tf.data.Dataset.from_tensor_slices(((["a"], ["b"]), ["c"])),
    ],
    ids=["strings", "triples", "int", "batched", "matrix", "other-key", "int-in-dictionary", "nested"],
)
def test_datasets_of_anything_else_are_refused(dataset):
    with pytest.raises(ValueError, match=r"must be \(source, target\) string scalars"):
        as_pairs(dataset)


@pytest.mark.parametrize(
    "row",
    [
        ("a",),
        ("a", "b", "c"),
        ("a", 1),
        ("a", None),
        1,
        None,
        "ab",
        "abc",
        b"ab",
        {"source": "a", "target": "b"},
        pytest.param({"a", "b"}, id="set"),  # Its own text differs from process to process.
    ],
    ids=repr,
)
def test_rows_of_anything_else_are_refused(row):
    with pytest.raises(ValueError, match=r"Pair 2 must be a \(source, target\) tuple of strings"):
        as_pairs([("a", "b"), row])


def test_file_is_read_line_by_line(write):
    path = write("57+5\t62\n 1 + 2\t 3 \n")
    dataset = read_pairs(path)
    assert dataset.element_spec == (STRING, STRING)
    assert rows_of(dataset) == [("57+5", "62"), (" 1 + 2", " 3 ")]
    assert rows_of(read_pairs(str(path))) == rows_of(dataset)


@pytest.mark.parametrize("content", ["a\tb\nc\td\n", "a\tb\nc\td", "a\tb\r\nc\td\r\n", "a\tb\r\nc\td"], ids=repr)
def test_line_ends_of_every_system_are_accepted(write, content):
    assert rows_of(read_pairs(write(content))) == [("a", "b"), ("c", "d")]


def test_unicode_survives(write):
    pairs = [("안녕", "👍🏽"), ("e\u0301", "é"), ("a\u2028b", "c\x85d"), ("\x00", "b\x00"), ("x\ufeff", "\u3000")]
    assert rows_of(read_pairs(write("".join(f"{source}\t{target}\n" for source, target in pairs)))) == pairs


@pytest.mark.parametrize("line", [b"a\rb\tc", b"\r\tb", b"a\tb\rc"], ids=repr)
def test_carriage_return_within_a_line_is_refused(write, line):
    path = write(line + b"\n")
    with pytest.raises(ValueError, match=r"carriage return|empty side") as error:
        read_pairs(path)
    assert f"{path}:1: " in str(error.value)


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


def many_pairs(count=10_000):
    return [(f"안녕{row}", f"{row}👍") for row in range(count)]


def test_hold_out_is_complete_and_keeps_the_order():
    pairs = many_pairs()
    training, validation = map(rows_of, hold_out(pairs))
    held_out = set(validation)
    assert training == [pair for pair in pairs if pair not in held_out]
    assert validation == [pair for pair in pairs if pair in held_out]
    assert len(training) + len(validation) == len(pairs)


def test_same_source_never_stands_in_both_parts():
    pairs = [(f"{row % 500}", f"{row}") for row in range(5_000)]
    training, validation = map(rows_of, hold_out(pairs))
    assert sorted(training + validation) == sorted(pairs)
    assert {source for source, _ in training}.isdisjoint(source for source, _ in validation)


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (1, 100), (10, 1_000), (50, 5_000), (100, 10_000)])
def test_about_the_given_percentage_is_held_out(percent, expected):
    _, validation = hold_out(many_pairs(), percent=percent)
    # Five standard deviations of a binomial distribution.
    assert abs(len(rows_of(validation)) - expected) <= 5 * (expected * (1 - percent / 100)) ** 0.5


def test_a_tenth_is_held_out_by_default():
    pairs = many_pairs()
    assert rows_of(hold_out(pairs)[1]) == rows_of(hold_out(pairs, percent=10)[1])


def test_hold_out_repeats_by_seed():
    first, second = ([rows_of(part) for part in hold_out(many_pairs(), seed=3)] for _ in range(2))
    assert first == second


def test_hold_out_differs_by_seed():
    first, second = (set(rows_of(hold_out(many_pairs(), seed=seed)[1])) for seed in (1, 2))
    assert len(first & second) < len(first) / 2


def test_hold_out_does_not_depend_on_the_other_pairs_or_their_order():
    pairs = many_pairs(2_000)
    _, validation = hold_out(pairs, seed=1)
    _, of_reversed_half = hold_out(pairs[:1_000][::-1], seed=1)
    assert rows_of(of_reversed_half) == [pair for pair in rows_of(validation) if pair in set(pairs[:1_000])][::-1]


def test_sources_that_are_read_alike_never_stand_in_both_parts():
    pairs = [(source, "x") for row in range(300) for source in (f"Row {row}", f"row  {row}")]
    vocabulary = Vocabulary.from_strings((source for source, _ in pairs), "whitespace", lower_case=True)
    preprocessor = PairPreprocessor(vocabulary, 2, 1, target_vocabulary=Vocabulary("x"))
    training, validation = map(rows_of, hold_out(pairs, preprocessor=preprocessor))
    assert sorted(training + validation) == sorted(pairs)
    assert {source.split()[1] for source, _ in training}.isdisjoint(source.split()[1] for source, _ in validation)


def test_hold_out_of_characters_as_they_stand_is_the_same_with_their_preprocessor():
    pairs = many_pairs(500)
    preprocessor = PairPreprocessor.from_pairs(pairs)
    assert rows_of(hold_out(pairs, preprocessor=preprocessor)[1]) == rows_of(hold_out(pairs)[1])


@pytest.mark.parametrize("form", [list, as_pairs], ids=["list", "dataset"])
def test_alternatives_are_each_source_s_targets_in_their_order(form):
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("b", "2"), ("한", "👍")]
    targets = alternatives(form(pairs))
    assert list(targets.items()) == [("b", ["2", "1"]), ("a", ["1"]), ("한", ["👍"])]
    assert alternatives([]) == {}


def test_alternatives_of_sources_that_are_read_alike_are_together():
    sources = Vocabulary(["read", "x"], "whitespace", lower_case=True)
    preprocessor = PairPreprocessor(sources, 2, 2, target_vocabulary=Vocabulary("é", normal_form="NFC"))
    pairs = [("Read", "é"), (" read", "e\u0301"), ("READ", "E"), ("x  Read", "é")]
    assert alternatives(pairs, preprocessor) == {"read": ["é", "E"], "x read": ["é"]}
    assert len(alternatives(pairs)) == 4


def test_alternatives_name_a_pair_that_is_not_utf_8():
    with pytest.raises(ValueError, match="Pair 2 is not valid UTF-8"):
        alternatives([("a", "b"), (b"\xff", "b")])
