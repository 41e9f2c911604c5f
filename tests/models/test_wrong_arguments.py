"""Arguments that a model does not have: Keras would pass over them."""

import pytest

from seqzoo.models import AttentionSeq2Seq, ImageToText, LanguageModel, PeekySeq2Seq
from seqzoo.pipelines.picture_pairs import encoded_picture


@pytest.mark.parametrize("model", [AttentionSeq2Seq, PeekySeq2Seq])
def test_models_of_pairs_refuse_unknown_arguments(model):
    with pytest.raises(TypeError, match=f"{model.__name__} has no argument 'hidden_dims'"):
        model.from_pairs([("ab", "c")], hidden_dims=8)


def test_other_models_refuse_unknown_arguments():
    with pytest.raises(TypeError, match="LanguageModel has no argument 'units'"):
        LanguageModel.from_text("some text", units=8)
    pairs = [(encoded_picture([[0.5]]), "grey")]
    with pytest.raises(TypeError, match="ImageToText has no argument 'units'"):
        ImageToText.from_pairs(pairs, 8, 8, units=8)


def test_names_are_arguments():
    assert AttentionSeq2Seq.from_pairs([("ab", "c")], hidden_dim=4, name="mine", trainable=False).name == "mine"
