"""The examples of README and docs run as they stand, and what the pages name exists."""

import datetime
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

from seqzoo import cli
from seqzoo.pipelines import read_pairs, spellings
from seqzoo.pipelines.pairs import decoded

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
SHORT = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "5", "WITHOUT_XLA": "1"}
"""Keras' own limits, under which every training takes seconds, and that of `warm_python`."""

_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARKERS = {"python": r"example: python(, continues)?|not run: .+", "bash": "example: shell|not run: .+"}
_TRAINS = re.compile(r"\.fit\(|training\.train\(|\bsearch\(")
# What a statement prints stands beside it where it is a number, a string or a list; anything else is an explanation.
_FIGURE = re.compile(r"  # ([\[\d'][^;…]*)(?:;.*)?$")

# Runs Python blocks as a notebook does: a line that begins with @ and a number precedes the output of each statement.
_RUNNER = """
import ast, json, os, sys, tempfile

for place, line, code, continues in json.load(sys.stdin):
    if not continues:
        os.chdir(tempfile.mkdtemp(dir=sys.argv[1]))
        names = {"__name__": "__main__"}
    for statement in ast.parse("\\n" * (line - 1) + code, place).body:
        print(f"\\n@{statement.end_lineno}", flush=True)
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), place, "eval"), names)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(ast.Module([statement], []), place, "exec"), names)
"""


def name_of(page):
    return str(page.relative_to(ROOT / "docs" if page != README else ROOT).with_suffix(""))


class Block(NamedTuple):
    """A fenced block of a page: its marker, its language, its text, and the number of the text's first line."""

    marker: str
    language: str
    code: str
    line: int

    @property
    def continues(self):
        return self.marker.endswith(", continues")


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(match[1] or "", match[2], match[3], 1 + text.count("\n", 0, match.start(3)))
        for match in _BLOCK.finditer(text)
    ]


def examples_of(page, kind):
    return [block for block in blocks_of(page) if block.marker.startswith(f"example: {kind}")]


_QUICK_PAGES = {"python": ("README", "index"), "shell": ("README",)}


def pages_with(kind, minutes):
    """The pages that have examples of a kind, each for a short run, and for a slow one of so many minutes."""
    cases = []
    for page in PAGES:
        if examples_of(page, kind):
            slow = pytest.mark.slow(minutes=minutes.get(name_of(page), 1))
            # Trainings take long even when they are short; tests/cli and tests/test_examples.py have them too.
            is_quick = name_of(page) in _QUICK_PAGES[kind]
            marks = () if is_quick else pytest.mark.slow(minutes=1)
            cases.append(pytest.param(page, SHORT, id=f"{name_of(page)}-short", marks=marks))
            cases.append(pytest.param(page, {}, id=name_of(page), marks=slow))
    return cases


@pytest.fixture
def run(request):
    """Runs commands for a short run, or for one without limits."""

    def run(command, folder, limits, text=""):
        return _run(command, folder, limits, request.getfixturevalue("warm_python") if limits else None, text)

    return run


def _run(command, folder, limits, warm_python, text):
    """Runs a command where the pages say: in a clone, with the installed `python` and `seqzoo` first in the path."""
    (folder / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "tests/make_dates.py", folder / "tests")
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    if limits:
        path = f"{warm_python}:{path}"
    environment = {**os.environ, "PATH": path, **limits}
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "Traceback" not in done.stderr
    return done.stdout


def agrees(printed, figure):
    """Whether the last line that was printed is the figure beside it, or a number that rounds to about that."""
    printed = printed.strip().splitlines()[-1]
    if re.fullmatch(r"\d+\.\d+", figure):
        return abs(float(printed) - float(figure)) <= 10 ** -len(figure.partition(".")[2])
    return printed in (figure, figure.strip("'"))


PYTHON_MINUTES = {"README": 2, "attention": 7, "faults": 2, "getting_started": 5, "texts": 4, "your_own_task": 3}


