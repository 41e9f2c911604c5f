"""Ensembles: several models that answer together."""

import keras
import tensorflow as tf
from keras import ops

from seqzoo.models.answers import AnsweringModel
from seqzoo.pipelines.vocabulary import Vocabulary


@keras.saving.register_keras_serializable("seqzoo")
class Ensemble(AnsweringModel):
    """Models that answer together, each step by the mean of their probabilities.

    The members are copied. An ensemble generates, searches with a beam, evaluates, is saved as one `.keras` file and
    exported as one SavedModel. It is too large for LiteRT: train a student on its answers.

    Args:
        models: sequence of `Seq2Seq` models, of any cells and sizes. Their preprocessors have equal vocabularies and
            lengths; which of them reverse does not matter.

    Call arguments:
        inputs: as for `Seq2Seq`; the source as the first of the models reads it.

    Returns:
        float32 `[batch, target_length, vocabulary_size]`, the logarithms of the mean probabilities, which are logits.

    Raises:
        ValueError: for no model, for anything but models that answer strings, or naming the first that does not fit.

    Example:
        >>> ensemble = seqzoo.models.Ensemble([first, second, third])
        >>> ensemble.generate("tensorflow", beam_size=5)
    """

    def __init__(self, models, **kwargs):
        models = list(models)
        _check(models)
        preprocessor = models[0].preprocessor

        # === Layers ===
        self.members = [model.copy_with(name=f"member_{i}") for i, model in enumerate(models)]

        # === Functional Model ===
        source = keras.Input((preprocessor.source_length,), dtype="int32", name="source")
        target = keras.Input((preprocessor.target_length,), dtype="int32", name="target")
        logits = [member({"source": self._as_read_by(member, source), "target": target}) for member in self.members]
        super().__init__(inputs={"source": source, "target": target}, outputs=_log_mean(logits), **kwargs)

        # === Config ===
        self._set_config(preprocessor, {})

    def initial_state(self, source):
        """The states that `step` starts from, of each member."""
        states = [member.initial_state(self._as_read_by(member, source)) for member in self.members]
        return {"layers": [state.pop("layers") for state in states], "members": states}

    def step(self, token, states, beam_size=1):
        """One step of inference, by the mean of the members' probabilities; see `Decoder.step`."""
        results = [
            member.step(token, {**state, "layers": layers}, beam_size)
            for member, state, layers in zip(self.members, states["members"], states["layers"], strict=True)
        ]
        new = [dict(state) for _, state in results]
        layers = [state.pop("layers") for state in new]
        return _log_mean([logits for logits, _ in results]), {"layers": layers, "members": new}

    def aligner(self):
        """The first of the members."""
        return self.members[0]

    def token_functions(self, **options):
        """Not of an ensemble: LiteRT files are for devices, which have no room for several models."""
        raise ValueError(
            f"An ensemble of {len(self.members)} models is not exported to LiteRT: train one model on its answers"
        )

    def get_config(self):
        """The members, serialised."""
        config = super().get_config()
        del config["preprocessor"]  # It is the first member's.
        return {**config, "models": [keras.saving.serialize_keras_object(member) for member in self.members]}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The ensemble that `get_config` described, with random weights."""
        config = dict(config)
        members = [keras.saving.deserialize_keras_object(each, custom_objects) for each in config.pop("models")]
        return cls(members, **config)

    def _as_read_by(self, member, source):
        same = member.preprocessor.reverse == self.members[0].preprocessor.reverse
        return source if same else ops.flip(source, 1)


def _log_mean(logits):
    """Logarithms of the mean of probabilities given as logits."""
    if len(logits) == 1:
        return ops.log_softmax(logits[0])
    each = ops.stack([ops.log_softmax(one) for one in logits])
    return ops.logsumexp(each, axis=0) - tf.math.log(float(len(logits)))


def _check(models):
    if not models:
        raise ValueError("An ensemble needs at least one model. Received none")
    for number, model in enumerate(models, 1):
        if not isinstance(model, AnsweringModel) or model.task != "pairs" or isinstance(model, Ensemble):
            raise ValueError(
                f"An ensemble is made of single models that answer strings. Received: {type(model).__name__} as "
                f"number {number}"
            )
    first = models[0].preprocessor
    for number, model in enumerate(models[1:], 2):
        for name in ("source_vocabulary", "target_vocabulary", "source_length", "target_length", "reverse_target"):
            own, other = getattr(first, name), getattr(model.preprocessor, name)
            if own != other:
                if isinstance(own, Vocabulary) and own.tokens != other.tokens:
                    own, other = (f"tokens such as {_only_in(*both)}" for both in ((own, other), (other, own)))
                raise ValueError(
                    f"The models of an ensemble must have equal vocabularies and lengths. Model {number} has another "
                    f"{name} than model 1: {other}, not {own}"
                )


def _only_in(vocabulary, other):
    """A token that only the first vocabulary has, as it is written in code; "all of the other's" where it has none."""
    return next((ascii(token) for token in vocabulary.tokens if token not in other.tokens), "all of the other's")
