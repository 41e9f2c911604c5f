"""A model card's content: what a trained preset is, how it was made, and what it was measured to do."""

import csv
import dataclasses
import hashlib
import importlib.metadata
import pathlib
import platform
import shlex
import tempfile

import numpy as np
import tensorflow as tf

from seqzoo.export.litert import QUANTIZATIONS, litert
from seqzoo.models import PRESETS, Greedy, LanguageModel, Temperature, evaluate, evaluate_all_sums, evaluate_sums
from seqzoo.models.execution import processors
from seqzoo.pipelines import as_pairs, digits_of_sums
from seqzoo.pipelines.pairs import decoded

_PACKAGES = ("seqzoo", "tensorflow", "keras", "tensorflow-datasets", "numpy", "ai-edge-litert")
_EXHAUSTIVE_DIGITS = 3
# karpathy/char-rnn's data/tinyshakespeare/input.txt, which TFDS' tiny_shakespeare is made of.
_TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_OUTSIDE_ROWS = 1_000
_WRONG_SHOWN = 500
_EXCERPT, _START = 400, 20


def make_card(preset, model, folder, training, metrics, data, seed=0, data_file=None):
    """Measures a trained preset and says how it was made.

    Args:
        preset: `Preset` or `TextPreset`.
        model: its trained model.
        folder: what ships: files and SavedModel `1/`, of which sizes and signatures are taken.
        training: the run's folder; see `seqzoo.models.training.train`.
        metrics: that run's metrics.
        data: `(training, held_out)`, see the preset's `training_data`.
        seed: int, the run's.
        data_file: file name, or `None` where the data are the preset's own.

    Returns:
        A dictionary of what JSON holds. Every card: `preset`, `model` (class), `command` (`None` for a variant of a
        preset, which no command makes), `seed`, `versions`, `simd` and `processors` (the processor's vector
        instructions and how many there were; weights depend on the first, those of models of more than 256 units on
        both), `cpu_minutes`, `wall_minutes`, `data` (name, `source`, which is the name of known data or `None`, sizes,
        SHA-256), `recipe`, `parameters`, `weights_sha256`, `bytes` (by file), `held_out` (the figures of
        `evaluate`), `litert` (size and score of each quantisation), `curve` (of each epoch, `curve_label`),
        `signatures` and `examples`. Of sums also `digits`, `sums` (every one of them up to 3 digits, else those held
        out; see `evaluate_sums`) and `outside` (likewise, one operand of a digit more); of a language model `excerpt`,
        the beginning of the text held out and its own nats per token.
    """
    name = pathlib.Path(data_file).name if data_file else None
    source = preset.data_name if data_file is None else None
    if metrics.get("data_sha256") == _TINY_SHAKESPEARE:
        source = "tiny_shakespeare"
    with open(training / "history.csv", encoding="utf-8") as file:
        curve = [float(row[preset.metric]) for row in csv.DictReader(file)]
    is_text = isinstance(model, LanguageModel)
    figures = _text_figures(model, data[1]) if is_text else _pair_figures(model, data[1], metrics, source)
    return {
        "preset": preset.name,
        "model": type(model).__name__,
        "command": _command(preset, name, seed) if preset == PRESETS.get(preset.name) else None,
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            **{each: importlib.metadata.version(each) for each in _PACKAGES},
        },
        "simd": np.show_config(mode="dicts")["SIMD Extensions"].get("found", []),
        "processors": processors(),
        "cpu_minutes": round(metrics["cpu_seconds"]["total"] / 60, 1),
        "wall_minutes": round(metrics["wall_seconds"] / 60, 1),
        "data": {"name": name or preset.data_name, "source": source, **_data_facts(*data, metrics)},
        "recipe": dataclasses.asdict(preset),
        "parameters": model.count_params(),
        "weights_sha256": weights_sha256(model),
        "bytes": {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        "held_out": {key: value for key, value in metrics.items() if key in _HELD_OUT},
        "curve_label": preset.metric_label,
        "curve": curve,
        **figures,
        "signatures": _signatures(folder),
    }


