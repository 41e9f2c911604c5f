"""The attention model of Keras' stock layers, as its examples train one: all rows padded to the longest, and `fit`."""

import keras
import numpy as np
import words

_BATCH_SIZE = 128


class Words:
    """An attention model and its training; arguments as of seqzoo's side. Its loss has no smoothed labels."""

    def __init__(self, everything, training, asked, hidden_dim=256, embedding_dim=128, dropout=0.3, seed=0):
        keras.utils.set_random_seed(seed)
        vocabularies = words.Vocabularies.of(everything)
        sources, answers = vocabularies.encode(training)
        whole = len(sources) // _BATCH_SIZE * _BATCH_SIZE  # As the other sides: batches that are full.
        self.sources, self.answers = sources[:whole], answers[:whole]
        start = np.full((whole, 1), words.START)
        self.targets = np.concatenate([start, self.answers[:, :-1]], axis=1)
        self.model = _model(*vocabularies.sizes, hidden_dim, embedding_dim, dropout)
        optimizer = keras.optimizers.Adam(2e-3, global_clipnorm=5.0)
        # After an answer's end nothing counts: the mask of the decoder's inputs.
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer, loss, jit_compile="auto")

    def parameters(self):
        """Their number."""
        return self.model.count_params()

    def epoch(self):
        """Trains on all rows once."""
        self.model.fit([self.sources, self.targets], self.answers, batch_size=_BATCH_SIZE, verbose=0)


def _model(source_size, target_size, units, embedding_dim, dropout):
    layers = keras.layers
    source, target = (keras.Input((None,), dtype="int32") for _ in range(2))
    x = layers.Dropout(dropout)(layers.Embedding(source_size, embedding_dim, mask_zero=True)(source))
    encoder = layers.Bidirectional(layers.LSTM(units, return_sequences=True, return_state=True))
    memory, h, c, backward_h, backward_c = encoder(x)
    memory = layers.Dropout(dropout)(memory)
    hidden = layers.Dense(units, "tanh")(layers.Concatenate()([h, backward_h]))
    cell = layers.Dense(units)(layers.Concatenate()([c, backward_c]))
    y = layers.Dropout(dropout)(layers.Embedding(target_size, embedding_dim, mask_zero=True)(target))
    outputs = layers.LSTM(units, return_sequences=True)(y, initial_state=[hidden, cell])
    outputs = layers.Dropout(dropout)(outputs)
    key, value = (layers.Dense(units, use_bias=False)(memory) for _ in range(2))
    context = layers.Attention()([outputs, value, key])
    read = layers.Activation("tanh")(layers.Add()([layers.Dense(units)(outputs), context]))
    return keras.Model([source, target], layers.Dense(target_size)(layers.Dropout(dropout)(read)))
