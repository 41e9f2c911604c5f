"""Which tokens of a source an answer was read from, and answers that copy them where a token is unknown."""

import tensorflow as tf

from seqzoo.models.decoding.greedy import greedy_alignment
from seqzoo.pipelines.row_errors import raise_first_error
from seqzoo.pipelines.vocabulary import PADDING_ID, START_ID


def align_strings(model, strings):
    """See `AnsweringModel.align_strings`."""
    source, ids, alignments, errors = _aligned(model, strings)
    answers = _texts(model.preprocessor, ids, alignments, strings)
    is_token = (ids != PADDING_ID)[:, :, None] & model.is_source_token(source)[:, None]
    return answers, _in_reading_order(model.preprocessor, ids, tf.where(is_token, alignments, 0.0)), errors


def align_tokens(model, strings):
    """See `AnsweringModel.align_tokens`; `strings` is one source, `[1]`."""
    source, ids, alignments, errors = _aligned(model, strings)
    raise_first_error(errors, 1)
    preprocessor = model.preprocessor
    answer = _texts(preprocessor, ids, alignments, strings)[0].numpy().decode()
    is_token = ids[0] > START_ID
    written, rows = tf.boolean_mask(ids[0], is_token), tf.boolean_mask(alignments[0], is_token)
    tokens = (
        _texts(preprocessor, written[:, None], rows[:, None], tf.repeat(strings, tf.size(written))).numpy().tolist()
    )
    alignment = _in_reading_order(preprocessor, written[None], rows[None])[0]
    is_read = model.is_source_token(source[:, ::-1] if preprocessor.reverse else source)[0]
    tokens = [token.decode() for token in (tokens[::-1] if preprocessor.reverse_target else tokens)]
    return answer, tokens, tf.boolean_mask(alignment, is_read, axis=1).numpy()


def _aligned(model, strings):
    """`(source, ids, alignments, errors)` of greedy answers, in the order in which the model reads and writes."""
    if not model.attends:
        raise ValueError(
            f"Only a model with attention aligns, such as an AttentionSeq2Seq. Received: {type(model).__name__}"
        )
    source, errors = model.preprocessor.encode_sources(strings)
    states, length = model.initial_state(source), model.preprocessor.target_length
    return source, *greedy_alignment(model.decoder.aligned_step, states, tf.shape(source)[0], length), errors


def _in_reading_order(preprocessor, ids, alignments):
    if preprocessor.reverse:
        alignments = alignments[:, :, ::-1]
    if preprocessor.reverse_target:
        alignments = tf.reverse_sequence(alignments, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), seq_axis=1)
    return alignments


def _texts(preprocessor, ids, alignments, strings):
    """Answers `[batch]` of ids `[batch, length]`, with copies of the sources' tokens that they are aligned with."""
    if not preprocessor.copy_unknown:
        return preprocessor.decode(ids)
    return preprocessor.decode_with_copies(ids, tf.argmax(alignments, axis=-1, output_type=tf.int32), strings)


def copying_texts(model, ids, source, strings, n):
    """Answers that are known as ids, as strings, with tokens of their sources in place of unknown ones.

    Args:
        model: `AnsweringModel` with attention, whose preprocessor has `copy_unknown`.
        ids: int32 `[batch × n, target_length]`, as it writes them; the answers to a source stand side by side.
        source: int32 `[batch, source_length]`, as its preprocessor encodes sources.
        strings: string tensor, `[batch]`, the sources.
        n: int, answers to a source.

    Returns:
        string tensor, `[batch × n]`.
    """
    preprocessor = model.preprocessor

    def copied():
        places = _attended_places(model.decoder.aligned_step, model.initial_state(source), ids, n)
        return preprocessor.decode_with_copies(ids, places, tf.repeat(strings, n))

    is_unknown = ids == preprocessor.target_vocabulary.unknown_id
    return tf.cond(tf.reduce_any(is_unknown), copied, lambda: preprocessor.decode(ids))


def _attended_places(aligned_step, states, ids, n=1):
    """Which token of the source each token of answers was read from most, of answers that are known.

    Args:
        aligned_step: `AttentionDecoder.aligned_step`.
        states: what the first step takes, of one answer for each source.
        ids: int32 `[batch × n, length]`, see `copying_texts`.
        n: int, answers to a source.

    Returns:
        int32 `[batch × n, length]`, places in the encoded source.
    """
    length = ids.shape[1]
    before = tf.concat([tf.fill([tf.shape(ids)[0], 1], START_ID), ids[:, :-1]], axis=1)

    def step(position, states, places):
        _, alignment, states = aligned_step(before[:, position], states, n)
        return position + 1, states, places.write(position, tf.argmax(alignment, axis=-1, output_type=tf.int32))

    layers = tf.nest.map_structure(lambda state: tf.repeat(state, n, axis=0), states["layers"])
    state = 0, {**states, "layers": layers}, tf.TensorArray(tf.int32, length, element_shape=[None])
    return tf.transpose(tf.while_loop(lambda position, *_: position < length, step, state)[-1].stack())
