"""Plain Keras, as its example `addition_rnn` builds a model of sums: one-hot inputs, the state repeated, softmax.

https://keras.io/examples/nlp/addition_rnn/
"""

import keras
import numpy as np
import rows

_BATCH_SIZE = 128


class Sums:
    """The example's model, with this table's sizes, and its training."""

    def __init__(self, training, hidden_dim=128, seed=0):
        keras.utils.set_random_seed(seed)
        ones = np.eye(rows.VOCABULARY_SIZE, dtype=bool)
        source, target = rows.read(training)
        whole = len(source) // _BATCH_SIZE * _BATCH_SIZE  # As the other sides: batches that are full.
        self.source, self.target = ones[source[:whole]], ones[target[:whole]]
        self.model = keras.Sequential(
            [
                keras.Input((rows.SOURCE_LENGTH, rows.VOCABULARY_SIZE)),
                keras.layers.LSTM(hidden_dim),
                keras.layers.RepeatVector(rows.TARGET_LENGTH),
                keras.layers.LSTM(hidden_dim, return_sequences=True),
                keras.layers.Dense(rows.VOCABULARY_SIZE, activation="softmax"),
            ]
        )
        self.model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

    def parameters(self):
        """Their number."""
        return self.model.count_params()

    def epoch(self):
        """Trains on all rows once."""
        self.model.fit(self.source, self.target, batch_size=_BATCH_SIZE, verbose=0)
