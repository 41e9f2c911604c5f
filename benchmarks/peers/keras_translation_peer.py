"""The recipe of keras.io's `lstm_seq2seq` for the rows of `examples/translate.py`, with the same scores.

    python benchmarks/peers/keras_translation_peer.py FILE [--epochs N] [--output DIR]

Characters, one LSTM of 256 units that reads the source and one that writes the answer from its states, no attention,
RMSprop and batches of 64, as in https://keras.io/examples/nlp/lstm_seq2seq; rows are padded with spaces, which are
learnt like other characters. Unlike there, all rows but the held-out ones are trained on, not the first 10,000, so that
16 epochs are the updates of 100 epochs there; a batch has rows of similar length, and is padded to the longest of its
group, not of all rows; and batches are encoded when they are needed. A run that was interrupted continues.
"""

import argparse
import pathlib
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import seqzoo

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples"))
import translate

_UNITS = 256
_BATCH_SIZE = 64
_LENGTHS = [24, 32, 40, 56]  # Of targets; longer ones are a group, too.
_START, _END, _PADDING = "\t\n "


class Characters:
    """The characters of one side, sorted, and the length of its longest row."""

    def __init__(self, texts):
        self.characters = sorted({_PADDING, *(character for text in texts for character in text)})
        self.length = max(map(len, texts))
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    def encode(self, texts):
        """Numbers `[rows, length]`, uint8; -1, as 255, for what training lacks, which no one-hot vector stands for."""
        padded = (text[: self.length].ljust(self.length, _PADDING) for text in texts)
        return np.array([[self._numbers.get(each, -1) for each in row] for row in padded], "int16").astype("uint8")

    def one_hot(self, numbers):
        """Float32 `[…, characters]`."""
        return tf.one_hot(tf.cast(numbers, tf.int32), len(self.characters))


def models(source_size, target_size):
    """`(model, encoder, decoder)`: what is trained; and its parts, a source's states and one step of an answer."""
    layers = keras.layers
    source, target = keras.Input((None, source_size)), keras.Input((None, target_size))
    states = layers.LSTM(_UNITS, return_state=True)(source)[1:]
    lstm, dense = layers.LSTM(_UNITS, return_sequences=True, return_state=True), layers.Dense(target_size, "softmax")
    model = keras.Model([source, target], dense(lstm(target, initial_state=states)[0]))
    before = [keras.Input((_UNITS,)) for _ in range(2)]
    outputs, *after = lstm(target, initial_state=before)
    return model, keras.Model(source, states), keras.Model([target, *before], [dense(outputs), *after])


def answer(encoder, decoder, sources, targets, texts):
    """The most probable character at each step, until an end of line."""
    states = encoder(sources.one_hot(sources.encode(texts)))
    step = tf.function(lambda character, *states: decoder([targets.one_hot(character), *states]))
    start, end = (targets.encode([text])[0, 0] for text in (_START, _END))
    character, answers = tf.fill([len(texts), 1], tf.constant(start, tf.int32)), []
    for _ in range(targets.length):
        probabilities, *states = step(character, *states)
        character = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        answers.append(character[:, 0].numpy())
        if np.all(np.any(np.array(answers) == end, axis=0)):
            break
    rows = ("".join(targets.characters[number] for number in row) for row in np.transpose(answers))
    return [row.partition(_END)[0].strip() for row in rows]


def main():
    """Trains, or continues to train, and scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--output", default="keras_translation")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    pairs, test = seqzoo.pipelines.hold_out(translate.read_sentences(options.file), seed=1)
    pairs = [(source.decode(), f"{_START}{target.decode()}{_END}") for source, target in pairs.as_numpy_iterator()]
    sources, targets = map(Characters, zip(*pairs, strict=True))
    numbers = [side.encode(texts) for side, texts in zip((sources, targets), zip(*pairs, strict=True), strict=True)]
    padding = targets.encode([_PADDING])[0, 0]

    def unpadded(source, target):
        return source, target[: tf.where(target != padding)[-1, 0] + 1]

    def batch(source, target):
        following = tf.pad(target[:, 1:], [(0, 0), (0, 1)], constant_values=padding)
        return (sources.one_hot(source), targets.one_hot(target)), targets.one_hot(following)

    rows = tf.data.Dataset.from_tensor_slices(tuple(numbers)).shuffle(len(pairs), seed=0)
    limits = [length + 1 for length in _LENGTHS] + [targets.length + 1]
    batches = rows.map(unpadded).bucket_by_sequence_length(
        lambda source, target: tf.size(target),
        limits,
        [_BATCH_SIZE] * (len(limits) + 1),
        padding_values=padding,
        pad_to_bucket_boundary=True,
    )
    batches = batches.map(batch).prefetch(2)
    model, encoder, decoder = models(len(sources.characters), len(targets.characters))
    model.compile("rmsprop", "categorical_crossentropy")
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    callbacks = [keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False)]
    model.fit(batches, epochs=options.epochs, verbose=2, callbacks=callbacks)
    model.save(folder / "model.keras")
    print(f"{(time.process_time() - began) / 60:.0f} min of CPU time in this process")
    references = seqzoo.pipelines.alternatives(test)
    answers = answer(encoder, decoder, sources, targets, list(references))
    chrf, bleu = translate.scores(answers, list(references.values()))
    print(f"{len(answers):,} sentences after {options.epochs} epochs: {chrf:.1f} chrF, {bleu:.1f} BLEU")


if __name__ == "__main__":
    main()
