"""Scores of a model that answers sources: exact match and token error rate of decoded answers."""

import base64
import itertools

import numpy as np
import tensorflow as tf

from seqzoo.models.losses import counted
from seqzoo.pipelines import PADDING_ID, alternatives
from seqzoo.pipelines.row_errors import raise_first_error
from seqzoo.training.evaluation.edit_distance import edit_distances

_EXAMPLES = 10
_BLOCK_ROWS = 8192


def evaluate_pairs(model, pairs, batch_size=1024, beam_size=1, length_penalty=0.0, block=None):
    """Answers the sources of all pairs and compares.

    Pairs of one source with different targets are alternatives: an answer is right if it is any of them, as
    pronunciations are scored by dictionaries that have several for a word. Answers and targets are compared by the
    tokens of the target vocabulary, characters or words, after it has normalised both; its unknown token is never
    right. A source that the model cannot read (too long, a token that its vocabulary lacks) counts as answered with
    nothing, and so as wrong; a source none of whose targets it can write is wrong whatever its answer.

    Args:
        model: `Seq2Seq`, or another model that answers sources. Its answers come from beam search, or are greedy.
        pairs: what `as_pairs` takes, or pairs of pictures and captions as `fit` takes them. They are held in memory.
        batch_size: int.
        beam_size: int, see `evaluate`.
        length_penalty: float, see `evaluate`.
        block: `None`; of texts only.

    Returns:
        A dictionary of
        `rows`, int, the pairs;
        `sources`, int, the different sources among them, as the model reads them;
        `unreadable` and `unwritable`, int, how many of these the model cannot read, or not answer rightly;
        `exact_match`, the share of sources whose answer is right as a whole: 1 minus the word error rate;
        `token_error_rate`, the tokens to insert, delete or replace in each answer for its nearest alternative, summed,
        divided by the tokens of these alternatives, summed: the phoneme or character error rate. It is above 1 where
        answers are much too long. Of alternatives that are equally near, the first one counts;
        `character_accuracy`, the share of the nearest alternatives' tokens that stand at their place in the answer,
        each end included: of use where tokens keep their places, as the digits of sums do; and
        `examples`, up to ten dictionaries of `source`, `target` (the nearest) and `answer`, wrong answers (up to five)
        first; a picture as a `data:` URL.

    Raises:
        ValueError: naming the first pair that is not valid UTF-8; the first source if the model can read none; for no
            pair, or a block.
    """
    if block is not None:
        raise ValueError(f"A {type(model).__name__} answers sources one by one: leave out block. Received: {block!r}")
    preprocessor, pairs = model.preprocessor, model.preprocessor.as_pairs(pairs)
    rows = sum(len(sources) for sources, _ in pairs.batch(_BLOCK_ROWS))
    if rows == 0:
        raise ValueError("There are no pairs to evaluate. Received an empty dataset.")
    targets = alternatives(pairs, preprocessor)
    search = {"beam_size": beam_size, "length_penalty": length_penalty}
    answers, unreadable = answers_to(model, list(targets), batch_size, **search)
    answered, unwritable = zip(targets.items(), answers, strict=True), 0
    exact, errors, tokens, right, positions, examples = 0, 0, 0, 0, 0, {True: [], False: []}
    for block in iter(lambda: list(itertools.islice(answered, _BLOCK_ROWS)), []):
        nearest, answer_ids, target_ids, distances = _nearest(preprocessor, block)
        can_be_right = _can_be_right(preprocessor, [each for (_, each), _ in block])
        unwritable += np.count_nonzero(~can_be_right)
        is_exact = (distances == 0) & can_be_right
        exact += np.count_nonzero(is_exact)
        errors += distances.sum()
        tokens += np.count_nonzero(target_ids != PADDING_ID)
        counts = counted(target_ids).numpy()
        right += np.count_nonzero((answer_ids == target_ids) & counts)
        positions += np.count_nonzero(counts)
        for kind, kept in examples.items():
            for at in np.flatnonzero(is_exact == kind)[: max(0, _EXAMPLES - len(kept))]:
                (source, _), answer = block[at]
                kept.append({"source": _as_text(source), "target": nearest[at], "answer": answer})
    wrong = examples[False][: _EXAMPLES // 2]
    return {
        "rows": rows,
        "sources": len(targets),
        "unreadable": len(unreadable),
        "unwritable": int(unwritable),
        "exact_match": exact / len(targets),
        "token_error_rate": float(errors / tokens),
        "character_accuracy": right / positions,
        "examples": wrong + examples[True][: _EXAMPLES - len(wrong)],
    }


def _as_text(source):
    """A source as text: a picture, `bytes`, as a URL that holds it."""
    if isinstance(source, str):
        return source
    kind = "png" if source.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(source).decode()}"


