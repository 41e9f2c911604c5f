"""Verification of exports: what they answer, read back from the disk, compared with what the model answers."""

import functools

import numpy as np
import tensorflow as tf

from seqzoo.export.clients import (
    answers_of_litert,
    answers_of_saved_model,
    greedy_texts_of_saved_model,
    logits_of_litert,
)
from seqzoo.models import Greedy
from seqzoo.models.decoding.continuation import allowed_tokens
from seqzoo.pipelines import START_ID, as_pairs, load_test_sums
from seqzoo.pipelines.pair_batches import with_teacher_forcing
from seqzoo.pipelines.pairs import decoded

NEAR_TIE = 1e-3
"""Where the two best tokens' logits are no further apart, rounding decides between them."""

_BATCH = 1024
_PROMPTS = 64
_PROMPT_TOKENS = 20
_WRITTEN = 50
_READ = 2_000
_RANDOM_SOURCES = 1_000


def verification_of(model, data=None):
    """The verification of exports of a model on pairs or a text, or, without data, on rows that suit the model.

    `data` may also be a verification of the model, which is returned.
    """
    return data if isinstance(data, _Verification) else _VERIFICATIONS[model.task](model, data)


class _Verification:
    """Compares exports of one model with the model, whose own answers are computed once.

    `verify_saved_model(run)` compares a SavedModel, whose signatures `run(signature, **inputs)` calls;
    `verify_litert(interpreter)` a LiteRT file; `example_requests()` returns a request for each signature of a
    SavedModel, of which the second row is wrong. The results are dictionaries of `rows`; `equal`, how many are the
    model's; `near_ties`, how many differ where rounding decides; `different`, how many differ otherwise, with
    `first_different`; and `score`, the `metric` of `model` and of `export`, or `None`.
    """

    def __init__(self, model, data=None):
        self.model = model
        self.data = data


class PairVerification(_Verification):
    """Compares the answers to all sources of `data`.

    Without data, these are the test sums for a model of sums, and for any other one random sources, which have no
    targets.
    """

    @functools.cached_property
    def rows(self):
        """`(sources, targets)`: lists of `str`; `None` in place of targets that are not known."""
        pairs = load_test_sums(self.model.preprocessor) if self.data is None else as_pairs(self.data)
        if pairs is None:
            return _random_sources(self.model.preprocessor), None
        rows = list(decoded(pairs))
        if not rows:
            raise ValueError("There are no pairs to compare on. Received an empty data set.")
        sources, targets = map(list, zip(*rows, strict=True))
        return sources, targets

    @functools.cached_property
    def own_answers(self):
        """The model's own answers to the sources, a list of `str`."""
        return self.model.generate(self.rows[0])

    def verify_saved_model(self, run):
        """See `_Verification`."""
        return self.compare(lambda sources: answers_of_saved_model(run, sources))

    def verify_litert(self, interpreter):
        """See `_Verification`."""
        return self.compare(answers_of_litert(interpreter, self.model))

    def compare(self, answer):
        """Compares an export, given as a function from a list of at most 1,024 `str` to their answers."""
        (sources, targets), own = self.rows, self.own_answers
        exported = [text for at in range(0, len(sources), _BATCH) for text in answer(sources[at : at + _BATCH])]
        result = _compared(own, exported, self._gaps)
        result["score"] = targets and {
            "metric": "exact_match",
            "model": sum(map(str.__eq__, own, targets)) / len(targets),
            "export": sum(map(str.__eq__, exported, targets)) / len(targets),
        }
        return result

    def example_requests(self):
        """See `_Verification`."""
        first = self.rows[0][0]
        source = np.array([first, ""], object)
        ids = self.model.preprocessor.vocabulary.lookup([first]).to_tensor().numpy()
        return {
            "serving_default": {"source": source},
            "ids": {"source": np.concatenate([ids, -ids])},
            "score": {"source": source, "target": np.array([self.own_answers[0] or first] * 2, object)},
        }

    def _gaps(self, rows, own, exported):
        """How far apart the two best logits are where each answer leaves the model's own, float32 `[rows]`."""
        model, preprocessor, sources = self.model, self.model.preprocessor, self.rows[0]
        source = preprocessor.encode_sources([sources[row] for row in rows])[0]
        ids, _ = model.decode_greedily(source)
        gaps = _gaps(model(with_teacher_forcing(source, ids)[0], training=False))
        answers = preprocessor.encode_targets([own[row] for row in rows])[0]
        others = preprocessor.encode_targets([exported[row] for row in rows])[0]
        at = tf.argmax(tf.cast(answers != others, tf.int32), axis=1, output_type=tf.int32)
        # An untrained model also writes the start token, which is no text: any of those just before may be the
        # difference.
        place = tf.cumsum(tf.cast(ids != START_ID, tf.int32), axis=1, exclusive=True)
        return np.where(place == at[:, None], gaps, np.inf).min(axis=1)


