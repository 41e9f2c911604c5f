"""Scores of trained models on data they were not trained on: decoded answers, predicted texts, all sums."""

from seqzoo.runtime import check_threads_survive
from seqzoo.training.evaluation.pairs import evaluate_pairs
from seqzoo.training.evaluation.sums import evaluate_all_sums, evaluate_sums
from seqzoo.training.evaluation.texts import evaluate_text

__all__ = ["evaluate", "evaluate_all_sums", "evaluate_sums"]

_EVALUATIONS = {"pairs": evaluate_pairs, "pictures": evaluate_pairs, "text": evaluate_text}


def evaluate(model, data, beam_size=1, length_penalty=0.0, block=None):
    """The figures of a model's task on data: decoded answers to pairs, or the predicted tokens of a text.

    Args:
        model: `StringModel`.
        data: pairs (see `seqzoo.pipelines.as_pairs`) for a model that answers sources, a text (see
            `TextPreprocessor.encode`) for a language model.
        beam_size: int, how many unfinished answers are kept at each step; 1 is greedy search. Of answers only.
        length_penalty: float from 0, of beam search; see `seqzoo.models.beam_search`.
        block: int, after how many tokens a language model forgets what it read, as nanoGPT scores texts; `None` for a
            context from the text's beginning on. Of texts only.

    Returns:
        The dictionary of `evaluate_pairs` or `evaluate_text`.

    Raises:
        ValueError: for data that do not fit the model, or none; a beam that is none, or of a language model; a block
            that is none, or of a model that answers sources.
        RuntimeError: see `seqzoo.runtime.check_threads_survive`.
    """
    check_threads_survive()
    return _EVALUATIONS[model.task](model, data, beam_size=beam_size, length_penalty=length_penalty, block=block)
