"""Where a model's errors are: by length, and which tokens it takes for which."""

from seqzoo.pipelines import PairPreprocessor
from seqzoo.training.evaluation.errors import error_analysis


class Pronouncer:
    """Answers each source with what `answers` has for it."""

    def __init__(self, pairs, answers):
        self.preprocessor = PairPreprocessor.from_pairs(pairs[1:], target_split="whitespace", lower_case=True)
        self._answers = answers

    def generate_each(self, sources, batch_size, **search):
        assert search == {"beam_size": 5, "length_penalty": 0.5}
        return (self._answers[source] for source in sources)


def test_errors_by_length_and_confusions():
    pairs = [
        ("a word too long to be read", "Z"),
        ("zoo", "Z UW"),
        ("Data", "D EY T AH"),
        ("data", "D AE T AH"),
        ("bow", "B OW"),
        ("sum", "S AH M"),
    ]
    answers = {"zoo": "Z UW", "data": "D AE T", "bow": "B AW", "sum": "S AH M"}
    found = error_analysis(Pronouncer(pairs, answers), pairs, beam_size=5, length_penalty=0.5)
    assert found == {
        "by_length": {3: {"sources": 3, "errors": 1}, 4: {"sources": 1, "errors": 1}, 26: {"sources": 1, "errors": 1}},
        "confusions": [
            {"target": "Z", "answer": "", "count": 1},
            {"target": "AH", "answer": "", "count": 1},
            {"target": "OW", "answer": "AW", "count": 1},
        ],
    }
