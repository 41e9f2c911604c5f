"""The vocabularies of either side of a model, whatever it is."""


def vocabularies(model):
    """`(read, written)`: the vocabulary of what a model reads, and that of what it writes."""
    preprocessor = model.preprocessor
    sides = ("source_vocabulary", "target_vocabulary")  # Of pairs; a text has one vocabulary.
    return tuple(getattr(preprocessor, side, preprocessor.vocabulary) for side in sides)
