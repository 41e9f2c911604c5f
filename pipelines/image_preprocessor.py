"""Everything between a (picture, caption) pair and the numbers that a model of pictures reads."""

import keras
import tensorflow as tf

from seqzoo.pipelines.answer_preprocessor import AnswerPreprocessor
from seqzoo.pipelines.pair_batches import smallest_dtype
from seqzoo.pipelines.pairs import decoded
from seqzoo.pipelines.picture_pairs import as_picture_pairs
from seqzoo.pipelines.pictures import MAX_SIDE, decoded_pictures, grey_pictures
from seqzoo.pipelines.vocabulary import Vocabulary, split_tokens


@keras.saving.register_keras_serializable("seqzoo")
class ImagePreprocessor(AnswerPreprocessor):
    """Turns pairs of a picture and its caption into batches, and ids back into captions.

    A picture is the bytes of a PNG or JPEG file, of any size and mode: it is made grey, with white behind what is
    transparent, and scaled to fit `height` and `width`, its sides in proportion; what is left of the frame is filled
    with the mean grey of its border. All methods but `from_pairs` are TensorFlow operations on whole batches.

    Args:
        vocabulary: `Vocabulary` of the captions.
        height: int, pixels.
        width: int, pixels.
        target_length: int, tokens. Captions are padded to it; a longer one is an error.
        mean_target_length: float, see `PairPreprocessor`; or `None`.

    Raises:
        ValueError: for a length below 1, or a height or width that is not from 1 to 4,096.

    Example:
        >>> preprocessor = ImagePreprocessor(Vocabulary(["seven"], "whitespace"), height=2, width=3, target_length=2)
        >>> white = tf.io.encode_png(tf.fill([2, 3, 1], tf.constant(255, tf.uint8)))
        >>> inputs, answer = preprocessor([white], ["seven"])
        >>> inputs["source"].numpy().tolist(), inputs["target"].numpy().tolist(), answer.numpy().tolist()
        ([[[255, 255, 255], [255, 255, 255]]], [[1, 2]], [[2, 0]])
    """

    reads_text = False
    source_dtype = tf.uint8
    source_name = "image"

    def __init__(self, vocabulary, height, width, target_length, mean_target_length=None):
        if target_length < 1:
            raise ValueError(f"target_length must be at least 1. Received: target_length={target_length}")
        if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
            raise ValueError(f"height and width must be from 1 to {MAX_SIDE:,}. Received: {height=}, {width=}")
        sizes = {"height": int(height), "width": int(width), "target_length": int(target_length)}
        super().__init__(vocabulary, **sizes, mean_target_length=mean_target_length)
        self.source_vocabulary = None

    @property
    def source_shape(self):
        """The shape of an encoded source, `(height, width)`."""
        return self.height, self.width

    @classmethod
    def from_pairs(cls, pairs, height, width, target_split="whitespace"):
        """A preprocessor for captions: their tokens, and the longest one as length.

        Args:
            pairs: pairs of pictures and captions in any form that `fit` takes. A `tf.data.Dataset` is read once, in
                constant memory.
            height: see the class.
            width: see the class.
            target_split: what a token of a caption is, see `Vocabulary`.

        Raises:
            ValueError: without any pair, or for a caption that is empty or not valid UTF-8.
        """
        tokens, longest, count, rows = set(), 0, 0, 0
        for _, caption in decoded(as_picture_pairs(pairs), text_sources=False):
            rows += 1
            split = split_tokens(caption, target_split)
            if not split:
                raise ValueError(f"Pair {rows} has an empty caption.")
            tokens.update(split)
            longest = max(longest, len(split))
            count += len(split) + 1
        if not rows:
            raise ValueError("There are no pairs. Received an empty dataset.")
        # As of `RowLengths`: the longest caption has no room for its end.
        return cls(Vocabulary(tokens, target_split), height, width, longest, min(count / rows, longest))

    def encode_sources(self, strings):
        """Pictures as the model reads them.

        Args:
            strings: string tensor, `[batch]`, the bytes of PNG or JPEG files.

        Returns:
            `(pixels, errors)`: uint8 `[batch, height, width]` from 0, black, to 255; and string `[batch]`, `""` where
            the picture is fine, else what is wrong with it. A wrong row never affects its neighbours.
        """
        return decoded_pictures(strings, self.height, self.width)

    def encode_pixels(self, pixels):
        """Grey pictures that have been read already.

        Args:
            pixels: float32 `[batch, height, width]` of any height and width, from 0, black, to 1.

        Returns:
            `(pixels, errors)` as in `encode_sources`.
        """
        return grey_pictures(pixels, self.height, self.width)

    def as_pairs(self, pairs):
        """Pairs of pictures and captions in any form that `fit` takes; see `AnswerPreprocessor`."""
        return as_picture_pairs(pairs)

    def stored_dtypes(self):
        """The types that hold an encoded source and an encoded target."""
        return tf.uint8, smallest_dtype(self.target_vocabulary.size)

    def read(self, path, check=True, separator=None):
        """Not from a file: pairs of pictures have no file format here."""
        raise ValueError(
            "Pictures and captions are read in Python, as (picture, caption) pairs for model.fit and "
            f"seqzoo.training.evaluate: name no file. Received: {str(path)!r}"
        )

    def _reads_as(self):
        return {**super()._reads_as(), "mean_target_length": None}
