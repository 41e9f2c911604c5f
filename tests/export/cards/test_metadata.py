"""The front matter of cards, read back as hubs of models read it."""

import copy
import pathlib
import re

import packaging.licenses
import pytest
from huggingface_hub import ModelCard

import seqzoo.saved_models
from seqzoo.export.cards import known_data
from seqzoo.export.cards.metadata import front_matter, metadata
from seqzoo.models import card, presets

# What the reader of the hub's cards accepts is more than what the hub's site and its filters know.
_KEYS = {"license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index"}
_PIPELINES = {"text-generation", "image-to-text"}


def read(page):
    return ModelCard(page, ignore_metadata_errors=False).data


@pytest.mark.parametrize("name", presets())
def test_cards_of_what_ships_are_read_as_the_hub_reads_them(name):
    about = card(name)
    page = pathlib.Path(seqzoo.saved_models.__file__).with_name(name).joinpath("card.md").read_text("utf-8")
    assert set(re.findall(r"^([\w-]+):", page.split("---\n")[1], re.MULTILINE)) == _KEYS
    data = read(page)
    assert packaging.licenses.canonicalize_license_expression(data.license) == "Apache-2.0"
    assert (data.library_name, data.pipeline_tag in _PIPELINES) == ("seqzoo", True)
    assert data.datasets == [about["data"]["source"].partition("/")[0]]
    assert data.model_name == name
    figures = {result.metric_type: result.metric_value for result in data.eval_results}
    assert list(figures) == data.metrics
    for metric, key in (("exact_match", "exact_match"), ("perplexity", "perplexity"), ("accuracy", "accuracy")):
        assert figures.get(metric) == about["held_out"].get(key)
    assert data.eval_results[0].dataset_split == ("test" if "exact_match" in figures else "validation")


@pytest.mark.parametrize("name", sorted(known_data._KNOWN))
def test_data_have_a_licence_of_spdx(name):
    licence = known_data.known_data(name).licence
    assert packaging.licenses.canonicalize_license_expression(licence) == licence


def test_a_model_of_users_data_has_no_licence_of_ours():
    about = copy.deepcopy(card("dates"))
    about["data"] |= {"source": None, "name": "codes: \"a\", 'b' – é.tsv"}
    data = read(front_matter(about) + "\n\n# codes\n")
    assert data.license is None
    assert data.datasets == ["codes: \"a\", 'b' – é.tsv"]
    assert data.eval_results[0].dataset_split == "validation"
    assert "license" not in metadata(about)
