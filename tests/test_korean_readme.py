"""`README.ko.md` says what `README.md` says: its commands, its figures, its files."""

import collections
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {language: (ROOT / name).read_text("utf-8") for language, name in (("en", "README.md"), ("ko", "README.ko.md"))}
OWN_TABLE = "| 책 | seqzoo |"
"""How the chapter's parts are called here, in Korean only."""

_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")


def prose(page):
    return _BLOCK.sub("", PAGES[page])


def tables(page):
    found = re.findall(r"(?:^\|.*\|\n)+", prose(page), re.MULTILINE)
    return [table for table in found if not table.startswith(OWN_TABLE)]


def figures(text, pattern=r"\d[\d,.]*%?"):
    return collections.Counter(number.rstrip(",.") for number in re.findall(pattern, _CODE.sub("", text)))


def test_the_same_blocks_of_code_with_the_same_markers():
    blocks = {page: re.findall(rf"<!--[^\n]*-->|{_BLOCK.pattern}", text, _BLOCK.flags) for page, text in PAGES.items()}
    assert blocks["ko"] == blocks["en"]
    assert len(blocks["en"]) > 10


def test_the_same_figures_in_the_same_rows():
    rows = {page: [figures(row) for table in tables(page) for row in table.splitlines()] for page in PAGES}
    assert rows["ko"] == rows["en"]
    assert sum(map(collections.Counter.total, rows["en"])) > 50


def test_the_same_figures_in_the_text():
    pattern = r"\d+(?:[,.]\d+)+%?|\d+%"  # Small whole numbers may be words.
    texts = {}
    for page in PAGES:
        text = prose(page)
        for table in tables(page):
            text = text.replace(table, "")
        texts[page] = figures(text, pattern)
    assert texts["ko"] == texts["en"]


def test_all_names_of_commands_and_files():
    spans = {page: set(_CODE.findall(prose(page))) for page in PAGES}
    assert spans["en"] - {"`README.ko.md`", "`source<TAB>target`"} <= spans["ko"]


def test_as_many_sections():
    sections = {page: len(re.findall("^##", prose(page), re.MULTILINE)) for page in PAGES}
    assert sections["ko"] == sections["en"]


@pytest.mark.parametrize("name", re.findall(r"`((?:docs|examples)/[\w/.]*|[A-Z]+(?:\.ko)?\.md|LICENSE)`", PAGES["ko"]))
def test_files_that_it_names_exist(name):
    assert (ROOT / name).exists()
