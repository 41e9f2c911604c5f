"""The tables of tasks: what is done is not repeated, what they count, that the page has the figures of the cards."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def tasks(benchmark):
    return benchmark("tasks")


@pytest.fixture
def bench(benchmark, tmp_path):
    """Results and pictures in a folder of the test."""
    return benchmark("task_tables.bench").Bench(tmp_path, tmp_path, None)


@pytest.mark.parametrize("name", ["cmudict", "made_on_the_spot", "learning_curves"])
def test_page_of_tasks_has_the_figures_of_the_cards(tasks, benchmark, bench, name):
    page = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
    (part,) = (each for each in tasks.PARTS if each.name == name)
    assert benchmark("report").replace_table(page, name, part.table(bench)) == page


def test_tasks_that_are_done_are_not_repeated_and_cut_off_trainings_go_on(benchmark, bench, monkeypatch, tmp_path):
    commands = []

    def run(*arguments):
        command, *rest = map(str, arguments)
        commands.append(" ".join((command, *rest)))
        if command == "evaluate":
            return '{"exact_match": 0.75, "token_error_rate": 0.1}'
        folder = pathlib.Path(rest[rest.index("--output") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("metrics.json" if "--resume" in rest else "run.json")).write_text("{}")
        return ""

    monkeypatch.setattr(benchmark("task_tables.bench"), "run", run)
    for _ in range(3):
        folder = bench.train("words/0", "pairs_attention", "--seed", 0)
    for _ in range(2):
        assert bench.score("words/together", [folder, tmp_path / "words/1"], beam=5)["exact_match"] == 0.75
    words = tmp_path / "words"
    assert commands == [
        f"train pairs_attention --output {words}/0 --seed 0",
        f"train pairs_attention --output {words}/0 --seed 0 --resume",
        f"evaluate {words}/0/model.keras --with {words}/1/model.keras --beam-size 5 --json",
    ]


def test_table_of_languages_has_single_models_and_ensembles_beside_the_baseline(benchmark, bench, monkeypatch):
    figures = {"0": 0.8, "1": 0.7, "2": 0.9, "together": 0.95}

    def score(bench, name, folders, *options, beam):
        assert len(folders) == (3 if name.endswith("together") else 1)
        return {"exact_match": figures[pathlib.Path(name).name], "token_error_rate": 0.0}

    languages = benchmark("task_tables.languages")
    monkeypatch.setattr(type(bench), "train", lambda bench, name, *options: bench.folder / name)
    monkeypatch.setattr(type(bench), "score", score)
    monkeypatch.setattr(languages, "_files", lambda *_: dict.fromkeys(("train", "validation", "test"), "file"))
    rows = languages.sigmorphon("high", bench).splitlines()
    assert rows == [
        "| language | baseline | single, mean of 3 | ensemble of 3 |",
        "| --- | --- | --- | --- |",
        "| `eng_us` | 41.94 | 20.00 | 5.00 |",
        "| **mean** | **41.94** | **20.00** | **5.00** |",
    ]
    low = languages.sigmorphon("low", bench).splitlines()
    assert low[-1] == "| **mean** | **25.10** | **20.00** | **20.00** |"


def test_widths_stand_by_their_size_with_the_presets_own(benchmark, bench, monkeypatch):
    presets = benchmark("task_tables.presets")

    def train(bench, name, recipe, *options):
        width = int(options[options.index("--hidden-dim") + 1])
        folder = bench.folder / name
        folder.mkdir(parents=True)
        folder.joinpath("metrics.json").write_text(f'{{"parameters": {1000 * width}, "exact_match": 0.{width}}}')
        return folder

    monkeypatch.setattr(type(bench), "train", train)
    *rows, _, picture = presets.widths("dates", (64, 32), bench).splitlines()
    assert rows[2:] == ["| 32 | 32,000 | 32.00% |", "| 64 | 64,000 | 64.00% |", "| 128 | 417,910 | 100.00% |"]
    assert picture.endswith("(tasks_dates.png)")
    assert (bench.pictures / "tasks_dates.png").stat().st_size > 1000


def test_words_a_second_are_counted_over_all_lists(benchmark, monkeypatch):
    english, asked = benchmark("task_tables.english"), []
    monkeypatch.setattr(english, "rate", lambda work, amount: (work(), (amount, 0))[1])
    assert english._words_a_second(asked.append, list("abcdefg"), 3) == "7"
    assert asked == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert len(set(english._english_words(1024))) == 1024