@pytest.mark.parametrize(("page", "limits"), pages_with("python", PYTHON_MINUTES))
def test_python_examples_run_and_print_what_stands_beside_them(page, limits, run, tmp_path):
    """Short runs print the figures of examples that train nothing; the slow ones print all."""
    blocks = examples_of(page, "python")
    place = str(page.relative_to(ROOT))
    rows = [(place, block.line, block.code, block.continues) for block in blocks]
    output = run(["python", "-c", _RUNNER, str(tmp_path)], tmp_path / "clone", limits, json.dumps(rows))
    outputs = dict(re.findall(r"^@(\d+)\n(.*?)(?=^@\d+\n|\Z)", output, re.MULTILINE | re.DOTALL))
    trains = False
    for block in blocks:
        trains = bool(_TRAINS.search(block.code)) or (trains and block.continues)
        for number, line in enumerate(block.code.splitlines(), block.line):
            figure = _FIGURE.search(line)
            if figure and str(number) in outputs and not (trains and limits):
                printed = outputs[str(number)]
                assert agrees(printed, figure[1].strip()), f"{place}:{number}: {line!r} printed {printed!r}"


def test_readme_names_the_answers_of_its_first_example():
    """So that its slow test, above, compares them."""
    first = examples_of(README, "python")[0]
    figures = [_FIGURE.search(line) for line in first.code.splitlines()]
    assert "['62', '1149']" in [figure[1] for figure in figures if figure]


# What full runs of shell examples must print, by a part of the example.
_PRINTED = {
    "tests/make_dates.py": [r"exact match +(9[5-9]\.\d+|100\.0+)%", r"\n2013-09-26\n1999-11-09\n"],
    "cat > dates.tsv": [
        r"\n1973-10-22\n2076-12-25\n",
        r"\n22nd of october 1973\t1973-10-22\t-\d\.\d+\n22nd of october 1973\t",
        r"\nanswer +1973-10-22\n +2 2 n d ␣ o f",
    ],
    "57+5": [r"(^|\n)62\n"],
}
SHELL_MINUTES = {"README": 4, "faults": 3, "texts": 2, "your_own_task": 15}


