"""What models that answer a source have in common: greedy and beam search, from strings to strings."""

import collections
import functools
import itertools
import math

import tensorflow as tf

from seqzoo.models.base import StringModel
from seqzoo.models.decoding import alignment
from seqzoo.models.decoding.beam_search import beam_search, check_beam
from seqzoo.models.decoding.greedy import decode_greedily
from seqzoo.models.losses import SequenceCrossentropy, counted
from seqzoo.models.metrics import ExactMatch
from seqzoo.models.serving.string_functions import seq2seq_functions
from seqzoo.models.strings import as_tensor, check_errors_option, check_that_it_has_values, string_pairs
from seqzoo.pipelines.pair_batches import with_teacher_forcing
from seqzoo.pipelines.pair_preprocessor import PairPreprocessor
from seqzoo.pipelines.row_errors import raise_first_error
from seqzoo.pipelines.vocabulary import PADDING_ID
from seqzoo.runtime import compiled_for_python, in_parallel, split_rows

# Minimum rows per thread that answers a part of a batch: of models of sources of one length, and of the others, whose
# answers take longer.
_MIN_ROWS_PER_THREAD, _MIN_ROWS_OF_ANY_LENGTH = 64, 16
# Maximum rows of a part where its sources may be as short as they are.
_MAX_ROWS_OF_ONE_LENGTH = 256

_VALIDATION_BATCH = 1000


