"""Attention models beside a plain loop that reads one source at a time, unpadded, by Keras' stock cells."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.models import AttentionSeq2Seq, PeekySeq2Seq, Seq2Seq, load
from seqzoo.models.layers.attention import GlobalAttention
from seqzoo.pipelines import PADDING_ID, PairPreprocessor

PAIRS = [("abc", "CBA!"), ("d", "D"), ("ca", "AC"), ("bbbbb", "B")]


def run(cell, inputs, states):
    """A stock cell over a list of `[1, dim]`: the outputs and the last states."""
    outputs = []
    for each in inputs:
        output, states = cell(each, states)
        outputs.append(output)
    return outputs, states


def plain_logits(model, source, target):
    """The logits of one source, token ids without padding, and what its decoder reads: `[target_length, size]`."""
    encoder, decoder = model.encoder, model.decoder
    zeros = [tf.zeros([1, model.encoder.recurrent[0].units])] * (2 if encoder.recurrent[0].cell == "lstm" else 1)
    inputs, handed_over = [encoder.embedding(np.array([token])) for token in source], []
    for i, layer in enumerate(encoder.recurrent):
        outputs, states = run(layer.rnn.cell, inputs, zeros)
        if encoder.bidirectional:
            backward, backward_states = run(encoder.backward[i].rnn.cell, inputs[::-1], zeros)
            outputs = [tf.concat(both, axis=1) for both in zip(outputs, backward[::-1], strict=True)]
            states = [
                bridge(tf.concat(both, axis=1))
                for bridge, *both in zip(encoder.bridges[i], states, backward_states, strict=True)
            ]
        handed_over.append(states)
        inputs = outputs
    read = [decoder.embedding(np.array([token])) for token in target]
    context = decoder.context(handed_over)
    for layer, states in zip(decoder.recurrent, handed_over, strict=True):
        read = read if context is None else [tf.concat([context, each], axis=1) for each in read]
        read, _ = run(layer.rnn.cell, read, states)
    logits = []
    for output in read:
        if model.attends:
            attention = decoder.attention
            memory = tf.concat(outputs, axis=0)
            scores = tf.linalg.matmul(output, memory @ attention.key.kernel, transpose_b=True)
            context = tf.nn.softmax(scores) @ memory
            output = tf.tanh(context @ attention.value.kernel + output @ attention.query.kernel + attention.query.bias)
        elif context is not None:
            output = tf.concat([context, output], axis=1)
        logits.append(output @ decoder.dense.kernel + decoder.dense.bias)
    return tf.concat(logits, axis=0)


def models():
    """Each cell with one layer and two, in one direction and two, with attention and without, unrolled and not."""
    for number, cell in enumerate(("lstm", "gru", "simple_rnn")):
        for layers in (1, 2):
            for kind, bidirectional in (
                (AttentionSeq2Seq, True),
                (AttentionSeq2Seq, False),
                (Seq2Seq, True),
                (PeekySeq2Seq, True),
            ):
                unroll, reverse = (number + layers + bidirectional) % 2 == 0, (number + layers) % 2 == 0
                options = {"cell": cell, "num_layers": layers, "bidirectional": bidirectional, "unroll": unroll}
                name = f"{kind.__name__}-{cell}-{layers}-{bidirectional}-{unroll}-{reverse}"
                marks = [pytest.mark.slow(minutes=1)] * (layers == 1 and cell != "lstm")
                yield pytest.param(kind, reverse, options, id=name, marks=marks)


@pytest.mark.parametrize(("kind", "reverse", "options"), list(models()))
def test_batches_steps_and_gradients_are_those_of_a_plain_loop(kind, reverse, options):
    keras.utils.set_random_seed(1)
    pairs = PAIRS[:3]
    model = kind.from_pairs(pairs, reverse=reverse, hidden_dim=3, embedding_dim=2, **options)
    inputs, answer = model.preprocessor(*zip(*pairs, strict=True))
    with tf.GradientTape() as tape:
        logits = model(inputs)
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(answer, logits))
    gradients = tape.gradient(loss, model.trainable_variables)

    with tf.GradientTape() as tape:
        rows = []
        for source, target in zip(inputs["source"].numpy(), inputs["target"].numpy(), strict=True):
            rows.append(plain_logits(model, source[source != PADDING_ID], target))
        plain = tf.stack(rows)
        plain_loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(answer, plain))
    plain_gradients = tape.gradient(plain_loss, model.trainable_variables)

    np.testing.assert_allclose(logits, plain, rtol=1e-4, atol=1e-5)
    for variable, own, expected in zip(model.trainable_variables, gradients, plain_gradients, strict=True):
        own, expected = (tf.convert_to_tensor(each) for each in (own, expected))
        np.testing.assert_allclose(own, expected, rtol=1e-3, atol=1e-4, err_msg=variable.path)

    for reads_tables in (True, False):
        model._reads_tables = reads_tables
        states = model.initial_state(inputs["source"])
        for at in range(model.preprocessor.target_length):
            step, states = model.step(inputs["target"][:, at], states)
            np.testing.assert_allclose(step, logits[:, at], rtol=1e-4, atol=1e-5)


def test_padding_gets_no_attention_and_each_step_shares_out_all_of_it():
    keras.utils.set_random_seed(0)
    attention = GlobalAttention(4)
    outputs, memory = keras.random.normal([2, 3, 4]), keras.random.normal([2, 5, 6])
    mask = tf.constant([[True, True, False, False, False], [False, True, True, True, True]])
    result = attention(outputs, memory, mask)
    again, alignment = attention.attend(outputs, *attention.project(memory), mask)
    np.testing.assert_array_equal(result, again)
    np.testing.assert_allclose(tf.reduce_sum(alignment, axis=2), 1, rtol=1e-6)
    assert not alignment.numpy()[~np.broadcast_to(mask[:, None], alignment.shape)].any()
    other = tf.where(mask[..., None], memory, 7.0)
    np.testing.assert_allclose(attention(outputs, other, mask), result, rtol=1e-6)


@pytest.mark.slow(minutes=1)
def test_xla_and_unrolled_steps_train_as_plain_loops(tmp_path):
    losses = []
    for jit_compile in (True, False):
        keras.utils.set_random_seed(2)
        model = AttentionSeq2Seq.from_pairs(PAIRS, hidden_dim=4, embedding_dim=3, unroll=jit_compile)
        model.compile(keras.optimizers.Adam(0.05), jit_compile=jit_compile)
        losses.append(model.fit(PAIRS, epochs=4, verbose=0, batch_size=len(PAIRS)).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert again.n_best(["abc", "d"], 3) == model.n_best(["abc", "d"], 3)


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow(minutes=1))])
def test_mixed_precision_trains_and_answers(policy):
    keras.utils.set_random_seed(0)
    model = AttentionSeq2Seq.from_pairs(PAIRS, hidden_dim=8, embedding_dim=4, dropout=0.1, dtype=policy, unroll=False)
    model.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    losses = model.fit(PAIRS, epochs=8, verbose=0, batch_size=4).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert len(model.generate(["abc", "d"], beam_size=2)) == 2


def test_vocabularies_may_be_apart_and_sources_of_any_tokens_read():
    pairs = [("abc", "AH B"), ("cab", "B AH")]
    model = AttentionSeq2Seq.from_pairs(pairs, target_split="whitespace", unknown=True, hidden_dim=4)
    assert model.preprocessor == PairPreprocessor.from_pairs(pairs, target_split="whitespace", unknown=True)
    assert model.encoder.vocabulary_size == 6
    assert model.decoder.vocabulary_size == 4
    assert len(model.generate(["abx", "é"])) == 2
    with pytest.raises(ValueError, match="row 2: source is empty"):
        model.generate(["a", ""])
