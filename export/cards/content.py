"""A model card's content: what a preset is, how it was made, and what it was measured to do."""

import csv
import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import platform
import shlex

import numpy as np
import tensorflow as tf

from seqzoo.models import Greedy, Temperature
from seqzoo.pipelines import as_pairs, digits_of_sums
from seqzoo.pipelines.pairs import decoded
from seqzoo.runtime import processors
from seqzoo.training import RECIPES, evaluate, evaluate_sums
from seqzoo.training.evaluation.errors import error_analysis
from seqzoo.training.evaluation.sums import MAX_EXHAUSTIVE_DIGITS, score_sums

_PACKAGES = ("seqzoo", "tensorflow", "keras", "tensorflow-datasets", "numpy", "ai-edge-litert")
# karpathy/char-rnn's data/tinyshakespeare/input.txt, which TFDS' tiny_shakespeare is made of.
_TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_OUTSIDE_ROWS = 1_000
_WRONG_SHOWN = 500
_EXCERPT, _START = 400, 20
_BLOCK = 256  # That of nanoGPT.


def make_card(recipe, model, folder, training, metrics, data, measured, quantized, seed=0, data_file=None):
    """Measures a preset and describes how it was made.

    Args:
        recipe: `PairRecipe`, `ImageRecipe` or `TextRecipe`, without a data set of its own if it was trained on a file.
        model: the trained model.
        folder: what ships: files and SavedModel `1/`, of which sizes and signatures are taken.
        training: the run's folder; see `seqzoo.training.train`.
        metrics: that run's metrics, on the data held out.
        data: `(training, held_out, tested)`, see the recipe's `training_data` and `test_data`.
        measured: the verification of the model on the rows that its exports were scored on.
        quantized: dictionary from each way of keeping LiteRT weights to the report of `litert`; empty for none.
        seed: int, the run's.
        data_file: file name, or `None` where the data are the recipe's own.

    Returns:
        A dictionary of what JSON holds. `command` is `None` for a variant of a recipe, which no command makes; weights
        depend on `simd`, the processor's vector instructions, and above 256 units on `processors`; `data` has the
        `source`, the name of known data or `None`; `sums` are all of them up to 3 digits, else those held out;
        `held_out` are figures on rows that no choice was made on, if there are such: `validation` are those on the
        rows that were held out for choices then, else `None`; `beam` those of answers found with the preset's beam, or
        `None`; `errors` are what `error_analysis` returns; `outside` are sums with one operand of a digit more;
        `excerpt` is the beginning of a text held out; `blocks` are the figures of blocks of it, each read without what
        stands before it.
    """
    name = pathlib.Path(data_file).name if data_file else None
    source = recipe.data_name if data_file is None else None
    if metrics.get("data_sha256") == _TINY_SHAKESPEARE:
        source = "tiny_shakespeare"
    with open(training / "history.csv", encoding="utf-8") as file:
        curve = [float(row[recipe.metric]) for row in csv.DictReader(file)]
    tested = data[2]
    facts, choices = _data_facts(*data, metrics), None
    if "test_rows" in facts:
        choices, metrics = _selected(metrics), {**metrics, **evaluate(model, tested)}
    is_variant = recipe.name not in RECIPES or recipe != RECIPES[recipe.name].for_data(data_file)
    return {
        "preset": recipe.name,
        "model": type(model).__name__,
        "task": model.task,
        "command": None if is_variant else _command(recipe, name, seed),
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            **{each: importlib.metadata.version(each) for each in _PACKAGES},
        },
        "simd": np.show_config(mode="dicts")["SIMD Extensions"].get("found", []),
        "processors": processors(),
        "cpu_minutes": round(metrics["cpu_seconds"]["total"] / 60, 1),
        "wall_minutes": round(metrics["wall_seconds"] / 60, 1),
        "data": {"name": name or recipe.data_name, "source": source, **facts},
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),  # Lists, as they are read back.
        "parameters": model.count_params(),
        "weights_sha256": weights_sha256(model),
        "bytes": {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        "held_out": _selected(metrics),
        "validation": choices,
        "beam": _with_beam(model, tested, recipe.beam_size),
        "curve_label": recipe.metric_label,
        "curve": curve,
        "litert": {
            name: {key: report[key] for key in ("bytes", "rows", "equal", "score")}
            for name, report in quantized.items()
        },
        **_FIGURES[model.task](model, tested, metrics, source, measured),
        "signatures": _signatures(folder),
    }


def _command(recipe, data, seed):
    parts = ["seqzoo", "build", recipe.name, "--output", "DIR"]
    return shlex.join(parts + ["--data", data] * bool(data) + ["--seed", str(seed)] * bool(seed))


_HELD_OUT = (
    "rows", "sources", "exact_match", "token_error_rate", "character_accuracy",
    "tokens", "nats_per_token", "bits_per_token", "perplexity", "accuracy",
)  # fmt: skip


def weights_sha256(model):
    """The SHA-256 of all weights' bytes, little-endian, in the order of `model.weights`."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, weight.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _selected(metrics):
    return {key: value for key, value in metrics.items() if key in _HELD_OUT}


def _with_beam(model, pairs, beam_size):
    """The figures of answers found with a beam; `None` where the preset's are greedy."""
    if beam_size == 1:
        return None
    return {"beam_size": beam_size, **_selected(evaluate(model, pairs, beam_size=beam_size))}