@pytest.mark.parametrize(("page", "limits"), pages_with("shell", SHELL_MINUTES))
def test_shell_examples_run(page, limits, run, tmp_path):
    for number, block in enumerate(examples_of(page, "shell")):
        output = run(["bash", "-euo", "pipefail", "-c", block.code], tmp_path / str(number), limits)
        for part, patterns in _PRINTED.items():
            if part in block.code and not (limits and "seqzoo train" in block.code):
                for pattern in patterns:
                    assert re.search(pattern, output), output


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_code_is_run_or_says_why_not(page):
    blocks = blocks_of(page)
    for block in blocks:
        place = f"{page.name}:{block.line}"
        if block.language in _MARKERS:
            assert re.fullmatch(_MARKERS[block.language], block.marker), f"{place}: {block.marker!r}"
        else:
            assert block.language in ("", "json") or block.language.startswith("{"), f"{place}: {block.language!r}"
            is_ci = (page, block.marker) in [(README, "demo"), (README, "test")]  # `.ci/run` and tests/cli run these.
            assert is_ci or not re.search(r"^(\$ |seqzoo |python |pip |import )", block.code, re.MULTILINE), place
    firsts = [block for block in blocks if block.language == "python" and block.marker.startswith("example")][:1]
    assert not any(block.continues for block in firsts)
    markers = re.findall(r"^<!-- (?:example|not run)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(markers) == sum(block.marker.startswith(("example", "not run")) for block in blocks)


def parsers():
    """The parser of each command, by its name."""
    (commands,) = (action for action in cli._parser()._actions if action.choices)
    return commands.choices


def shell_commands(code):
    """The arguments of each call of `seqzoo` in shell code."""
    code = re.sub(r"<<'END'\n.*?^END$", "", code.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    words = shlex.shlex(re.sub(r"(?:^|\s)#[^\n]*", "", code), posix=True, punctuation_chars="&|;<>\n")
    words.whitespace, words.whitespace_split, words.commenters = " \t", True, ""
    for is_end, command in itertools.groupby(words, lambda word: bool(re.fullmatch("[&|;<>\n]+", word))):
        command = list(itertools.dropwhile(lambda word: "=" in word, command))
        if not is_end and command and pathlib.Path(command[0]).name == "seqzoo":
            yield command[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_shell_blocks_parse(page, capsys):
    for block in blocks_of(page):
        is_shell = block.language == "bash" or block.marker in ("demo", "test")
        for words in shell_commands(block.code) if is_shell else ():
            try:
                cli._parser().parse_args(words)
            except SystemExit:
                pytest.fail(f"{page.name}: seqzoo {shlex.join(words)}: {capsys.readouterr().err}")


def test_shell_commands_are_found_in_all_the_forms_that_pages_have():
    code = "A='{\n}' seqzoo tune x --fix 'a b' &\nseqzoo presets && .venv/bin/seqzoo demo  # it's\npip install seqzoo\n"
    assert list(shell_commands(code)) == [["tune", "x", "--fix", "a b"], ["presets"], ["demo"]]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_named_in_the_text_exist(page):
    known = parsers()
    for command, *words in named_commands(page):
        if command in ("COMMAND", "--help"):
            continue
        assert command in known, f"{page.name}: seqzoo {command}"
        options = itertools.takewhile(lambda word: word not in ("--", "|"), words)
        for word, following in itertools.pairwise([*options, ""]):
            word = word.partition("=")[0]
            if word.startswith("--"):
                assert word in known[command]._option_string_actions, f"{page.name}: seqzoo {command} {word}"
                action = known[command]._option_string_actions[word]
                values = set(following.replace("\\", "").split("|"))
                assert not action.choices or values <= set(action.choices), f"{page.name}: {word} {following}"


def named_commands(page):
    """The words after `seqzoo` of each command that stands in the text, in backticks."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [code.split()[1:] for code in re.findall(r"`(seqzoo [^`]+)`", text)]


def test_command_line_page_has_every_command_and_each_of_its_options():
    text = (ROOT / "docs/command_line.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    documented = {}
    for section in sections:
        title, _, body = section.partition("\n")
        options = set()
        for row in re.findall(r"^\| (`--.*?) \|(?! *---)", body.replace("\\|", "/"), re.MULTILINE):
            options |= set(re.findall(r"--[a-z-]+", row))
        documented |= dict.fromkeys(title.split(" and "), options)
    assert documented == {
        name: {option for option in parser._option_string_actions if option.startswith("--")} - {"--help"}
        for name, parser in parsers().items()
    }


def test_readme_is_one_page():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_links_of_the_readme_work_where_a_package_index_shows_it():
    """Relative links lead nowhere there; pictures are shown in the repository alone."""
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for picture, target in links:
        assert target.startswith("https://") or (picture and (ROOT / target).is_file()), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_repository_that_are_named_exist(page):
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    text += "".join(block.code for block in blocks_of(page) if block.language == "bash")
    folders = "benchmarks|docs|examples|export|models|pipelines|src|tests|training|tuning"
    names = re.findall(rf"(?<![\w/.-])(?:(?:{folders})/[\w/.-]*|[A-Z]+\.md|LICENSE)(?![\w…*])", text)
    for name in names:
        assert (ROOT / name.rstrip(".")).exists(), f"{page.name}: {name}"


def test_file_in_the_readme_has_the_ten_dates_that_it_says(tmp_path):
    (block,) = (block for block in examples_of(README, "shell") if "<<'END'" in block.code)
    name, content = re.search(r"^cat > (\S+) <<'END'\n(.*?)^END$", block.code, re.MULTILINE | re.DOTALL).groups()
    (tmp_path / name).write_text(content, encoding="utf-8")
    pairs = dict(decoded(read_pairs(tmp_path / name)))
    text = README.read_text(encoding="utf-8")
    assert "ten lines" in text
    assert len(pairs) == 10
    for source, target in pairs.items():
        assert source in spellings(datetime.date.fromisoformat(target))
    train, *others = (cli._parser().parse_args(words) for words in shell_commands(block.code))
    assert train.data == name
    for other in others:
        sources = [other.source] if isinstance(other.source, str) else other.source
        assert other.model == f"{train.output}/model.keras"
        assert set(sources) <= set(pairs)