def _command(preset, data, seed):
    parts = ["seqzoo", "build", preset.name, "--output", "DIR"]
    return shlex.join(parts + ["--data", data] * bool(data) + ["--seed", str(seed)] * bool(seed))


_HELD_OUT = (
    "rows", "exact_match", "character_accuracy", "tokens", "nats_per_token", "bits_per_token", "perplexity", "accuracy",
)  # fmt: skip


def weights_sha256(model):
    """The SHA-256 of all weights' bytes, little-endian, in the order of `model.weights`."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, weight.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _data_facts(training, held_out, metrics):
    if "data_sha256" in metrics:
        return {"train_tokens": len(training), "held_out_tokens": len(held_out), "sha256": metrics["data_sha256"]}
    facts = {}
    for name, pairs in (("train", training), ("held_out", held_out)):
        digest, rows = hashlib.sha256(), 0
        for source, target in decoded(as_pairs(pairs)):
            digest.update(f"{source}\t{target}\n".encode())
            rows += 1
        facts |= {f"{name}_rows": rows, f"{name}_sha256": digest.hexdigest()}
    return facts


def _pair_figures(model, held_out, metrics, source):
    # Pairs of others may look like sums and be anything.
    digits = digits_of_sums(model.preprocessor) if source else None
    if digits is None:
        return {"litert": _quantized(model, held_out), "examples": metrics["examples"]}
    rows = [(source, target) for source, target in decoded(as_pairs(held_out))]
    is_exhaustive = digits <= _EXHAUSTIVE_DIGITS
    if is_exhaustive:
        sums = evaluate_all_sums(model)
        numbers = range(10**digits)
        asked = tf.data.Dataset.from_tensor_slices(
            tuple(map(list, zip(*((f"{a}+{b}", str(a + b)) for a in numbers for b in numbers), strict=True)))
        )
    else:
        sums = evaluate_sums(model, np.array([source.split("+") for source, _ in rows], "int64"))
        asked = held_out
    right = [each for each in metrics["examples"] if each["answer"] == each["target"]]
    wrong = sums.pop("wrong")
    return {
        "digits": digits,
        "sums": {"all": is_exhaustive, **sums, "wrong": wrong[:_WRONG_SHOWN]},
        "outside": _outside(model, digits),
        "litert": _quantized(model, asked),
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


def _text_figures(model, held_out):
    excerpt = model.preprocessor.vocabulary.join(held_out[None, :_EXCERPT].astype("int32"))[0].numpy().decode()
    start = model.preprocessor.vocabulary.join(held_out[None, :_START].astype("int32"))[0].numpy().decode()
    return {
        "excerpt": {"text": excerpt, "nats_per_token": evaluate(model, excerpt)["nats_per_token"]},
        "litert": _quantized(model, held_out),
        "examples": [
            {"prompt": start, "sampler": "Greedy()", "seed": 0, "text": model.generate(start, 200, Greedy())},
            *(
                {"prompt": "", "sampler": "Temperature(0.7)", "seed": seed, "text": text}
                for seed, text in enumerate(model.generate([""] * 2, 400, Temperature(0.7), seed=range(2)))
            ),
        ],
    }


def _quantized(model, data):
    """The size of a LiteRT file, and its score beside the model's on the same data, by how it keeps weights."""
    if model.preprocessor.vocabulary.split != "characters":
        return {}
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for quantize in (None, *QUANTIZATIONS):
            report = litert(model, pathlib.Path(folder, "model.tflite"), quantize, data)
            figures[quantize or "float32"] = {key: report[key] for key in ("bytes", "rows", "equal", "score")}
    return figures


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
            name: {
                "inputs": _details(runner.get_input_details()),
                "outputs": _details(runner.get_output_details()),
            }
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
