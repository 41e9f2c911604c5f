"""Scores of a model that answers sources: exact match and character accuracy, decoded greedily."""

import tensorflow as tf

from seqzoo.models.losses import counted
from seqzoo.pipelines import as_pairs

_EXAMPLES = 10


def evaluate_pairs(model, pairs, batch_size=1024):
    """Answers the sources of all pairs greedily and compares.

    Args:
        model: `Seq2Seq`.
        pairs: what `as_pairs` takes.
        batch_size: int.

    Returns:
        A dictionary of `rows`, int; `exact_match`, the share of answers that are right as a whole;
        `character_accuracy`, the share of right tokens, position by position, each answer's end included; and
        `examples`, up to ten dictionaries of `source`, `target` and `answer`, wrong answers (up to five) first.
    """
    preprocessor = model.preprocessor

    @tf.function(input_signature=[tf.TensorSpec([None, preprocessor.source_length], tf.int32)], autograph=False)
    def decode(source):
        ids, _ = model.decode_greedily(source)
        return ids, preprocessor.decode(ids)

    rows, exact, right, positions, examples = 0, 0, 0, 0, {True: [], False: []}
    for sources, targets in as_pairs(pairs).batch(batch_size):
        inputs, answer = preprocessor(sources, targets)
        ids, texts = decode(inputs["source"])
        counts = tf.convert_to_tensor(counted(answer))
        is_right = (ids == answer) & counts
        is_exact = tf.reduce_all(is_right | ~counts, axis=1)
        rows += len(answer)
        exact += int(tf.math.count_nonzero(is_exact))
        right += int(tf.math.count_nonzero(is_right))
        positions += int(tf.math.count_nonzero(counts))
        for kind, kept in examples.items():
            for at in tf.where(is_exact == kind)[: max(0, _EXAMPLES - len(kept)), 0].numpy():
                row = (sources[at], targets[at], texts[at])
                kept.append(dict(zip(("source", "target", "answer"), (x.numpy().decode() for x in row), strict=True)))
    if rows == 0:
        raise ValueError("There are no pairs to evaluate. Received an empty dataset.")
    wrong = examples[False][: _EXAMPLES // 2]
    return {
        "rows": rows,
        "exact_match": exact / rows,
        "character_accuracy": right / positions,
        "examples": wrong + examples[True][: _EXAMPLES - len(wrong)],
    }
