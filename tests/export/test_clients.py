"""Clients of exports: they need the export, and neither its model nor seqzoo."""

import os
import sys

import pytest

from seqzoo.export import saved_model
from seqzoo.export.clients import ask_in_fresh_process


@pytest.fixture(scope="module")
def folder(sums, tmp_path_factory):
    """A version of the model `sums`."""
    return saved_model(sums, tmp_path_factory.mktemp("export") / "sums")["path"]


def test_process_without_keras_and_seqzoo_answers_as_the_model(folder, sums):
    sources = ["57+5", "628+521", "0+0"]
    assert ask_in_fresh_process(folder, sources) == sums.generate(sources)


def test_process_that_fails_says_so_with_its_last_line(folder, tmp_path):
    with pytest.raises(ValueError, match=r"does not answer in a process of its own: .*SavedModel file does not exist"):
        ask_in_fresh_process(tmp_path / "nothing", ["57+5"])


def test_process_that_says_nothing_is_named_by_its_exit_status(folder, tmp_path, monkeypatch):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexit 3\n")
    os.chmod(silent, 0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    with pytest.raises(ValueError, match="does not answer in a process of its own: exit status 3"):
        ask_in_fresh_process(folder, ["57+5"])
