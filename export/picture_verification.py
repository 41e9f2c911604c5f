"""Verification of exports of models of pictures: that of other models that answer, with pixels in place of ids."""

import numpy as np

from seqzoo.export.comparison import compared
from seqzoo.export.pair_verification import PairVerification
from seqzoo.pipelines.picture_pairs import encoded_picture

_RANDOM_PICTURES = 256
# Any size will do; it is shown in a README.
_EXAMPLE = [[[0.9, 0.2, 0.9], [0.9, 0.1, 0.9]], [[0.9, 2.0, 0.9], [0.9, 0.1, 0.9]]]


class PictureVerification(PairVerification):
    """Compares exports of an `ImageToText`; without data, on random pictures. See `verification_of`."""

    def _random_sources(self):
        shape = self.model.preprocessor.source_shape
        greys = np.random.default_rng(0).integers(0, 256, (_RANDOM_PICTURES, *shape), "uint8")
        return [encoded_picture(grey) for grey in greys]

    def _encoded_request(self, source):
        return {"pixels": {"image": np.array(_EXAMPLE, "float32")}}

    def _compare_encoded(self, run, sources, own):
        pixels = self.model.preprocessor.encode_sources(sources)[0].numpy().astype("float32") / 255
        exported = [text.decode() for text in run("pixels", image=pixels)["answer"]]
        return {"pixels": compared(own, exported, self._gaps_of(sources))}
