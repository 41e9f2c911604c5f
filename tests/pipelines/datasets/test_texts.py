"""The texts that recipes train on: Python's documentation, Tiny Shakespeare."""

import pydoc_data.topics

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.pipelines import TextData, load_python_topics, load_tiny_shakespeare


def joined(text):
    return b"".join(text.as_numpy_iterator())


def test_python_topics_are_this_pythons_documentation():
    text = joined(load_python_topics()).decode()
    assert pydoc_data.topics.topics["for"].strip() in text
    assert len(text) > 300_000


def test_tiny_shakespeare_is_its_three_splits_in_order(monkeypatch):
    splits = [tf.data.Dataset.from_tensor_slices({"text": [text]}) for text in ("First ", "Citizen", ":")]
    monkeypatch.setattr(tfds, "load", lambda name, split: splits)
    assert joined(load_tiny_shakespeare()) == b"First Citizen:"


def test_tiny_shakespeare_without_a_network_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(tfds, "load", fail)
    with pytest.raises(ValueError, match=r"cannot be downloaded \(ConnectionError\).*--data FILE"):
        load_tiny_shakespeare()


def test_texts_are_loaded_by_their_names(monkeypatch):
    assert joined(TextData("pydoc_data.topics").load()) == joined(load_python_topics())
    part = tf.data.Dataset.from_tensor_slices({"text": ["First"]})
    monkeypatch.setattr(tfds, "load", lambda name, split: [part] * 3)
    assert joined(TextData("tiny_shakespeare").load()) == b"FirstFirstFirst"
