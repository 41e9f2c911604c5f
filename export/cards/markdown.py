"""A model card as a page to read, in Markdown."""

import shlex

from seqzoo.export.cards.known_data import known_data
from seqzoo.export.cards.metadata import front_matter

_LENGTH_ROWS = 10


def card_page(card):
    """The Markdown of a card; see `seqzoo.export.cards.content.make_card` for what is in it."""
    is_text = card["task"] == "text"
    purpose, limits = _about(card, is_text)
    parts = [
        front_matter(card),
        f"# {card['preset']}",
        purpose,
        f"**Not for:** {limits}",
        _usage(card, is_text),
        "## Figures",
        *(_text_figures(card) if is_text else _pair_figures(card)),
        *_quantised(card),
        f"![{card['curve_label']} after each epoch](curve.png)",
        f"The curve shows {card['curve_label']}; its last value is {card['curve'][-1]:.4f}.",
        "## Example outputs",
        *(_written(card) if is_text else [_answers(card["examples"])]),
        *_smoothed(card),
        "## Training",
        _made(card),
        "## Files",
        _table(("file", "KiB"), [(f"`{name}`", f"{size / 1024:,.1f}") for name, size in card["bytes"].items()]),
        "## Signatures",
        *_signatures(card),
        *_licences(card),
        "`card.json` holds the same figures and more.",
    ]
    return "\n\n".join(parts) + "\n"


def _about(card, is_text):
    kind = card["model"]
    cell = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "simple RNN"}[card["recipe"]["cell"]]
    size = f"{card['recipe']['num_layers']} × {card['recipe']['hidden_dim']} {cell}, {card['parameters']:,} parameters"
    known = known_data(card["data"]["source"])
    if is_text:
        does = known.does if known else f"Writes text in the manner of the text {card['data']['name']}"
        limits = known.limits if known else ""
        return f"{does} ({kind}, {size}).", f"facts, advice, or anything that has to be right. {limits}".strip()
    if known is None:
        return (
            f"Answers strings as in the pairs of {card['data']['name']} ({kind}, {size}).",
            "sources of another kind than its training data: it answers them too, without a sign that it guesses.",
        )
    example = {"digits": card.get("digits"), **card["examples"][-1]}
    learnt = " It learnt this from examples alone; no rule of arithmetic is in it." if "digits" in card else ""
    return f"{known.does.format(**example)} ({kind}, {size}).{learnt}", known.limits.format(**example)


def _usage(card, is_text):
    # By its name a model answers that ships; this one may be of other data.
    name = card["preset"] if card["data"]["source"] and card["command"] else "DIR/model.keras"
    if is_text:
        return f'```\nseqzoo sample {name} --prompt "The " --length 300 --temperature 0.7\n```'
    source = "picture.png" if card["task"] == "pictures" else card["examples"][-1]["source"]
    return f"```\nseqzoo generate {name} {shlex.quote(source)}\n```"


def _pair_figures(card):
    held_out = card["held_out"]
    rows = held_out["rows"]
    sources = held_out.get("sources", rows)
    evaluated = f"{rows:,} rows" if sources == rows else f"{sources:,} sources ({rows:,} pairs)"
    errors = f" The token error rate is {held_out['token_error_rate']:.3%}." if "token_error_rate" in held_out else ""
    yield (
        f"Held-out accuracy: **{held_out['exact_match']:.2%}** of {evaluated} match exactly, "
        f"{_wrong(sources, held_out['exact_match']):,} do not; {_unit_written(card)} accuracy is "
        f"{held_out['character_accuracy']:.3%}, each answer's end included.{errors}"
    )
    if beam := card.get("beam"):
        yield (
            f"With a beam of {beam['beam_size']}, as the SavedModel answers, **{beam['exact_match']:.2%}** match "
            f"exactly; the token error rate is {beam['token_error_rate']:.3%}."
        )
    if choices := card.get("validation"):
        yield (
            "These are test rows, on which nothing was chosen. On the rows that were held out for choices, "
            f"{choices['exact_match']:.2%} of {choices['sources']:,} sources match exactly."
        )
    yield from _errors(card.get("errors"), "caption" if card["task"] == "pictures" else "source")
    if "sums" not in card:
        return
    sums, digits = card["sums"], card["digits"]
    if sums["all"]:
        yield f"Errors on **all {sums['rows']:,} inputs** of up to {digits} digits: **{sums['errors']:,}**."
    for key, title in (("by_digits", "digits of the operands"), ("by_carries", "columns that carry")):
        rows = [(name, f"{each['rows']:,}", f"{each['errors']:,}") for name, each in sums[key].items()]
        yield _table((title, "sums", "errors"), rows)
    outside = card["outside"]
    longest = outside["longest"]
    yield (
        f"**Outside the training distribution**, with one operand of {digits + 1} digits and the other of up to "
        f"{digits - 1}, {outside['exact_match']:.1%} of {outside['rows']:,} random sums are right. Longer sources are "
        f"refused: `{longest['source']}` leads to `{longest['answer']}`."
    )
    if outside["wrong"]:
        yield _answers(outside["wrong"])


