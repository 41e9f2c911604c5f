"""What a model gets wrong: by the length of sources, and which tokens it takes for which."""

import collections

from seqzoo.pipelines import alternatives
from seqzoo.training.evaluation.edit_distance import edit_steps
from seqzoo.training.evaluation.pairs import answers_to

_CONFUSIONS = 15


def error_analysis(model, pairs, beam_size=1, length_penalty=0.0):
    """Where the errors of a model that answers sources are.

    As in `evaluate_pairs`, an answer is right if it is any of its source's targets, and a wrong one is compared with
    the nearest of them.

    Args:
        model: `Seq2Seq`, or another model that answers sources.
        pairs: what `as_pairs` takes.
        beam_size: int, see `evaluate`.
        length_penalty: float, see `evaluate`.

    Returns:
        A dictionary of
        `by_length`, a dictionary from the number of tokens of a source, or of the caption of a picture, to one of
        `sources`, int, and `errors`, int, how many answers are wrong, in the order of lengths; and
        `confusions`, the up to 15 most frequent of `{"target", "answer", "count"}`: a token, the token that stands in
        its place, and how often; `""` for a token that is missing or should not be there.
    """
    preprocessor = model.preprocessor
    read, written = preprocessor.source_vocabulary, preprocessor.target_vocabulary
    targets = alternatives(preprocessor.as_pairs(pairs), preprocessor)
    answers, _ = answers_to(model, list(targets), beam_size=beam_size, length_penalty=length_penalty)
    lengths, errors, confusions = collections.Counter(), collections.Counter(), collections.Counter()
    for (source, right), answer in zip(targets.items(), answers, strict=True):
        length = (
            min(len(written.split_string(each)) for each in right) if read is None else len(read.split_string(source))
        )
        lengths[length] += 1
        if answer not in right:
            errors[length] += 1
            steps = (edit_steps(written.split_string(answer), written.split_string(target)) for target in right)
            confusions.update(min(steps, key=len))
    return {
        "by_length": {
            length: {"sources": count, "errors": errors[length]} for length, count in sorted(lengths.items())
        },
        "confusions": [
            {"target": target, "answer": answer, "count": count}
            for (target, answer), count in confusions.most_common(_CONFUSIONS)
        ],
    }