class TextVerification(_Verification):
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
        """Compares greedy continuations; see `_Verification`."""
        own = self.model.generate(self.prompts, _WRITTEN, Greedy())
        exported = greedy_texts_of_saved_model(run, self.prompts, _WRITTEN)
        return {**_compared(own, exported, self._gaps), "score": None}

    def verify_litert(self, interpreter):
        """Compares the logits of each token of a text, read one by one; see `_Verification`.

        The text is the data, or one that the model writes.
        """
        text = self.data
        if text is None:
            text = "".join(self.model.generate([""] * 20, _READ // 10, seed=range(20)))
        read, targets = next(iter(self.model.preprocessor.ordered(text, _READ)))
        own, exported = self.model.read(read)[0].numpy()[0], logits_of_litert(interpreter, self.model)(read[0])
        best, exported_best = own.argmax(-1).tolist(), exported.argmax(-1).tolist()
        result = _compared(best, exported_best, lambda at, *_: _gaps(own[at]))
        result["score"] = {
            "metric": "nats_per_token",
            "model": _nats(own, targets[0]),
            "export": _nats(exported, targets[0]),
        }
        return result

    def example_requests(self):
        """See `_Verification`."""
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
        return _gaps(tf.where(allowed_tokens(preprocessor.vocabulary), logits, -float("inf")))[0]


_VERIFICATIONS = {"pairs": PairVerification, "text": TextVerification}


def raise_if_different(result):
    """Raises a `ValueError` where an export of full precision differs from its model in more than rounding."""
    if result["different"]:
        raise ValueError(
            f"The export answers {result['different']} of {result['rows']} rows differently than the model, and not by "
            f"rounding. First: {result['first_different']}. Nothing was written"
        )


def _compared(own, exported, gaps):
    differing = [at for at, (one, other) in enumerate(zip(own, exported, strict=True)) if one != other]
    different = []
    if differing:
        far = gaps(differing, own, exported) > NEAR_TIE
        different = [at for at, is_far in zip(differing, far, strict=True) if is_far]
    return {
        "rows": len(own),
        "equal": len(own) - len(differing),
        "near_ties": len(differing) - len(different),
        "different": len(different),
        "first_different": f"{exported[different[0]]!r}, not {own[different[0]]!r}" if different else None,
    }


def _gaps(logits):
    best = tf.math.top_k(logits, 2).values.numpy()
    return best[..., 0] - best[..., 1]


def _nats(logits, targets):
    return float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)))


def _random_sources(preprocessor, count=_RANDOM_SOURCES):
    numbers = np.random.default_rng(0)
    tokens = preprocessor.vocabulary.tokens
    separator = preprocessor.vocabulary.separator
    lengths = numbers.integers(1, preprocessor.source_length + 1, count)
    return [separator.join(tokens[i] for i in numbers.integers(0, len(tokens), length)) for length in lengths]
