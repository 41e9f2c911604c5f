"""Texts that recipes train on: the Python documentation, Tiny Shakespeare."""

import dataclasses
import pydoc_data.topics

import tensorflow_datasets as tfds

from seqzoo.pipelines.datasets.builders import prepare
from seqzoo.pipelines.texts import as_text


def load_python_topics():
    """The text of the Python documentation that every CPython carries, a topic after the other, by name.

    It is in `pydoc_data.topics` and needs no network. It differs between versions of Python: `text_sha256`
    identifies it.

    Returns:
        `tf.data.Dataset` of string scalars, one a topic.
    """
    topics = pydoc_data.topics.topics
    return as_text([topics[name].rstrip("\n") + "\n\n" for name in sorted(topics)])


def load_tiny_shakespeare():
    """Tiny Shakespeare, all of it: TFDS' `tiny_shakespeare`, its three splits in the text's order.

    TFDS downloads it on first use.

    Raises:
        ValueError: where it is not there and cannot be downloaded.
    """
    builder = tfds.builder("tiny_shakespeare")
    prepare(builder)
    splits = builder.as_dataset(split=["train", "validation", "test"])
    return as_text([row["text"].numpy() for part in splits for row in part])


_LOADERS = {"pydoc_data.topics": load_python_topics, "tiny_shakespeare": load_tiny_shakespeare}


@dataclasses.dataclass(frozen=True)
class TextData:
    """A text by its name.

    Attributes:
        name: `"pydoc_data.topics"` or `"tiny_shakespeare"`.
    """

    name: str

    def load(self):
        """The text, a `tf.data.Dataset` of string scalars.

        Raises:
            ValueError: where it has to be downloaded and cannot be.
        """
        return _LOADERS[self.name]()

    def prepare(self, manual_dir):
        """Writes it to TFDS' folder from the file that TFDS would download, `manual_dir/input.txt`.

        Raises:
            ValueError: for the Python documentation, which is not downloaded, or a file that is not there or not the
                same.
        """
        if self.name != "tiny_shakespeare":
            raise ValueError(f"The text {self.name} is not downloaded: leave out --manual-dir")
        prepare(tfds.builder(self.name), manual_dir)
