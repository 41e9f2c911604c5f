"""What every export is checked by: what it answers, read back from the disk, beside what the model answers."""

import numpy as np
import tensorflow as tf

from seqzoo.models import Greedy
from seqzoo.pipelines import START_ID, as_pairs, load_test_sums
from seqzoo.pipelines.pair_preprocessor import with_teacher_forcing
from seqzoo.pipelines.pairs import decoded

NEAR_TIE = 1e-3
"""Where the two best tokens' logits are no further apart, rounding decides between them."""

_BATCH = 1024
_PROMPTS = 64
_PROMPT_TOKENS = 20
_WRITTEN = 50
_READ = 2_000


def sample_pairs(model, data=None):
    """What a seq2seq model is asked in a check: `(sources, targets)`, two lists of `str`.

    All pairs of `data` (see `as_pairs`); without it, the test sums for a model of sums, and for any other one random
    sources, with `None` as targets.
    """
    pairs = load_test_sums(model.preprocessor) if data is None else as_pairs(data)
    if pairs is None:
        return _random_sources(model.preprocessor), None
    rows = list(decoded(pairs))
    if not rows:
        raise ValueError("There are no pairs to compare on. Received an empty dataset.")
    sources, targets = map(list, zip(*rows, strict=True))
    return sources, targets


def sample_prompts(model, data=None):
    """What a language model writes on from in a check: pieces of `data`, or each of its first tokens."""
    preprocessor = model.preprocessor
    if data is None:
        return ["", *preprocessor.vocabulary.tokens[: _PROMPTS - 1]]
    ids = preprocessor.encode(data).astype("int32")
    starts = np.linspace(0, max(0, len(ids) - _PROMPT_TOKENS), _PROMPTS).astype(int)
    pieces = (ids[start : start + _PROMPT_TOKENS] for start in starts)
    return [preprocessor.vocabulary.join(piece[None])[0].numpy().decode() for piece in pieces]


def check_answers(model, answer, sources, targets=None):
    """Compares an exported seq2seq model with the model.

    Args:
        model: `Seq2Seq`.
        answer: what asks the export: takes a list of at most 1,024 `str` and gives as many.
        sources: list of `str`.
        targets: likewise, the right answers, or `None`.

    Returns:
        A dictionary of `rows`; `equal`, how many answers are the model's; `near_ties`, how many differ where rounding
        decides; `different`, how many differ else, with `first_different`; and `score`, the exact match of `model` and
        of `export`, or `None`.
    """
    own = model.generate(sources)
    exported = [text for at in range(0, len(sources), _BATCH) for text in answer(sources[at : at + _BATCH])]
    result = _compared(own, exported, lambda *rows: _pair_gaps(model, sources, *rows))
    result["score"] = targets and {
        "metric": "exact_match",
        "model": sum(map(str.__eq__, own, targets)) / len(targets),
        "export": sum(map(str.__eq__, exported, targets)) / len(targets),
    }
    return result


def check_texts(model, write, prompts):
    """Compares an exported language model with the model by the texts that both write on, greedily.

    Args:
        model: `LanguageModel`.
        write: what asks the export: takes prompts and a length, and gives the most probable texts.
        prompts: list of `str`.

    Returns:
        As `check_answers`; `score` is `None`.
    """
    own, exported = model.generate(prompts, _WRITTEN, Greedy()), write(prompts, _WRITTEN)
    return {**_compared(own, exported, lambda *rows: _text_gaps(model, prompts, *rows)), "score": None}


def check_steps(model, step, data=None):
    """Compares an exported language model with the model by the logits of each token of a text, read one by one.

    Args:
        model: `LanguageModel`.
        step: what asks the export: takes token ids `[length]` and gives their logits, `[length, vocabulary_size]`.
        data: text (see `TextPreprocessor.encode`), or `None` for one that the model writes.

    Returns:
        As `check_answers`, of most probable tokens; `score` is in nats per token.
    """
    text = "".join(model.generate([""] * 20, _READ // 10, seed=range(20))) if data is None else data
    read, targets = next(iter(model.preprocessor.ordered(text, _READ)))
    own, exported = model.read(read)[0].numpy()[0], step(read[0])
    best, exported_best = own.argmax(-1).tolist(), exported.argmax(-1).tolist()
    result = _compared(best, exported_best, lambda at, *_: _gaps(own[at]))
    result["score"] = {
        "metric": "nats_per_token",
        "model": _nats(own, targets[0]),
        "export": _nats(exported, targets[0]),
    }
    return result


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


def _pair_gaps(model, sources, rows, own, exported):
    """How far apart the two best logits are where each answer leaves the model's own, float32 `[rows]`."""
    preprocessor = model.preprocessor
    source = preprocessor.encode_sources([sources[row] for row in rows])[0]
    ids, _ = model.decode_greedily(source)
    gaps = _gaps(model(with_teacher_forcing(source, ids)[0], training=False))
    answers = preprocessor.encode_targets([own[row] for row in rows])[0]
    others = preprocessor.encode_targets([exported[row] for row in rows])[0]
    at = tf.argmax(tf.cast(answers != others, tf.int32), axis=1, output_type=tf.int32)
    # An untrained model also writes the start token, which is no text: any of those just before may be the difference.
    place = tf.cumsum(tf.cast(ids != START_ID, tf.int32), axis=1, exclusive=True)
    return np.where(place == at[:, None], gaps, np.inf).min(axis=1)


def _text_gaps(model, prompts, rows, own, exported):
    return np.array([_text_gap(model, prompts[row], own[row], exported[row]) for row in rows])


def _text_gap(model, prompt, own, exported):
    preprocessor = model.preprocessor
    prompt = preprocessor.encode_prompts([prompt])[0].numpy()[0]
    own, exported = (preprocessor.vocabulary.lookup([text]).flat_values.numpy() for text in (own, exported))
    shared = min(len(own), len(exported))
    differs = own[:shared] != exported[:shared]
    at = int(np.argmax(differs)) if differs.any() else shared
    logits = model.read(np.concatenate([prompt, own[:at]])[None])[0][:, -1]
    return _gaps(tf.where(model.allowed(), logits, -float("inf")))[0]


def _gaps(logits):
    best = tf.math.top_k(logits, 2).values.numpy()
    return best[..., 0] - best[..., 1]


def _nats(logits, targets):
    return float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)))


def _random_sources(preprocessor, count=1_000):
    numbers = np.random.default_rng(0)
    tokens = preprocessor.vocabulary.tokens
    separator = "" if preprocessor.vocabulary.split == "characters" else " "
    lengths = numbers.integers(1, preprocessor.source_length + 1, count)
    return [separator.join(tokens[i] for i in numbers.integers(0, len(tokens), length)) for length in lengths]