def _unit_written(card):
    """What an answer is made of."""
    recipe = card["recipe"]
    return "character" if "characters" in (recipe.get("target_split"), recipe.get("split")) else "token"


def _errors(errors, side):
    if not (errors and errors["confusions"]):
        return
    yield _table((f"tokens of the {side}", "sources", "wrong", ""), _by_length(errors["by_length"]))
    rows = [
        (
            f"`{each['target']}`" if each["target"] else "nothing",
            f"`{each['answer']}`" if each["answer"] else "nothing",
            f"{each['count']:,}",
        )
        for each in errors["confusions"]
    ]
    yield "The most frequent errors, in wrong answers beside the nearest right one:"
    yield _table(("right", "written", "times"), rows)


def _by_length(by_length):
    """Rows of sources of similar lengths, at most ten; the keys are numbers, or texts where JSON was read."""
    by_length = {int(length): each for length, each in by_length.items()}
    width = -(-max(by_length) // _LENGTH_ROWS)
    for first in range(1, max(by_length) + 1, width):
        lengths = [length for length in range(first, first + width) if length in by_length]
        if lengths:
            sources, wrong = (sum(by_length[length][name] for length in lengths) for name in ("sources", "errors"))
            shown = str(first) if width == 1 else f"{first} to {first + width - 1}"
            yield shown, f"{sources:,}", f"{wrong:,}", f"{wrong / sources:.1%}"


def _text_figures(card):
    held_out = card["held_out"]
    unit = "character" if card["recipe"]["split"] == "characters" else "word"
    figures = [held_out, card["blocks"]]
    yield _table(
        (
            f"{held_out['tokens']:,} {unit}s held out",
            f"each {unit} with all of the text before it",
            f"in blocks of {card['blocks']['block']} {unit}s, each without the text before it",
        ),
        [
            (f"nats per {unit}", *(f"**{each['nats_per_token']:.4f}**" for each in figures)),
            (f"bits per {unit}", *(f"{each['bits_per_token']:.4f}" for each in figures)),
            ("perplexity", *(f"{each['perplexity']:.3f}" for each in figures)),
            (f"most probable {unit} is right", *(f"{each['accuracy']:.2%}" for each in figures)),
        ],
    )
    if card["data"]["source"] == "tiny_shakespeare":
        yield (
            "For comparison: nanoGPT's published figure for the same characters in blocks of 256 is 1.4697 nats per "
            "character, from three minutes on an A100 (its [repository](https://github.com/karpathy/nanoGPT)), "
            "estimated on blocks drawn at random."
        )


def _smoothed(card):
    if share := card["recipe"].get("label_smoothing"):
        yield (
            f"The probabilities are not calibrated: the model was trained with a label smoothing of {share}, so that "
            f"the most probable {_unit_written(card)} has a probability of about {1 - share:.0%} at most."
        )


def _quantised(card):
    if not card["litert"]:
        return
    first = next(iter(card["litert"].values()))
    metric = first["score"]["metric"]
    is_share = metric == "exact_match"
    # The share is one of sources, of which the held-out ones may have several rows; all sums have one each.
    sources, held_out = first["rows"], card["held_out"]
    if sources == held_out.get("rows"):
        sources = held_out.get("sources", sources)
    rows = []
    for name, each in card["litert"].items():
        score = each["score"]["export"]
        shown = f"{score:.4%} ({_wrong(sources, score):,} errors)" if is_share else f"{score:.4f}"
        rows.append((name, f"{each['bytes'] / 1024:,.0f}", shown, f"{each['equal']:,} of {each['rows']:,}"))
    title = "exact match" if is_share else "nats per token"
    yield _table(("LiteRT weights", "KiB", title, "equal to the float32 model"), rows)
    yield (
        f"Measured on {'' if is_share else 'the first '}{first['rows']:,} "
        f"{'answers' if is_share else 'tokens of the text held out, to compare the rows with each other'}; the "
        f"float32 model itself has {first['score']['model']:{'.4%' if is_share else '.4f'}}. `model.tflite` keeps its "
        "weights in float16."
    )


def _wrong(rows, share_right):
    return round(rows * (1 - share_right))


def _answers(examples):
    rows = [
        (
            f"![]({each['source']})" if _is_picture(each["source"]) else f"`{each['source']}`",
            f"`{each['answer']}`",
            "right" if each["answer"] == each["target"] else f"wrong: `{each['target']}`",
        )
        for each in examples
    ]
    return _table(("source", "answer", ""), rows)


def _is_picture(source):
    return source.startswith("data:image/")


def _written(card):
    for each in card["examples"]:
        start = (
            f"after {each['prompt']!r}, where the text held out begins" if each["prompt"] else "from a text's beginning"
        )
        yield f"`{each['sampler']}`, seed {each['seed']}, {start}:"
        yield f"```\n{each['text']}\n```"


def _made(card):
    data = card["data"]
    digest = data.get("sha256") or data["train_sha256"]
    unit = "tokens" if "train_tokens" in data else "rows"
    sizes = f"{data[f'train_{unit}']:,} {unit} to train on, {data[f'held_out_{unit}']:,} held out"
    sizes += f", {data['test_rows']:,} to test" if "test_rows" in data else ""
    note = ""
    if data["source"] not in (None, data["name"]):
        note = f"; without `--data` TFDS downloads {data['source']}"
    recipe = {key: value for key, value in card["recipe"].items() if key not in ("name", "model", "dataset")}
    recipe |= card["recipe"]["dataset"] or {}
    rows = [
        (
            "command",
            f"`{card['command']}`" if card["command"] else "none: a variant of the recipe, trained from Python",
        ),
        ("seed", str(card["seed"])),
        ("data", f"{data['name']}: {sizes}{note}"),
        ("its SHA-256", f"`{digest}`"),
        ("SHA-256 of the weights", f"`{card['weights_sha256']}`"),
        ("CPU time of the training", f"{card['cpu_minutes']} minutes"),
        ("versions", ", ".join(f"{name} {version}" for name, version in card["versions"].items())),
        ("recipe", ", ".join(f"{key} {value}" for key, value in recipe.items())),
    ]
    simd = card["simd"][-1] if card["simd"] else "no"
    return (
        _table(("", ""), rows)
        + f"\n\nThe command reproduces the weights, byte for byte, with the same versions on the same kind of "
        f"processor (this one had {simd} instructions and {card['processors']} cores; above 256 units their number "
        "counts too); on another one the last digits differ, and with them the weights."
    )


def _licences(card):
    if known := known_data(card["data"]["source"]):
        yield "## Licences"
        yield (
            f"The weights are under the Apache License 2.0. The data are {known.origin}; their licence is "
            f"{known.licence}. {known.notice}".strip()
        )


def _signatures(card):
    for kind, signatures in card["signatures"].items():
        title = {
            "saved_model": "SavedModel `1/`",
            "litert": "LiteRT `model.tflite` (texts as code points, 0 after their end; pictures from 0, black, to 1)"
            if card["task"] == "pictures"
            else "LiteRT `model.tflite` (texts as code points, 0 after their end)",
        }
        rows = [
            (f"`{name}`", _named(each["inputs"]) or "–", _named(each["outputs"])) for name, each in signatures.items()
        ]
        yield _table((title[kind], "inputs", "outputs"), rows)


def _named(tensors):
    return ", ".join(f"`{name}` {kind}" for name, kind in tensors.items())


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
