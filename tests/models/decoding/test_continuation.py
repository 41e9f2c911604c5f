"""The loop that continues texts: ends, stops, what may be written, draws that do not depend on the pieces."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import Greedy, Sampler
from seqzoo.models.decoding.continuation import allowed_tokens, continue_text, encode_stop, initial_decoding_state
from seqzoo.models.decoding.samplers import uniform_numbers
from seqzoo.pipelines import END_ID, PADDING_ID, START_ID, Vocabulary

VOCABULARY = 6
ALL = tf.constant([True, False, True, True, True, True])


def chain(following):
    """A step after whose token a certain one is the most probable; its states count the steps of each row."""
    logits = np.zeros((VOCABULARY, VOCABULARY), "float32")
    for token, best in following.items():
        logits[token, best] = 3.0

    def step(token, states):
        return tf.gather(tf.constant(logits), token), states + 1

    return step


def rules(seeds=(0,), allowed=ALL, stop=()):
    return {"seeds": tf.constant(list(seeds), tf.int64), "allowed": allowed, "stop": tf.constant(list(stop), tf.int32)}


def state_of(tokens, stop_length=0):
    return initial_decoding_state(tf.constant(tokens), tf.zeros([len(tokens)], tf.int32), stop_length)


CIRCLE = chain({2: 3, 3: 4, 4: 5, 5: 2})


def test_texts_go_on_from_their_prompts_last_token():
    ids, state = continue_text(CIRCLE, state_of([2, 4]), rules([0, 0]), tf.constant(5), Greedy())
    assert ids.numpy().tolist() == [[3, 4, 5, 2, 3], [5, 2, 3, 4, 5]]
    assert state["token"].numpy().tolist() == [3, 5]
    assert state["states"].numpy().tolist() == [5, 5]
    assert (int(state["position"]), state["ended"].numpy().tolist()) == (5, [False, False])


def test_a_text_ends_at_the_end_symbol_and_its_neighbours_go_on():
    step = chain({2: 3, 3: END_ID, 4: 5, 5: 4})
    ids, state = continue_text(step, state_of([2, 4]), rules([0, 0]), tf.constant(4), Greedy())
    assert ids.numpy().tolist() == [[3, END_ID, PADDING_ID, PADDING_ID], [5, 4, 5, 4]]
    assert state["ended"].numpy().tolist() == [True, False]


def test_the_loop_stops_when_all_texts_have_ended():
    step = chain({2: 3, 3: END_ID})
    ids, state = continue_text(step, state_of([2, 3]), rules([0, 0]), tf.constant(50), Greedy())
    assert ids.shape == (2, 50)
    assert not ids.numpy()[:, 1:].any()
    assert int(state["position"]) == state["states"].numpy().max() == 2
    again, after = continue_text(step, state, rules([0, 0]), tf.constant(3), Greedy())
    assert not again.numpy().any()
    assert int(after["position"]) == 2


@pytest.mark.parametrize(("stop", "expected"), [([5], [3, 4, 5, 0]), ([3, 4], [3, 4, 0, 0]), ([4, 3], [3, 4, 5, 2])])
def test_a_text_ends_with_the_stop_string(stop, expected):
    ids, _ = continue_text(CIRCLE, state_of([2], len(stop)), rules(stop=stop), tf.constant(4), Greedy())
    assert ids.numpy().tolist() == [expected]


def test_a_stop_string_is_found_across_pieces_and_not_in_the_prompt():
    state, written = state_of([2], 2), []
    for _ in range(4):
        ids, state = continue_text(CIRCLE, state, rules(stop=[2, 3]), tf.constant(1), Greedy())
        written += ids.numpy()[0].tolist()
    assert written == [3, 4, 5, 2]  # The first 3 follows the prompt's 2.
    ids, state = continue_text(CIRCLE, state, rules(stop=[2, 3]), tf.constant(3), Greedy())
    assert ids.numpy().tolist() == [[3, 0, 0]]


@pytest.mark.parametrize("sampler", [Sampler(), Greedy()])
def test_only_what_is_allowed_is_written(sampler):
    allowed = tf.constant([False, False, True, False, True, False])
    seeds = range(40)
    ids, _ = continue_text(CIRCLE, state_of([2] * 40), rules(seeds, allowed), tf.constant(20), sampler)
    assert set(np.unique(ids)) <= {2, 4}
    assert START_ID not in ids.numpy()


def test_draws_depend_on_seed_and_position_alone_and_not_on_the_pieces():
    at_once, last = continue_text(CIRCLE, state_of([2, 2, 3]), rules([7, 8, 7]), tf.constant(80), Sampler())
    state, pieces = state_of([2, 2, 3]), []
    for count in (1, 7, 60, 12):
        ids, state = continue_text(CIRCLE, state, rules([7, 8, 7]), tf.constant(count), Sampler())
        pieces.append(ids)
    np.testing.assert_array_equal(tf.concat(pieces, axis=1), at_once)
    assert int(state["position"]) == int(last["position"])
    alone, _ = continue_text(CIRCLE, state_of([2]), rules([8]), tf.constant(80), Sampler())
    np.testing.assert_array_equal(alone[0], at_once[1])
    assert at_once.numpy()[0].tolist() != at_once.numpy()[1].tolist()


def test_the_numbers_that_decide_are_those_of_the_seed():
    seen = []

    class Recording(Sampler):
        def __call__(self, logits, uniform):
            seen.append(uniform.numpy().tolist())
            return super().__call__(logits, uniform)

    state = {**state_of([2, 2]), "position": tf.constant(3)}
    allowed = tf.constant([False, False, True, True, True, True])
    continue_text(CIRCLE, state, rules([5, 9], allowed), tf.constant(4), Recording())
    np.testing.assert_array_equal(np.transpose(seen), uniform_numbers(tf.constant([5, 9], tf.int64), 3, 4))


def test_a_graph_writes_the_same():
    write = tf.function(lambda state, count: continue_text(CIRCLE, state, rules([1, 2]), count, Sampler()))
    assert write(state_of([2, 3]), tf.constant(0))[0].shape == (2, 0)
    for count in (1, 30):
        ids, _ = write(state_of([2, 3]), tf.constant(count))
        expected, _ = continue_text(CIRCLE, state_of([2, 3]), rules([1, 2]), tf.constant(count), Sampler())
        np.testing.assert_array_equal(ids, expected)


def test_a_stop_string_is_encoded_or_refused():
    assert encode_stop(Vocabulary("abc"), None) == []
    assert encode_stop(Vocabulary("abc"), "cab") == [4, 2, 3]
    assert encode_stop(Vocabulary("abc", "whitespace"), "c a") == [4, 2]
    unknown = Vocabulary("abc", unknown=True)
    for vocabulary, stop in ((Vocabulary("abc"), ""), (Vocabulary("abc"), "ax"), (unknown, "x")):
        with pytest.raises(ValueError, match=rf"stop must be text of tokens that .*Received: stop='{stop}'"):
            encode_stop(vocabulary, stop)


@pytest.mark.parametrize(
    ("vocabulary", "skip", "expected"),
    [
        (Vocabulary("abc"), (), [True, False, True, True, True]),
        (Vocabulary("abc"), "ca", [True, False, False, True, False]),
        (Vocabulary("abc", unknown=True), ["b"], [True, False, False, True, False, True]),
    ],
)
def test_listed_tokens_and_the_end_may_be_written_and_neither_start_nor_unknown(vocabulary, skip, expected):
    assert allowed_tokens(vocabulary, skip).numpy().tolist() == expected


def test_tokens_that_cannot_be_skipped_are_named():
    with pytest.raises(ValueError, match="skip has the token 'x', which is not in the vocabulary"):
        allowed_tokens(Vocabulary("abc"), "ax")
    with pytest.raises(ValueError, match="skip leaves no token to write"):
        allowed_tokens(Vocabulary("abc"), "abc")
