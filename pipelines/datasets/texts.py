"""Texts that recipes train on: the Python documentation, Tiny Shakespeare."""

import dataclasses
import pydoc_data.topics

import tensorflow_datasets as tfds

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
    try:
        splits = tfds.load("tiny_shakespeare", split=["train", "validation", "test"])
    except Exception as error:  # TFDS lets through whatever its HTTP client raises.
        raise ValueError(
            f"Tiny Shakespeare is not in TFDS' folder and cannot be downloaded ({type(error).__name__}). "
            "Download its text by hand and pass it as --data FILE"
        ) from error
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