class AnsweringModel(StringModel):
    """A `StringModel` that answers each source with a target: `Seq2Seq` and all that search for answers as it does.

    Attributes:
        attends: bool, whether each step of an answer is aligned with the source.
        buckets: int, of how many lengths `fit` and `evaluate` make batches of strings; see `PairPreprocessor.batches`.
    """

    preprocessor_class = PairPreprocessor
    task = "pairs"
    default_metrics = (ExactMatch,)
    attends = False
    buckets = 1

    # === Answers ===

    def generate(self, strings, batch_size=1024, *, beam_size=1, length_penalty=0.0, errors="raise"):
        """Answers strings: greedily, with the most probable token at each step, or by beam search.

        Args:
            strings: `str`, or a sequence or string tensor of them.
            batch_size: int, how many are answered at a time.
            beam_size: int, how many unfinished answers are kept at each step; 1 is greedy search.
            length_penalty: float from 0, of beam search; see `seqzoo.models.decoding.beam_search`.
            errors: `"raise"`; or `"return"`, to answer every row that can be answered and to return the errors.

        Returns:
            A list of `str`; one `str` for one. With `errors="return"`, a tuple of the answers, `""` for wrong rows, and
            the errors in the same form, `""` for rows that are fine.

        Raises:
            ValueError: naming the first string that is empty, too long, or has a token outside the vocabulary; or for
                anything but strings, or a beam that is none.
        """
        check_errors_option(errors)
        check_beam(beam_size, 1, length_penalty)
        if isinstance(strings, tf.Tensor | tf.Variable):
            check_that_it_has_values(strings, "model.answer(strings)")
            strings = strings.numpy()
        alone = isinstance(strings, str | bytes)
        strings = [strings] if alone else strings
        rows = list(self._rows(strings, batch_size, errors, beam_size, 1, length_penalty))
        answers, messages = [answer for (answer,), _ in rows], [message for *_, message in rows]
        if alone:
            answers, messages = answers[0], messages[0]
        return answers if errors == "raise" else (answers, messages)

    def generate_each(self, strings, batch_size=1024, *, beam_size=1, length_penalty=0.0):
        """`generate` for any iterable of strings, however long: an iterator of the answers.

        The processors share a batch out and answer its parts at the same time: its matrices are too small to be shared
        out well. A few parts are read ahead, so that a long input is never held as a whole.
        """
        check_beam(beam_size, 1, length_penalty)
        rows = self._rows(strings, batch_size, "raise", beam_size, 1, length_penalty)
        return (answer for (answer,), _ in rows)

    def n_best(self, strings, n=5, beam_size=None, length_penalty=0.0, batch_size=1024, *, errors="raise"):
        """The best answers that beam search finds, with their probabilities.

        Args:
            strings: `str`, or any iterable of them.
            n: int, how many answers a source gets; fewer where there are no more.
            beam_size: int from `n`; `None` for `n`, and at least 5.
            length_penalty: float from 0, see `seqzoo.models.decoding.beam_search`.
            batch_size: int, how many sources are answered at a time.
            errors: `"raise"` or `"return"`, as in `generate`.

        Returns:
            For each string a list of `(answer, log_probability)`, best first: `str`, and the natural logarithm of its
            probability as float. No answer stands twice in it. One list for one `str`. With `errors="return"`, a tuple
            of the lists, empty for wrong rows, and the errors, as `generate` returns them.

        Raises:
            ValueError: for a wrong string, as in `generate`; a beam below 1, or narrower than `n`.
        """
        check_errors_option(errors)
        check_that_it_has_values(strings, "model.answer(strings, beam_size, n)")
        alone = isinstance(strings, str | bytes)
        strings = [strings] if alone else strings
        rows = list(self._n_best_rows(strings, n, beam_size, length_penalty, batch_size, errors))
        lists, messages = [answers for answers, _ in rows], [message for _, message in rows]
        if alone:
            lists, messages = lists[0], messages[0]
        return lists if errors == "raise" else (lists, messages)

    def n_best_each(self, strings, n=5, beam_size=None, length_penalty=0.0, batch_size=1024):
        """`n_best` for any iterable of strings, however long: an iterator of the lists."""
        rows = self._n_best_rows(strings, n, beam_size, length_penalty, batch_size, "raise")
        return (answers for answers, _ in rows)

    def _n_best_rows(self, strings, n, beam_size, length_penalty, batch_size, errors):
        if beam_size is None:
            beam_size = max(5, n) if isinstance(n, int) else 5
        check_beam(beam_size, n, length_penalty)
        rows = self._rows(strings, batch_size, errors, beam_size, n, length_penalty, scored=True)

        def listed(answers, log_probabilities, message):
            found = {}  # Several sequences of tokens may read alike; the first of them is the best.
            for answer, log_probability in zip(answers, log_probabilities, strict=True):
                if log_probability > -math.inf and not message:  # Where there are fewer, the others are impossible.
                    found.setdefault(answer, log_probability)
            return list(found.items()), message

        return (listed(*row) for row in rows)

    def align(self, string):
        """A source's greedy answer, and which tokens of the source each of its tokens was read from.

        Args:
            string: `str`.

        Returns:
            `(answer, alignment)`: `str`, and a float32 array `[answer tokens, source tokens]` whose rows add up to 1.

        Raises:
            ValueError: for a wrong string, or a model without attention.
        """
        answer, _, shares = self.align_tokens(string)
        return answer, shares

    def align_tokens(self, string):
        """`align` with the tokens of the answer: `(answer, tokens, alignment)`, a list of `str` between the two."""
        return alignment.align_tokens(self, as_tensor([string], "Sources"))

    def align_strings(self, strings):
        """`align` for a batch, as TensorFlow operations.

        Args:
            strings: string tensor, `[batch]`.

        Returns:
            `(answers, alignments, errors)`: string `[batch]`; float32 `[batch, target_length, source_length]`, 0 after
            an answer's and a source's last token; string `[batch]`, as `encode_sources` returns them.
        """
        return alignment.align_strings(self, strings)

    def is_source_token(self, source):
        """Which parts of encoded sources an answer may be aligned with, bool `[batch, source_length]`."""
        return source != PADDING_ID

    def _rows(self, strings, batch_size, errors, beam_size, n, length_penalty, scored=False):
        """`(answers, error)` of each string, or `(answers, log_probabilities, error)`: lists of `n`, and a `str`."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: batch_size={batch_size}")
        self._forget_stale_graphs()
        answer_part = self._answering(scored, beam_size, n, float(length_penalty))
        strings = iter(strings)
        batches = iter(lambda: list(itertools.islice(strings, batch_size)), [])
        return self._answer_parts(answer_part, map(self._cut, batches), errors)

    def _cut(self, batch):
        """A batch as `(rows, parts)`: their number, and a list of `(indices, strings)` to answer one by one."""
        order = list(range(len(batch)))
        if self.buckets == 1:
            slices = split_rows(len(batch), _MIN_ROWS_PER_THREAD)
        else:  # The longest first: a part takes as long as its longest source and answer.
            order.sort(key=lambda row: len(batch[row]) if isinstance(batch[row], str | bytes) else 0, reverse=True)
            slices = split_rows(len(batch), _MIN_ROWS_OF_ANY_LENGTH, _MAX_ROWS_OF_ONE_LENGTH)
        return len(batch), [(order[part], [batch[row] for row in order[part]]) for part in slices]

    def _answer_parts(self, answer_part, batches, errors):
        first_row, sizes = 1, collections.deque()

        def parts():
            for size, batch_parts in batches:
                sizes.append(size)
                yield from batch_parts

        def answer(part):
            rows, strings = part
            strings = as_tensor(strings, "Sources")
            return rows, strings, *answer_part(strings)

        done = {}
        for rows, strings, any_wrong, texts, *scores in in_parallel(answer, parts()):
            texts, *scores = (each.numpy().tolist() for each in (texts, *scores))
            messages = [b""] * len(rows)
            if any_wrong:
                messages = self.preprocessor.encode_sources(strings)[1].numpy().tolist()
            for row, message, answers, *row_scores in zip(rows, messages, texts, *scores, strict=True):
                done[row] = ["" if message else text.decode() for text in answers], *row_scores, message.decode()
            if len(done) < sizes[0]:
                continue
            batch = [done.pop(row) for row in range(sizes.popleft())]
            messages = [message for *_, message in batch]
            if errors == "raise" and any(messages):
                raise_first_error(tf.constant(messages), first_row)
            first_row += len(batch)
            yield from batch

    @functools.cached_property
    def _answering(self):
        """Graphs for calls from Python, by what they search for, and whether they return log-probabilities.

        They return whether any row is wrong, the answers `[batch, n]`, and their log-probabilities.
        """

        @functools.cache
        def graph(scored, *search):
            def answer(strings):
                source, wrong = self.preprocessor.source_ids(strings)
                ids, log_probability = self.decode(source, *search)
                return tf.reduce_any(wrong), self.texts(ids, source, strings), *([log_probability] * scored)

            return compiled_for_python(answer, [tf.TensorSpec([None], tf.string)])

        return graph

    def answer(self, strings, beam_size=1, n=1, length_penalty=0.0):
        """`generate` and `n_best` as TensorFlow operations, for use in graphs.

        Args:
            strings: string tensor, `[batch]`.
            beam_size: int.
            n: int, up to `beam_size`.
            length_penalty: float.

        Returns:
            `(answers, log_probabilities, errors)`: string `[batch, n]`, float32 `[batch, n]` in nats, and string
            `[batch]`, `""` where the source is fine; else the answers are `""` and the log-probabilities 0. Where
            there are fewer than `n` answers the others are `""` with a log-probability of minus infinity.
        """
        source, errors = self.preprocessor.encode_sources(strings)
        ids, log_probability = self.decode(source, beam_size, n, length_penalty)
        fine = (errors == "")[:, None]
        return tf.where(fine, self.texts(ids, source, strings), ""), tf.where(fine, log_probability, 0.0), errors

    def decode(self, source, beam_size=1, n=1, length_penalty=0.0):
        """The best answers by greedy or beam search, as ids.

        Args:
            source: int32 `[batch, source_length]`, as `preprocessor.encode_sources` returns it.
            beam_size: int; 1 for greedy search.
            n: int, up to `beam_size`.
            length_penalty: float, see `beam_search`.

        Returns:
            `(ids, log_probability)`: int32 `[batch, n, target_length]`, and float32 `[batch, n]`; see `beam_search`.
        """
        check_beam(beam_size, n, length_penalty)
        states, batch, length = self.initial_state(source), tf.shape(source)[0], self.preprocessor.target_length
        if beam_size == 1:
            ids, log_probability = decode_greedily(self.step, states, batch, length)
            return ids[:, None], log_probability[:, None]
        return beam_search(self.step, states, batch, length, beam_size, n, length_penalty)

    def log_probabilities(self, source, answer):
        """How probable answers are, teacher-forced.

        Args:
            source: int32 `[batch, source_length]`, as `preprocessor.encode_sources` returns it.
            answer: int32 `[batch, target_length]`, as `preprocessor.encode_targets` returns it.

        Returns:
            float32 `[batch]`, natural logarithms, the answers' ends included.
        """
        inputs, answer = with_teacher_forcing(source, answer)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answer, self(inputs, training=False))
        return -tf.reduce_sum(tf.where(counted(answer), losses, 0.0), axis=1)

    def initial_state(self, source):
        """The states that `step` starts from.

        Args:
            source: int32 `[batch, source_length]`.

        Returns:
            A dictionary whose `layers` have a row for each answer; all else belongs to the sources.
        """
        raise NotImplementedError

    def step(self, token, states, beam_size=1):
        """One step of inference; see `Decoder.step`."""
        raise NotImplementedError

    def aligner(self):
        """The model whose attention says what an unknown token of an answer stands for."""
        return self

    def texts(self, ids, source, strings):
        """Answers as strings, with words of their sources if the preprocessor has `copy_unknown`.

        Args:
            ids: int32 `[batch, n, length]`, from `decode`.
            source: int32 `[batch, source_length]`, as `preprocessor.encode_sources` returns it.
            strings: string tensor, `[batch]`, the sources.

        Returns:
            string tensor, `[batch, n]`.
        """
        n, preprocessor = ids.shape[1], self.preprocessor
        ids = tf.reshape(ids, [-1, ids.shape[-1]])
        if preprocessor.copy_unknown:
            answers = alignment.copying_texts(self.aligner(), ids, source, strings, n)
        else:
            answers = preprocessor.decode(ids)
        return tf.reshape(answers, [-1, n])

    # === Training ===

    serving_functions = seq2seq_functions

    def default_loss(self):
        """A `SequenceCrossentropy` in nats per token of the data that the preprocessor was made from."""
        return SequenceCrossentropy(mean_length=self.preprocessor.mean_target_length)

    def _string_data(self, x, y):
        return string_pairs(x, y)

    def _training_batches(self, data, batch_size, seed, epoch, weights):
        options = {"shuffle_seed": seed, "epoch": epoch, "buckets": self.buckets, "weights": weights}
        return self.preprocessor.batches(data, batch_size, **options)

    def _validation_batches(self, data, batch_size, weights):
        batch_size = _VALIDATION_BATCH if batch_size is None else batch_size
        return self.preprocessor.batches(data, batch_size, buckets=self.buckets, weights=weights)
