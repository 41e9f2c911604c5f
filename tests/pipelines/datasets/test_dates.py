"""The TFDS builder `dates`: no spelling means two dates, its rows are right, stable, and the same from memory."""

import collections
import dataclasses
import datetime
import hashlib
import os
import re
import subprocess
import sys
import types
import unicodedata
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.pipelines import Dates, DatesData, PairPreprocessor, load_dates, spellings
from seqzoo.pipelines.datasets.dates import dates_dataset_builder
from seqzoo.pipelines.datasets.dates.rows import date_rows
from seqzoo.pipelines.datasets.dates.spellings import CASES, FIRST, LAST, STYLES, spellings_in_their_case

SIZES = types.MappingProxyType({"train": 50_000, "validation": 5_000, "test": 10_000})
ALL_DATES = [FIRST + datetime.timedelta(days=days) for days in range((LAST - FIRST).days + 1)]


def rows_of(dataset):
    batches = dataset.batch(8192).as_numpy_iterator()
    return [(source.decode(), target.decode()) for batch in batches for source, target in zip(*batch, strict=True)]


@pytest.fixture(scope="module")
def rows():
    return {name: rows_of(load_dates(name)) for name in SIZES}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


class TestDatesBuilder(tfds.testing.DatasetBuilderTestCase):
    """With few rows in each split."""

    DATASET_CLASS = Dates
    SPLITS = types.MappingProxyType({"train": 300, "validation": 50, "test": 60})
    # Never read: nothing is downloaded. TFDS wants a folder that is there.
    EXAMPLE_DIR = Path(__file__).parent

    def setUp(self):
        super().setUp()
        few = {name: date_rows(name)[:size] for name, size in self.SPLITS.items()}
        self.enterContext(mock.patch.object(dates_dataset_builder, "date_rows", few.get))

    def test_session(self, *args, **kwargs):
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False  # TensorFlow's context manager, not a test.


# === Spellings ===


@pytest.mark.slow(minutes=1)
def test_no_spelling_means_two_dates_in_any_case():
    """All spellings of all dates, by hashes: equal strings have equal hashes."""
    hashes, days = [], []
    for date in ALL_DATES:
        for style in STYLES:
            written = spellings_in_their_case(date, style)
            hashes += [hash(spelling.lower()) for spelling in written]
            days += [date.toordinal()] * len(written)
    assert len(hashes) > 4_000_000
    order = np.lexsort((days, hashes))
    hashes, days = np.array(hashes)[order], np.array(days)[order]
    assert not np.any((hashes[1:] == hashes[:-1]) & (days[1:] != days[:-1]))


def test_case_changes_letters_alone():
    for date in ALL_DATES[::97]:
        for spelling in spellings_in_their_case(date, "fr") + spellings_in_their_case(date, "de"):
            assert {case(spelling).lower() for case in CASES} == {spelling.lower()}


