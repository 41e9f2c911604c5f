"""Histories: the curves that are drawn, and the CPU time of each epoch."""

import pytest
from matplotlib import figure

from seqzoo.training.history import CpuTimes, draw_curves


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures, save = [], figure.Figure.savefig

    def savefig(self, *arguments, **options):
        figures.append(self)
        save(self, *arguments, **options)

    monkeypatch.setattr(figure.Figure, "savefig", savefig)
    return figures


def test_exact_match_is_drawn_in_percent(drawn, tmp_path):
    draw_curves(tmp_path / "curves.png", {"one": [0.0, 0.5], "other": [0.25, 1.0, 1.0]})
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {"one": [[1, 0], [2, 50]], "other": [[1, 25], [2, 100], [3, 100]]}
    assert axes.get_ylabel() == "exact match on validation data (%)"
    assert axes.get_ylim() == (-2, 102)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]


def test_other_figures_are_drawn_as_they_are(drawn, tmp_path):
    draw_curves(tmp_path / "curves.png", {"text": [3.5, 2.5]}, "nats per token")
    (axes,) = drawn[0].axes
    assert axes.lines[0].get_ydata().tolist() == [3.5, 2.5]
    assert axes.get_ylabel() == "nats per token"


def test_same_curves_are_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        draw_curves(tmp_path / name, {"one": [0.0, 0.5]})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.fixture
def clock(monkeypatch):
    """The process CPU time, in seconds, as the test sets it."""
    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    return now


def seconds_of(clock, *epochs, earlier=0.0):
    """The seconds that a training of epochs, `(training, validation)` seconds each, began after 10 s measures."""
    clock[0], times = 10.0, CpuTimes()
    times.on_train_begin()
    for training, validation in epochs:
        times.on_epoch_begin(0)
        for _ in range(2):
            clock[0] += training / 2
            times.on_train_batch_end(0)
        clock[0] += validation
    return times.seconds(earlier)


def test_cpu_time_is_told_apart_into_start_compiling_and_epochs_without_validation(clock):
    expected = {"start": 10.0, "compile": 5.0, "epoch": 3.0, "total": 35.0 + 7.0}
    assert seconds_of(clock, (8, 1), (3, 1), (3, 1), (7, 1), earlier=7.0) == expected


def test_compiling_of_a_single_epoch_cannot_be_told_apart(clock):
    assert seconds_of(clock, (8, 1)) == {"start": 10.0, "compile": None, "epoch": 8.0, "total": 19.0}
    assert seconds_of(clock) == {"start": 10.0, "compile": None, "epoch": None, "total": 10.0}
