"""A card's metadata, as hubs of models read them: the front matter of its page, in YAML."""

import json

from seqzoo.export.cards.known_data import known_data

_PIPELINES = {"text": "text-generation", "pairs": "text-generation", "pictures": "image-to-text"}
"""By a model's task the hub's, https://huggingface.co/tasks: string to string is a kind of `text-generation`."""


def front_matter(card):
    """The lines above a card's page; see `metadata`. Each value is JSON, which YAML contains."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in metadata(card).items()]
    return "\n".join(["---", *lines, "---"])


def metadata(card):
    """The metadata of a model, by the keys of https://github.com/huggingface/hub-docs/blob/main/modelcard.md.

    Args:
        card: see `seqzoo.export.cards.content.make_card`.

    Returns:
        A dictionary of what JSON holds. The licence is that of the weights; models of users' data have none.
    """
    known = known_data(card["data"]["source"])
    name, _, config = (card["data"]["source"] or card["data"]["name"]).partition("/")
    split = "test" if known and card["task"] != "text" else "validation"
    pipeline, metrics = _PIPELINES[card["task"]], _metrics(card)
    data = {"type": name, "name": card["data"]["name"], "split": split} | ({"config": config} if config else {})
    result = {"task": {"type": pipeline}, "dataset": data, "metrics": metrics}
    return {
        **({"license": "apache-2.0"} if known else {}),
        "library_name": "seqzoo",
        "pipeline_tag": pipeline,
        "tags": [
            "keras",
            "tensorflow",
            *(["tflite"] if card["litert"] else []),
            *(["seq2seq"] if card["task"] != "text" else []),
        ],
        "datasets": [name],
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": card["preset"], "results": [result]}],
    }


def _metrics(card):
    """Shares are from 0 to 1."""
    held_out = card["held_out"]
    if card["task"] == "text":
        return [
            {"type": "perplexity", "name": "Perplexity per token", "value": held_out["perplexity"]},
            {"type": "accuracy", "name": "Accuracy per token", "value": held_out["accuracy"]},
        ]
    metrics = [{"type": "exact_match", "name": "Exact match", "value": held_out["exact_match"]}]
    if "token_error_rate" in held_out:
        kind = "cer" if card["recipe"].get("target_split") == "characters" else "wer"
        metrics.append({"type": kind, "name": "Token error rate", "value": held_out["token_error_rate"]})
    return metrics