def answers_to(model, sources, batch_size=1024, **search):
    """Answers to a list of different sources, some of which the model cannot read.

    Returns:
        `(answers, unreadable)`: an iterator of `str`, `""` for what cannot be read; and the set of these sources.

    Raises:
        ValueError: naming the first source, where none can be read.
    """
    errors = []
    for start in range(0, len(sources), _BLOCK_ROWS):
        errors += model.preprocessor.encode_sources(sources[start : start + _BLOCK_ROWS])[1].numpy().tolist()
    if all(errors):
        raise_first_error(tf.constant(errors), 1)
    unreadable = {source for source, error in zip(sources, errors, strict=True) if error}
    found = model.generate_each([source for source in sources if source not in unreadable], batch_size, **search)
    return ("" if source in unreadable else next(found) for source in sources), unreadable


def _can_be_right(preprocessor, targets):
    """Whether a model can write any target of each list, bool `[lists]`."""
    counts = [len(each) for each in targets]
    ids, errors = preprocessor.encode_targets([target for each in targets for target in each])
    can_write = errors.numpy() == b""
    if not preprocessor.copy_unknown:
        can_write &= ~np.any(ids.numpy() == preprocessor.target_vocabulary.unknown_id, axis=1)
    return np.logical_or.reduceat(can_write, np.cumsum([0, *counts[:-1]]))


def _nearest(preprocessor, block):
    """The alternative that each answer is nearest to.

    Args:
        preprocessor: `PairPreprocessor`.
        block: list of `((source, targets), answer)`.

    Returns:
        `(targets, answer_ids, target_ids, distances)` of each source: list of `str`; int arrays
        `[sources, length]`, of `target_length` or the longest target; int `[sources]`.
    """
    vocabulary = preprocessor.target_vocabulary
    counts = [len(targets) for (_, targets), _ in block]
    targets = [target for (_, each), _ in block for target in each]
    answer_ids, target_ids = _numbers_of_tokens(vocabulary, [answer for _, answer in block], targets)
    length = max(preprocessor.target_length, *(int(ids.bounding_shape()[1]) for ids in (answer_ids, target_ids)))
    answer_ids, target_ids = (
        ids.to_tensor(PADDING_ID, shape=[None, length]).numpy() for ids in (answer_ids, target_ids)
    )
    distances = edit_distances(np.repeat(answer_ids, counts, axis=0), target_ids)
    starts = np.cumsum([0, *counts[:-1]])
    best = np.array([at + np.argmin(distances[at : at + count]) for at, count in zip(starts, counts, strict=True)])
    return [targets[at] for at in best], answer_ids, target_ids[best], distances[best]


def _numbers_of_tokens(vocabulary, answers, targets):
    """Tokens of two lists of strings as numbers from 1, the same for the same token, whether it is listed or not.

    Returns:
        Two int64 ragged tensors, `[strings, (length)]`. The text of the unknown token has the number -1 in answers.
    """
    answers, targets = vocabulary.tokenize(answers), vocabulary.tokenize(targets)
    values = np.concatenate([answers.flat_values.numpy(), targets.flat_values.numpy()])
    _, numbers = np.unique(values, return_inverse=True)
    numbers += 1
    count = len(answers.flat_values)
    if vocabulary.unknown:
        unknown = vocabulary.tokenize(vocabulary.join(tf.constant([[vocabulary.unknown_id]]))).flat_values[0].numpy()
        numbers[:count][values[:count] == unknown] = -1
    return (
        answers.with_flat_values(tf.constant(numbers[:count])),
        targets.with_flat_values(tf.constant(numbers[count:])),
    )