def _data_facts(training, held_out, tested, metrics):
    """The size of each part and the SHA-256 of the text, or of a part's lines; no `test` that is what is held out."""
    if "data_sha256" in metrics:
        return {"train_tokens": len(training), "held_out_tokens": len(held_out), "sha256": metrics["data_sha256"]}
    facts = {}
    for name, pairs in (("train", training), ("held_out", held_out), ("test", tested)):
        digest, rows = hashlib.sha256(), 0
        for source, target in decoded(as_pairs(pairs), text_sources=False):
            digest.update(b"%b\t%b\n" % (source, target.encode()))
            rows += 1
        if name != "test" or facts["held_out_sha256"] != digest.hexdigest():
            facts |= {f"{name}_rows": rows, f"{name}_sha256": digest.hexdigest()}
    return facts


def _pair_figures(model, tested, metrics, source, measured):
    # Users' pairs may look like sums and be anything.
    digits = digits_of_sums(model.preprocessor) if source else None
    if digits is None:
        return {"examples": metrics["examples"], "errors": error_analysis(model, tested)}
    operands = np.array([source.split("+") for source in measured.rows[0]], "int64")
    sums = score_sums(operands, measured.own_answers)
    right = [each for each in metrics["examples"] if each["answer"] == each["target"]]
    wrong = sums.pop("wrong")
    return {
        "digits": digits,
        "sums": {"all": digits <= MAX_EXHAUSTIVE_DIGITS, **sums, "wrong": wrong[:_WRONG_SHOWN]},
        "outside": _outside(model, digits),
        "examples": [*_spread(wrong, 5), *right[:5]],
    }


def _outside(model, digits):
    """Sums with one operand of a digit more than any in training; of two such the source is too long to be read."""
    numbers = np.random.default_rng(0)
    longer = numbers.integers(10**digits, 10 ** (digits + 1), _OUTSIDE_ROWS)
    shorter = numbers.integers(0, 10 ** (digits - 1), _OUTSIDE_ROWS)
    operands = np.stack([longer, shorter], axis=1)
    operands[1::2] = operands[1::2, ::-1]
    figures = evaluate_sums(model, operands)
    refused = f"{10**digits}+{10**digits}"
    try:
        answer = model.generate(refused)
    except ValueError as error:
        answer = f"error: {error}"
    return {
        "rows": figures["rows"],
        "errors": figures["errors"],
        "exact_match": figures["exact_match"],
        "wrong": _spread(figures["wrong"], 5),
        "longest": {"source": refused, "answer": answer},
    }


def _text_figures(model, held_out, metrics, source, measured):
    excerpt = model.preprocessor.vocabulary.join(held_out[None, :_EXCERPT].astype("int32"))[0].numpy().decode()
    start = model.preprocessor.vocabulary.join(held_out[None, :_START].astype("int32"))[0].numpy().decode()
    return {
        "blocks": {"block": _BLOCK, **_selected(evaluate(model, held_out, block=_BLOCK))},
        "excerpt": {"text": excerpt, "nats_per_token": evaluate(model, excerpt)["nats_per_token"]},
        "examples": [
            {"prompt": start, "sampler": "Greedy()", "seed": 0, "text": model.generate(start, 200, Greedy())},
            *(
                {"prompt": "", "sampler": "Temperature(0.7)", "seed": seed, "text": text}
                for seed, text in enumerate(model.generate([""] * 2, 400, Temperature(0.7), seed=range(2)))
            ),
        ],
    }


_FIGURES = {"pairs": _pair_figures, "pictures": _pair_figures, "text": _text_figures}


def _signatures(folder):
    """What goes in and out of each signature of the exports: `{format: {signature: {inputs, outputs}}}`."""
    loaded = tf.saved_model.load(str(folder / "1"))
    found = {
        "saved_model": {
            name: {
                "inputs": {
                    key: _shown(spec.dtype.name, spec.shape) for key, spec in one.structured_input_signature[1].items()
                },
                "outputs": {key: _shown(spec.dtype.name, spec.shape) for key, spec in one.structured_outputs.items()},
            }
            for name, one in sorted(loaded.signatures.items())
        }
    }
    if (folder / "model.tflite").exists():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(folder / "model.tflite"))
        runners = {name: interpreter.get_signature_runner(name) for name in sorted(interpreter.get_signature_list())}
        found["litert"] = {
            name: {"inputs": _details(runner.get_input_details()), "outputs": _details(runner.get_output_details())}
            for name, runner in runners.items()
        }
    return found


def _details(details):
    return {key: _shown(np.dtype(each["dtype"]).name, each["shape_signature"]) for key, each in details.items()}


def _shown(dtype, shape):
    sizes = [("length" if axis else "batch") if size in (None, -1) else str(size) for axis, size in enumerate(shape)]
    return f"{dtype} [{', '.join(sizes)}]"


def _spread(rows, count):
    """Up to `count` of the rows, evenly spread."""
    return [rows[at] for at in np.unique(np.linspace(0, len(rows) - 1, count).astype(int))] if rows else []
