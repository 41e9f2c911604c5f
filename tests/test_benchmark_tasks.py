"""The tables of tasks: what is done is not repeated, what they count, that the page has the figures of the cards."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def tasks(benchmark):
    return benchmark("tasks")


@pytest.mark.parametrize("part", ["cmudict", "made_on_the_spot"])
def test_page_of_tasks_has_the_figures_of_the_cards(tasks, benchmark, part):
    page = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
    assert benchmark("report").replace_table(page, part, getattr(tasks, part)(None)) == page


def test_tasks_that_are_done_are_not_repeated_and_cut_off_trainings_go_on(tasks, monkeypatch, tmp_path):
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

    monkeypatch.setattr(tasks, "_seqzoo", run)
    bench = tasks.Bench(tmp_path, None)
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


def test_table_of_languages_has_single_models_and_ensembles_beside_the_baseline(tasks, monkeypatch, tmp_path):
    figures = {"0": 0.8, "1": 0.7, "2": 0.9, "together": 0.95}

    def score(bench, name, folders, *options, beam):
        assert len(folders) == (3 if name.endswith("together") else 1)
        return {"exact_match": figures[pathlib.Path(name).name], "token_error_rate": 0.0}

    monkeypatch.setattr(tasks.Bench, "train", lambda bench, name, *options: tmp_path / name)
    monkeypatch.setattr(tasks.Bench, "score", score)
    monkeypatch.setattr(tasks, "_sigmorphon_files", lambda *_: dict.fromkeys(("train", "validation", "test"), "file"))
    rows = tasks.sigmorphon("high", tasks.Bench(tmp_path, None)).splitlines()
    assert rows == [
        "| language | baseline | single, mean of 3 | ensemble of 3 |",
        "| --- | --- | --- | --- |",
        "| `eng_us` | 41.94 | 20.00 | 5.00 |",
        "| **mean** | **41.94** | **20.00** | **5.00** |",
    ]
    low = tasks.sigmorphon("low", tasks.Bench(tmp_path, None)).splitlines()
    assert low[-1] == "| **mean** | **25.10** | **20.00** | **20.00** |"


def test_words_a_second_are_counted_over_all_lists(tasks, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks, "rate", lambda work, amount: (work(), (amount, 0))[1])
    assert tasks._words_a_second(asked.append, list("abcdefg"), 3) == "7"
    assert asked == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert len(set(tasks._english_words(1024))) == 1024
