"""Verification of exports: what they answer, read back from the disk, compared with what the model answers."""

import functools

import numpy as np
import tensorflow as tf

from seqzoo.export.clients import greedy_texts_of_saved_model, logits_of_litert
from seqzoo.export.comparison import Verification, compared, gaps_of
from seqzoo.export.pair_verification import PairVerification
from seqzoo.export.picture_verification import PictureVerification
from seqzoo.models import Greedy
from seqzoo.models.decoding.continuation import allowed_tokens

_PROMPTS = 64
_PROMPT_TOKENS = 20
_WRITTEN = 50
_READ = 2_000


def verification_of(model, data=None, beam_size=1, length_penalty=0.0):
    """The verification of exports of a model on pairs or a text, or, without data, on rows that suit the model.

    A verification has the methods `verify_saved_model(run)`, which compares a SavedModel whose signatures
    `run(signature, **inputs)` calls; `verify_litert(interpreter, is_quantized)`, for a LiteRT file; and
    `example_requests()`, which returns a request for each signature of a SavedModel, of which the second row is wrong.
    Results are what `compared` returns, with `score`, the `metric` of `model` and of `export`, or `None`; and
    `other_signatures`, a dictionary of what `compared` returned for each signature that was compared beside the first.

    Args:
        model: `StringModel`.
        data: what its preprocessor takes; or a verification of the model, whose rows are taken, and its answers too if
            it searches for them as this one does.
        beam_size: int, see `AnsweringModel.generate`.
        length_penalty: float, likewise.
    """
    kind = _VERIFICATIONS[model.task]
    if not isinstance(data, kind):
        return kind(model, data, beam_size, length_penalty)
    same = data.search == {"beam_size": beam_size, "length_penalty": length_penalty}
    return data if same else kind(data.model, data.data, beam_size, length_penalty)


class TextVerification(Verification):
    """Compares the texts that follow prompts, pieces of `data` or single tokens, and the logits of each token."""

    @functools.cached_property
    def prompts(self):
        """Pieces of the data; without data the empty prompt and the first tokens of the vocabulary."""
        preprocessor = self.model.preprocessor
        if self.data is None:
            return ["", *preprocessor.vocabulary.tokens[: _PROMPTS - 1]]
        ids = preprocessor.encode(self.data).astype("int32")
        starts = np.linspace(0, max(0, len(ids) - _PROMPT_TOKENS), _PROMPTS).astype(int)
        pieces = (ids[start : start + _PROMPT_TOKENS] for start in starts)
        return [preprocessor.vocabulary.join(piece[None])[0].numpy().decode() for piece in pieces]

    def verify_saved_model(self, run):
        """Compares greedy continuations; see `verification_of`."""
        own = self.model.generate(self.prompts, _WRITTEN, Greedy())
        exported = greedy_texts_of_saved_model(run, self.prompts, _WRITTEN)
        return {**compared(own, exported, self._gaps), "score": None, "other_signatures": {}}

    def verify_litert(self, interpreter, is_quantized=False):
        """Compares the logits of each token of a text, read one by one; see `verification_of`.

        The text is the data, or one that the model writes.
        """
        text = self.data
        if text is None:
            text = "".join(self.model.generate([""] * 20, _READ // 10, seed=range(20)))
        read, targets = next(iter(self.model.preprocessor.ordered(text, _READ)))
        own, exported = self.model.read(read)[0].numpy()[0], logits_of_litert(interpreter, self.model)(read[0])
        best, exported_best = own.argmax(-1).tolist(), exported.argmax(-1).tolist()
        result = compared(best, exported_best, lambda at, *_: gaps_of(own[at]))
        result["score"] = {
            "metric": "nats_per_token",
            "model": _nats(own, targets[0]),
            "export": _nats(exported, targets[0]),
        }
        return {**result, "other_signatures": {}}

    def example_requests(self):
        """See `verification_of`."""
        prompt = np.array([self.prompts[-1]] * 2, object)
        options = {"temperature": np.array([0.8, 0.0], "float32"), "top_k": np.array([5, 5], "int32")}
        options |= {"length": np.array([40, 40], "int32"), "seed": np.array([1, 1], "int64")}
        return {"serving_default": {"prompt": prompt[:1]}, "sample": {"prompt": prompt, **options}}

    def _gaps(self, rows, own, exported):
        return np.array([self._gap(self.prompts[row], own[row], exported[row]) for row in rows])

    def _gap(self, prompt, own, exported):
        model, preprocessor = self.model, self.model.preprocessor
        prompt = preprocessor.encode_prompts([prompt])[0].numpy()[0]
        own, exported = (preprocessor.vocabulary.lookup([text]).flat_values.numpy() for text in (own, exported))
        shared = min(len(own), len(exported))
        differs = own[:shared] != exported[:shared]
        at = int(np.argmax(differs)) if differs.any() else shared
        logits = model.read(np.concatenate([prompt, own[:at]])[None])[0][:, -1]
        return gaps_of(tf.where(allowed_tokens(preprocessor.vocabulary), logits, -float("inf")))[0]


_VERIFICATIONS = {"pairs": PairVerification, "pictures": PictureVerification, "text": TextVerification}


def _nats(logits, targets):
    return float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)))
