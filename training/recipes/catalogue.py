"""The catalogue of recipes, by name."""

import dataclasses
import json

from seqzoo.pipelines import AdditionData, CmudictData, DatesData, HandwrittenNumbersData, TextData
from seqzoo.training.recipes.pairs import PairRecipe
from seqzoo.training.recipes.pictures import ImageRecipe
from seqzoo.training.recipes.texts import TextRecipe

_SUMS = {
    "dataset": AdditionData(digits=3, commute=True, short_sums=3),
    "unknown": False,
    "label_smoothing": 0.05,
    "shards": 1,
}

RECIPES = {
    each.name: each
    for each in (
        PairRecipe("addition_baseline", "Seq2Seq", **_SUMS, epochs=60, learning_rate=6e-3),
        PairRecipe("addition_reverse", "Seq2Seq", **_SUMS, reverse=True, epochs=30, learning_rate=8e-3),
        PairRecipe("addition_peeky", "PeekySeq2Seq", **_SUMS, epochs=30, learning_rate=8e-3),
        PairRecipe(
            "addition_peeky_reverse",
            "PeekySeq2Seq",
            **_SUMS,
            reverse=True,
            hidden_dim=192,
            epochs=50,
            learning_rate=8e-3,
        ),
        # An LSTM, of 128 or 256 units, takes many times as many epochs to find out about five digits.
        PairRecipe(
            "addition_5_digits",
            "PeekySeq2Seq",
            AdditionData(digits=5, short_sums=3),
            reverse=True,
            unknown=False,
            cell="gru",
            hidden_dim=192,
            label_smoothing=0.05,
            epochs=16,
            shards=1,
            learning_rate=5e-3,
        ),
        PairRecipe(
            "dates", "AttentionSeq2Seq", DatesData(), embedding_dim=32, label_smoothing=0.05, dropout=0.1, epochs=10
        ),
        PairRecipe(
            "pronounce_english",
            "AttentionSeq2Seq",
            CmudictData(),
            target_split="whitespace",
            lower_case=True,
            embedding_dim=64,
            hidden_dim=192,
            num_layers=2,
            dropout=0.2,
            label_smoothing=0.1,
            epochs=40,
            buckets=8,
            learning_rate=2e-3,
            beam_size=5,
        ),
        PairRecipe(
            "addition_9_digits",
            "AttentionSeq2Seq",
            AdditionData(digits=9, fresh=True),
            reverse_target=True,
            embedding_dim=32,
            hidden_dim=128,
            epochs=20,
            learning_rate=5e-3,
        ),
        ImageRecipe("read_numbers", HandwrittenNumbersData(), dropout=0.15, epochs=18, shards=1),
        # What to begin with on pairs of one's own: attention, and no fewer steps than it takes to learn.
        PairRecipe(
            "pairs_attention",
            "AttentionSeq2Seq",
            embedding_dim=128,
            hidden_dim=256,
            dropout=0.4,
            label_smoothing=0.1,
            batch_size=64,
            epochs=40,
            min_steps=4_000,
            learning_rate=2e-3,
        ),
        PairRecipe("pairs_baseline", "Seq2Seq"),
        PairRecipe("pairs_peeky_reverse", "PeekySeq2Seq", reverse=True),
        TextRecipe("char_lstm"),
        TextRecipe("char_lstm_pydoc", TextData("pydoc_data.topics"), ascii=True, shards=1),
        TextRecipe(
            "char_lstm_tiny_shakespeare",
            TextData("tiny_shakespeare"),
            hidden_dim=384,
            num_layers=2,
            dropout=0.5,
            epochs=18,
            steps_per_epoch=None,
            learning_rate=4e-3,
            weight_decay=0.05,
        ),
        TextRecipe(
            "word_lstm",
            split="whitespace",
            max_tokens=10_000,
            embedding_dim=256,
            tie_embeddings=True,
            dropout=0.3,
            window=32,
            batch_size=32,
        ),
    )
}


def recipe(name):
    """The recipe of that name.

    Raises:
        ValueError: where there is none.
    """
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}. Choose one of: {', '.join(RECIPES)}")
    return RECIPES[name]


def recipe_found_by_search(path, name):
    """The recipe of that name with the values in the `best.json` of a search."""
    base = recipe(name)
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)["recipe"]
        found = config["name"]
        if found == name:
            return type(base).from_config({**dataclasses.asdict(base), **config})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the best.json of a search: {error}") from None
    raise ValueError(f"{path} is the result of a search over {found}, not over {name}")
