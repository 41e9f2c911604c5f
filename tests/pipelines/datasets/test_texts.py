"""The texts that recipes train on: Python's documentation, Tiny Shakespeare."""

import hashlib
import pydoc_data.topics

import pytest
import tensorflow_datasets as tfds

from seqzoo.pipelines import TextData, load_python_topics, load_tiny_shakespeare

FILE = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 40
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def joined(text):
    return b"".join(text.as_numpy_iterator())


def test_python_topics_are_this_pythons_documentation():
    text = joined(load_python_topics()).decode()
    assert pydoc_data.topics.topics["for"].strip() in text
    assert len(text) > 300_000


@pytest.fixture
def shakespeare(monkeypatch, tmp_path):
    """TFDS' builder where nothing is prepared and there is no network; its file has to be what is in `FILE`."""
    builder = tfds.builder("tiny_shakespeare", data_dir=tmp_path / "tfds")
    digest = hashlib.sha256(FILE).hexdigest()
    info = tfds.download.checksums.UrlInfo(size=len(FILE), checksum=digest, filename="input.txt")
    monkeypatch.setattr(type(builder), "url_infos", {URL: info})
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # Where nothing listens.


def test_tiny_shakespeare_is_its_three_splits_in_order(shakespeare, tmp_path):
    (tmp_path / "input.txt").write_bytes(FILE)
    TextData("tiny_shakespeare").prepare(tmp_path)
    assert joined(load_tiny_shakespeare()) == joined(TextData("tiny_shakespeare").load()) == FILE


def test_tiny_shakespeare_without_a_network_says_what_to_do(shakespeare):
    with pytest.raises(ValueError, match=r"(?s)tiny_shakespeare cannot be prepared.*--manual-dir.*input\.txt from"):
        load_tiny_shakespeare()


def test_python_topics_are_loaded_by_their_name_and_not_downloaded(tmp_path):
    assert joined(TextData("pydoc_data.topics").load()) == joined(load_python_topics())
    with pytest.raises(ValueError, match=r"The text pydoc_data\.topics is not downloaded: leave out --manual-dir"):
        TextData("pydoc_data.topics").prepare(tmp_path)
