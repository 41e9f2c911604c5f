"""Verification of exports of models that answer sources: each signature against the model's own methods."""

import functools

import numpy as np
import tensorflow as tf

from seqzoo.export.clients import answers_of_litert, answers_of_saved_model, steps_of_litert
from seqzoo.export.comparison import NEAR_TIE, Verification, compared, compared_numbers, compared_with_numbers, gaps_of
from seqzoo.models.losses import counted
from seqzoo.pipelines import START_ID, load_test_rows
from seqzoo.pipelines.pair_batches import with_teacher_forcing
from seqzoo.pipelines.pairs import decoded

_BATCH = 1024
_RANDOM_SOURCES = 1_000

# On so many rows, spread evenly, the signatures are compared that answer in another form, or one row at a time.
_SAMPLE = 256
_SINGLE_ROWS = 16

# Of an alignment's shares, by whether weights are quantised.
_ALIGNMENT_TOLERANCES = {False: 1e-4, True: 0.1}


class PairVerification(Verification):
    """Compares exports of one model, whose own answers are computed once, on all sources of `data`.

    Without data, these are the test rows of the data set that its preprocessor is of, if that is at hand, and else
    random sources, which have no targets. See `verification_of` for the methods.
    """

    @functools.cached_property
    def rows(self):
        """`(sources, targets)`: lists of `str`, pictures of `bytes`; `None` in place of targets that are not known."""
        pairs = (
            load_test_rows(self.model.preprocessor, only_at_hand=True)
            if self.data is None
            else self.model.preprocessor.as_pairs(self.data)
        )
        if pairs is None:
            return self._random_sources(), None
        rows = list(decoded(pairs, self.model.preprocessor.reads_text))
        if not rows:
            raise ValueError("There are no pairs to compare on. Received an empty data set.")
        sources, targets = map(list, zip(*rows, strict=True))
        return sources, targets

    @functools.cached_property
    def own_answers(self):
        """The model's own answers to the sources, a list of `str`."""
        return self.model.generate(self.rows[0], **self.search)

    def verify_saved_model(self, run):
        """Compares `serving_default` on all rows, and every other signature on a sample of them."""
        name = self.model.preprocessor.source_name
        result = self.compare(lambda sources: answers_of_saved_model(run, sources, name))
        sources, own = self._sample(_SAMPLE)
        others = {**self._compare_encoded(run, sources, own), "score": self._compare_scores(run, sources, own)}
        if self.search["beam_size"] > 1:
            others["n_best"] = self._compare_n_best(run, sources)
        if self.model.attends:
            reply = run("align", **{name: sources})
            others["align"] = self._compare_alignments(sources, _texts(reply["answer"]), reply["alignment"])
        return {**result, "other_signatures": others}

    def verify_litert(self, interpreter, is_quantized=False):
        """Compares `serving_default` on all rows, `batch_1` and greedy steps on a few of them."""
        result = self.compare(answers_of_litert(interpreter, self.model))
        sources, own = self._sample(_SINGLE_ROWS)
        one_by_one = answers_of_litert(interpreter, self.model, "batch_1")
        exported = [one_by_one([source])[0] for source in sources]
        others = {"batch_1": compared(own, exported, self._gaps_of(sources))}
        answers, alignments = zip(*map(steps_of_litert(interpreter, self.model), sources), strict=True)
        if self.model.attends:
            others["decode_step"] = self._compare_alignments(sources, list(answers), np.stack(alignments), is_quantized)
        else:
            greedy = own if self.search["beam_size"] == 1 else self.model.generate(sources)
            gaps = functools.partial(self._greedy_gaps, sources)
            others["decode_step"] = compared(greedy, list(answers), gaps)
        return {**result, "other_signatures": others}

    def compare(self, answer):
        """Compares an export, given as a function from a list of at most 1,024 `str` to their answers."""
        (sources, targets), own = self.rows, self.own_answers
        exported = [text for at in range(0, len(sources), _BATCH) for text in answer(sources[at : at + _BATCH])]
        result = compared(own, exported, self._gaps_of(sources))
        result["score"] = targets and {
            "metric": "exact_match",
            "model": self._exact_match(own),
            "export": self._exact_match(exported),
        }
        return {**result, "other_signatures": {}}

    def _exact_match(self, answers):
        """The share of sources whose answer is a target of theirs, of which there may be several rows."""
        sources, targets = self.rows
        preprocessor, right = self.model.preprocessor, {}
        for source, target, answer in zip(sources, targets, answers, strict=True):
            source = preprocessor.normalize_source(source)
            is_right = answer == preprocessor.target_vocabulary.normalize_string(target)
            right[source] = right.get(source, False) or is_right
        return sum(right.values()) / len(right)

    def example_requests(self):
        """See `verification_of`."""
        first, preprocessor = self.rows[0][0], self.model.preprocessor
        target = self.own_answers[0] or preprocessor.target_vocabulary.tokens[0]
        source = {preprocessor.source_name: np.array([first, first[:0]], object)}
        requests = {
            "serving_default": source,
            **self._encoded_request(first),
            "score": {**source, "target": np.array([target] * 2, object)},
        }
        if self.search["beam_size"] > 1:
            requests["n_best"] = source
        if self.model.attends:
            requests["align"] = source
        return requests

    def _encoded_request(self, source):
        ids = self.model.preprocessor.source_vocabulary.lookup([source]).to_tensor().numpy()
        return {"ids": {"source": np.concatenate([ids, -ids])}}

    def _sample(self, count):
        """`(sources, own answers)` of up to so many rows, spread evenly."""
        sources = self.rows[0]
        rows = np.unique(np.linspace(0, len(sources) - 1, count).astype(int)).tolist()
        return [sources[row] for row in rows], [self.own_answers[row] for row in rows]

    def _random_sources(self):
        """Sources of tokens of the vocabulary, a list."""
        preprocessor = self.model.preprocessor
        numbers, vocabulary = np.random.default_rng(0), preprocessor.source_vocabulary
        tokens = vocabulary.tokens
        lengths = numbers.integers(1, preprocessor.source_length + 1, _RANDOM_SOURCES)
        sources = [
            vocabulary.join_tokens([tokens[i] for i in numbers.integers(0, len(tokens), length)]) for length in lengths
        ]
        # Tokens side by side may compose to others, in a normal form.
        _, wrong = preprocessor.source_ids(sources)
        return [source for source, is_wrong in zip(sources, wrong.numpy(), strict=True) if not is_wrong]

    # === Signatures ===

    def _compare_encoded(self, run, sources, own):
        """What a comparison of the signature for sources that are encoded already found, by its name."""
        ids = self.model.preprocessor.source_vocabulary.lookup(sources).to_tensor().numpy()
        answers = run("ids", source=ids)["answer"]
        exported = _texts(self.model.preprocessor.target_vocabulary.join(answers).numpy())
        if self.model.preprocessor.copy_unknown:  # Ids copy nothing.
            found, _ = self.model.decode(self.model.preprocessor.encode_sources(sources)[0], n=1, **self.search)
            own = _texts(self.model.preprocessor.decode(found[:, 0]).numpy())
        return {"ids": compared(own, exported, self._gaps_of(sources))}

    def _compare_scores(self, run, sources, own):
        """Of the model's own answers, but for those that are no targets: empty ones, and words joined in other ways."""
        wrong = self.model.preprocessor.encode_targets(own)[1].numpy()
        rows = [(source, answer) for source, answer, error in zip(sources, own, wrong, strict=True) if not error]
        if not rows:
            return compared([], [], None)
        sources, targets = map(list, zip(*rows, strict=True))
        exported = run("score", **{self.model.preprocessor.source_name: sources}, target=targets)["log_probability"]
        return compared_numbers(self._log_probabilities(sources, targets)[0], exported, NEAR_TIE)

    def _compare_n_best(self, run, sources):
        """Answers and log-probabilities, where there are fewer answers `""` and minus infinity."""
        beam_size, length_penalty = self.search.values()
        search = tf.function(lambda strings: self.model.answer(strings, beam_size, beam_size, length_penalty))
        own_texts, own_numbers, _ = search(tf.constant(sources))
        own_texts = list(map(_texts, own_texts.numpy()))
        reply = run("n_best", **{self.model.preprocessor.source_name: sources})
        exported = list(map(_texts, reply["answers"]))

        def gaps(rows, own, exported):
            """The largest of all places of each list."""
            repeated = [sources[row] for row in rows for _ in range(beam_size)]
            answers, others = ([text for row in rows for text in lists[row]] for lists in (own, exported))
            return self._beam_gaps(repeated, answers, others).reshape(-1, beam_size).max(axis=1)

        numbers = (own_numbers.numpy(), reply["log_probabilities"])
        return compared_with_numbers(own_texts, exported, gaps, *numbers, NEAR_TIE)

    def _compare_alignments(self, sources, answers, alignments, is_quantized=False):
        """Greedy answers and their alignments."""
        own, own_alignments, _ = self.model.align_strings(tf.constant(sources))
        gaps = functools.partial(self._greedy_gaps, sources)
        numbers = (own_alignments.numpy(), alignments)
        return compared_with_numbers(_texts(own.numpy()), answers, gaps, *numbers, _ALIGNMENT_TOLERANCES[is_quantized])

    # === Near-ties ===

    def _gaps_of(self, sources):
        """`gaps` of `compared`, for answers to these sources by the search."""
        if self.search["beam_size"] == 1:
            return functools.partial(self._greedy_gaps, sources)

        def gaps(rows, own, exported):
            of_rows = ([texts[row] for row in rows] for texts in (sources, own, exported))
            return self._beam_gaps(*of_rows)

        return gaps

    def _greedy_gaps(self, sources, rows, own, exported):
        """How far apart the two best logits are where each answer leaves the model's own, float32 `[rows]`."""
        model, preprocessor = self.model, self.model.preprocessor
        source = preprocessor.encode_sources([sources[row] for row in rows])[0]
        ids = model.decode(source)[0][:, 0]
        gaps = gaps_of(model(with_teacher_forcing(source, ids)[0], training=False))
        answers = preprocessor.encode_targets([own[row] for row in rows])[0]
        others = preprocessor.encode_targets([exported[row] for row in rows])[0]
        at = tf.argmax(tf.cast(answers != others, tf.int32), axis=1, output_type=tf.int32)
        # An untrained model also writes the start token, which is no text: any of those just before may be the
        # difference.
        place = tf.cumsum(tf.cast(ids != START_ID, tf.int32), axis=1, exclusive=True)
        return np.where(place == at[:, None], gaps, np.inf).min(axis=1)

    def _beam_gaps(self, sources, own, exported):
        """How far apart the scores are by which a beam ranks two answers to each source, float32 `[rows]`."""
        scores = []
        for answers in (own, exported):
            log_probabilities, tokens = self._log_probabilities(sources, answers)
            scores.append(log_probabilities / ((5 + tokens) / 6) ** self.search["length_penalty"])
        return np.abs(scores[0] - scores[1])

    def _log_probabilities(self, sources, answers):
        """`(log_probabilities, tokens)` of answers: float32 `[rows]`, and how many tokens each has, its end included.

        What is no answer that the model can give has a log-probability of minus infinity.
        """
        preprocessor = self.model.preprocessor
        source, _ = preprocessor.encode_sources(list(sources))
        target, errors = preprocessor.encode_targets(list(answers))
        log_probabilities = self.model.log_probabilities(source, target).numpy()
        is_answer = (errors == "").numpy() | (np.array(answers, object) == "")
        return np.where(is_answer, log_probabilities, -np.inf), tf.math.count_nonzero(counted(target), axis=1).numpy()


def _texts(values):
    return [value.decode() for value in values]
