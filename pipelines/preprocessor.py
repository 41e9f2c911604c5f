"""What preprocessors have in common: they are described by their configuration, and equal if it is."""

import keras


class Preprocessor:
    """A vocabulary, and how strings become ids by it; the constructor's other arguments become attributes.

    Attributes:
        vocabulary: `Vocabulary`.
        source_vocabulary: `Vocabulary` of what a model reads, the same one unless a subclass has two; `None` where it
            reads no text.
        target_vocabulary: `Vocabulary` of what it writes, likewise.
    """

    def __init__(self, vocabulary, **config):
        self.vocabulary = self.source_vocabulary = self.target_vocabulary = vocabulary
        self._config = config
        vars(self).update(config)

    def decode(self, ids):
        """Strings `[batch]` of ids `[batch, length]`; what follows an end must be padding."""
        return self.vocabulary.join(ids)

    def get_config(self):
        """The constructor's arguments, the vocabulary serialised."""
        return {"vocabulary": keras.saving.serialize_keras_object(self.vocabulary), **self._config}

    @classmethod
    def from_config(cls, config):
        """The preprocessor that `get_config` described."""
        return cls(**{**config, "vocabulary": keras.saving.deserialize_keras_object(config["vocabulary"])})

    def __eq__(self, other):
        """Whether both turn all strings into the same ids."""
        return type(self) is type(other) and self._reads_as() == other._reads_as()

    def __hash__(self):
        return hash(self.vocabulary)

    def _reads_as(self):
        """What decides on the ids of strings, a dictionary."""
        return self.get_config()