@pytest.mark.parametrize(
    ("style", "date", "expected"),
    [
        ("digits", "1989-11-09", ["1989-11-09", "1989/11/9", "19891109", "9.11.1989", "09.11.89"]),
        ("digits", "1990-04-13", ["4/13/1990", "13/4/1990", "13-04-1990", "04-13-1990", "13/4/90"]),
        ("digits", "1990-04-04", ["4/4/1990", "04-04-1990"]),
        ("en", "1973-10-22", ["22nd of October 1973", "Mon, 22 Oct 1973", "oct. 22, 1973", "OCTOBER 22ND, 1973"]),
        ("en", "1984-09-25", ["TUESDAY, SEPTEMBER 25, 1984", "sep 25 '84", "The 25th of September 1984"]),
        ("en", "2005-11-09", ["Nov 9 '05", "9-Nov-2005", "Wednesday 9th November 2005", "2005 November 9"]),
        ("en", "2000-05-11", ["May 11th, 2000", "11 May 2000", "11May2000"]),
        ("de", "1989-11-09", ["Donnerstag, den 9. November 1989", "9. November 89", "Do, 9. Nov 1989"]),
        ("de", "2024-03-02", ["2. März 2024", "SAMSTAG, 2. MÄRZ 2024", "Samstag, 02.03.2024", "2. Mär. 2024"]),
        ("fr", "1994-08-01", ["1er août 1994", "LE LUNDI 1ER AOÛT 1994", "1er août 94"]),
        ("fr", "1958-02-26", ["26 février 1958", "mercredi 26 févr. 1958", "Le 26 février 1958"]),
        ("es", "1978-12-06", ["6 de diciembre de 1978", "miércoles, 6 de diciembre de 1978", "6-dic-1978"]),
        ("es", "2023-09-30", ["sábado 30 de septiembre de 2023", "30 sept 2023", "el 30 de septiembre de 2023"]),
        ("it", "1950-06-02", ["venerdì 2 giugno 1950", "2 giu 1950", "2 giu. 1950"]),
        ("it", "2021-01-01", ["1º gennaio 2021", "1 gennaio 2021", "Venerdì 1º gennaio 2021"]),
        ("pt", "1974-04-25", ["quinta-feira, 25 de abril de 1974", "25 de abr. de 1974", "25/abr/1974"]),
        ("pt", "2022-03-01", ["1º de março de 2022", "Terça-feira, 1 de março de 2022"]),
        ("nl", "1953-02-01", ["zondag 1 februari 1953", "zo 1 feb 1953", "1-feb-1953"]),
        ("nl", "2030-03-17", ["17 maart 2030", "17 mrt. 2030", "ZONDAG, 17 MAART 2030"]),
        ("ja", "1964-10-10", ["1964年10月10日", "1964年10月10日(土)", "一九六四年十月十日", "1964年10月10日土曜日"]),
        (
            "zh",
            "2008-08-08",
            ["2008年8月8日", "2008年08月08日", "2008年8月8日 星期五", "2008年8月8号", "二〇〇八年八月八日"],
        ),
        ("zh", "2031-12-21", ["二〇三一年十二月二十一日", "2031年12月21日星期日", "2031年12月21日 周日"]),
        ("ko", "1988-09-17", ["1988년 9월 17일", "1988. 9. 17.", "1988년 09월 17일", "1988년 9월 17일 (토)"]),
        ("ko", "2019-06-30", ["2019년 6월 30일, 일요일", "2019년6월30일"]),
    ],
)
def test_known_dates_are_written_so(style, date, expected):
    written = spellings(datetime.date.fromisoformat(date), [style])
    assert [spelling for spelling in expected if spelling not in written] == []
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(
    ("style", "date", "wrong"),
    [
        ("digits", "1990-04-03", r".*[/-]1990"),  # 3/4/1990 or 4/3/1990.
        ("digits", "2005-04-13", r".*[./-]05"),  # A 05 could be a day.
        ("digits", "2031-04-13", r".*[./-]31"),
        ("en", "2005-04-03", r".*[ -]05"),
        ("en", "2000-05-11", r".*May\."),
        ("de", "2024-05-02", r".*Mai\."),
        ("fr", "1994-08-01", r".*\b1 "),
    ],
)
def test_some_spellings_are_not_written(style, date, wrong):
    written = spellings(datetime.date.fromisoformat(date), [style])
    assert len(written) > 5
    assert [spelling for spelling in written if re.fullmatch(wrong, spelling)] == []


def test_dates_outside_the_range_have_no_years_of_two_digits():
    assert "february 17, 1920" in spellings(datetime.date(1920, 2, 17))
    assert "1920/2/17" in spellings(datetime.date(1920, 2, 17), ["digits"])
    assert [text for text in spellings(datetime.date(1940, 2, 17)) if not re.search("1940|一九四〇", text)] == []


@pytest.mark.parametrize("style", [style for style in STYLES if style != "digits"])
def test_every_language_has_seven_weekdays_and_months_of_its_own(style):
    year = [date for date in ALL_DATES if date.year == 1990]
    words = [set(re.findall(r"[^\W\d_]+", " ".join(spellings_in_their_case(date, style)))) for date in year]
    months = [set.intersection(*(w for d, w in zip(year, words, strict=True) if d.month == m)) for m in range(1, 13)]
    days = [set.intersection(*(w for d, w in zip(year, words, strict=True) if d.weekday() == n)) for n in range(7)]
    assert len(set(map(frozenset, months))) == (1 if style in ("ja", "zh", "ko") else 12)
    assert len(set(map(frozenset, days))) == 7


# === Rows ===


def test_sizes(rows):
    assert {name: len(split) for name, split in rows.items()} == SIZES
    assert [split.cardinality() for split in load_dates(list(SIZES))] == list(SIZES.values())


def test_targets_are_the_dates_of_their_sources(rows):
    for source, target in rows["test"]:
        assert source in spellings(datetime.date.fromisoformat(target))
        assert "1950-01-01" <= target <= "2049-12-31"


def test_no_source_stands_twice_and_no_date_in_two_splits(rows):
    assert len({source for split in rows.values() for source, _ in split}) == sum(SIZES.values())
    dates = [{target for _, target in rows[name]} for name in SIZES]
    assert sum(map(len, dates)) == len(set.union(*dates))


def test_whole_range_occurs_evenly(rows):
    years = collections.Counter(target[:4] for _, target in rows["train"])
    assert set(years) == {str(year) for year in range(1950, 2050)}
    assert min(years.values()) > 400
    assert max(years.values()) < 600


def test_languages_occur_as_described(rows):
    sources = [source for source, _ in rows["train"]]
    share = {
        name: sum(bool(re.search(pattern, source)) for source in sources) / len(sources)
        for name, pattern in {"korean": "[년월]|^\\d+\\. \\d+\\. \\d+\\.$", "chinese, japanese": "年"}.items()
    }
    assert share == pytest.approx({"korean": 1 / 13, "chinese, japanese": 2 / 13}, abs=0.01)
    assert sum(source.isupper() for source in sources) > 5_000


def test_sources_are_in_composed_unicode(rows):
    for split in rows.values():
        for source, target in split:
            assert unicodedata.is_normalized("NFC", source)
            assert source == " ".join(source.split())
            assert target.isascii()


def test_rows_are_the_same_in_every_process_and_version():
    """This process has a hash seed of its own."""
    code = (
        "import hashlib; from seqzoo.pipelines.datasets.dates.rows import date_rows\n"
        "rows = [date_rows(name) for name in ('train', 'validation', 'test')]\n"
        "print(hashlib.sha256(repr(rows).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    here = hashlib.sha256(repr([date_rows(name) for name in SIZES]).encode()).hexdigest()
    assert done.stdout.strip() == here == "4fed48576a6206d56803a3900aa01dbd424014853d5724203440263de32ac802"


# === Loading ===


@pytest.mark.parametrize("split", ["test", "test[-10:]", "train[99%:]+test[:1%]"])
def test_tfds_load_gives_the_rows_of_load_dates_in_order(split, data_dir):
    dataset, info = tfds.load("dates", split=split, data_dir=data_dir, as_supervised=True, with_info=True)
    loaded = load_dates(split)
    assert {name: each.num_examples for name, each in info.splits.items()} == SIZES
    assert dataset.element_spec == loaded.element_spec == (tf.TensorSpec([], tf.string),) * 2
    assert rows_of(dataset) == rows_of(loaded)


def test_train_is_the_default_split(rows):
    assert rows_of(load_dates()) == rows["train"]


@pytest.mark.parametrize("split", ["all the rest", "", "Train", "train[", "test[:10001]"])
def test_unknown_splits_are_refused(split):
    with pytest.raises(ValueError, match="Unknown split"):
        load_dates(split)


def test_training_data_of_dates_are_the_splits(rows):
    data = DatesData()
    assert [rows_of(split) for split in (*data.load(), data.load_test())] == list(rows.values())
    assert (data.name, data.plain(), data.augment(pairs := [("a", "b")])) == ("dates", data, pairs)
    assert DatesData(**dataclasses.asdict(data)) == data
    assert dataclasses.asdict(data)  # Else a recipe that is written down would seem to have no data set.
    with pytest.raises(ValueError, match="Received: name='sums'"):
        DatesData("sums")


@pytest.mark.parametrize("reverse", [False, True])
def test_preprocessor_of_dates_is_that_of_the_training_rows_and_takes_the_test_rows(reverse, rows):
    preprocessor = DatesData().preprocessor(reverse)
    assert preprocessor == PairPreprocessor.from_pairs(rows["train"], reverse)
    sources, targets = zip(*rows["test"], strict=True)
    assert set(preprocessor.pair_errors(sources, targets).numpy()) == {b""}
