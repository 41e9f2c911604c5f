"""A static web page on which models run: the folder `web/`, the LiteRT runtime, and a `.tflite` file a model."""

import csv
import functools
import http.server
import importlib.resources
import os
import pathlib
import shutil
import sys
import tempfile
import typing
import urllib.parse

from seqzoo.export.litert.writer import litert
from seqzoo.io.files import new_folder, read_json, write_json
from seqzoo.models import card, load, presets
from seqzoo.models.files.loading import preset_folder
from seqzoo.pipelines import HandwrittenNumbersData

RUNTIME = "@litertjs/core@2.5.3"
"""The npm package that runs models in a browser; it is fetched once, by `npm install`."""

# Beside the page: the runtime for browsers with and without relaxed SIMD; it chooses.
_RUNTIME_FILES = {
    "core/dist/index.js": "core.js",
    "core/wasm/litert_wasm_internal.js": "litert_wasm_internal.js",
    "core/wasm/litert_wasm_internal.wasm": "litert_wasm_internal.wasm",
    "core/wasm/litert_wasm_compat_internal.js": "litert_wasm_compat_internal.js",
    "core/wasm/litert_wasm_compat_internal.wasm": "litert_wasm_compat_internal.wasm",
    "wasm-utils/dist/index.js": "wasm-utils.js",
}
_EXAMPLE = "57+5"

# How drawn digits are shown to a model of numbers: in pixels of its picture their height, the widest gap and the
# margin, and the greys of ink and paper. Chosen on numbers that a program drew in many sizes, of which far fewer are
# read just as they were drawn.
_DRAWN_DIGITS = {"most": 5, "ink": 12.5, "gap": 3, "margin": 1, "greys": [0.1, 0.92]}


def page(output, models=None, runtime="node_modules"):
    """Writes a page that runs models in the browser; any static host serves it, in a subfolder too (not `file://`).

    Args:
        output: folder, new or empty.
        models: preset names or `.keras` files, or one of them; `None` for all presets.
        runtime: the folder `node_modules` into which `npm install` has put `RUNTIME`.

    Returns:
        The names under which the page lists the models.

    Raises:
        ValueError: where the runtime is missing or of another version, two models have one name, or one cannot be a
            LiteRT file.
    """
    packages = _runtime(runtime)
    models = [models] if isinstance(models, str | os.PathLike) else models
    models = models or sorted(presets(), key=_errors_on_all_sums)
    names = [pathlib.Path(model).stem if str(model) not in presets() else str(model) for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Two models are called {repeated[0]}: rename a file, or leave one out")
    web = importlib.resources.files("seqzoo.export") / "web"
    with new_folder(output) as output, tempfile.TemporaryDirectory(dir=output, prefix=".page-") as temporary:
        made = pathlib.Path(temporary)
        (made / "models").mkdir()
        (made / "litert").mkdir()
        entries = [_entry(name, model, made) for name, model in zip(names, models, strict=True)]
        for source, name in _RUNTIME_FILES.items():
            shutil.copyfile(packages / source, made / "litert" / name)
        for source in web.iterdir():
            if source.name != "curves.csv":
                (made / source.name).write_bytes(source.read_bytes())
        write_json(made / "models.json", {"models": entries, "curves": _curves(web / "curves.csv")})
        for name in sorted(os.listdir(made), key=lambda name: name == "index.html"):
            os.rename(made / name, output / name)
    return names


def server(folder, port=0):
    """An HTTP server of a page's folder, on the loopback interface only; `serve_forever` runs it."""
    handler = functools.partial(_Handler, directory=str(folder))
    return _Server(("127.0.0.1", port), handler)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A browser that leaves while it loads a file is no error.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.SimpleHTTPRequestHandler):
    # What the system has registered may be missing or wrong.
    extensions_map: typing.ClassVar = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_):
        pass


def _errors_on_all_sums(preset):
    """The errors on the preset's card; infinitely many where not all sums were evaluated, or it is for other data."""
    sums = card(preset).get("sums", {})
    return sums["errors"] if sums.get("all") else float("inf")


def _runtime(folder):
    package, _, version = RUNTIME.rpartition("@")
    about = pathlib.Path(folder, package, "package.json")
    install = f"npm install {RUNTIME}"
    if not about.exists():
        raise ValueError(
            f"{folder} holds no LiteRT runtime for browsers: run {install}, or name its folder (--runtime)"
        )
    if (found := read_json(about).get("version")) != version:
        raise ValueError(
            f"{folder} holds version {found} of the LiteRT runtime; the page needs {version}: run {install}"
        )
    packages = pathlib.Path(folder, package).parent
    if missing := [name for name in _RUNTIME_FILES if not (packages / name).is_file()]:
        raise ValueError(f"{packages} lacks {missing[0]} of the LiteRT runtime: remove {folder}, and run {install}")
    return packages


def _entry(name, model, folder):
    """Writes a model's file and says what the page has to know of it."""
    file = folder / "models" / f"{name}.tflite"
    loaded, made = load(model), card(name) if str(model) in presets() else {}
    if made:
        file.write_bytes((preset_folder(name) / "model.tflite").read_bytes())
    else:
        litert(loaded, file, "float16")
        file.with_suffix(".tflite.json").unlink()
    # Only of a preset is it known that it adds; other models of that vocabulary may have learnt anything.
    digits = made.get("digits")
    config = loaded.preprocessor.get_config()
    reads_text = loaded.preprocessor.source_vocabulary is not None
    return {
        "name": name,
        "file": f"models/{urllib.parse.quote(name)}.tflite",
        "about": _about(loaded, made),
        "kind": loaded.task,
        "digits": digits,
        **(_about_texts(loaded, digits, made) if reads_text else _about_pictures(loaded)),
        **{name: value for name, value in config.items() if name not in ("vocabulary", "target_vocabulary")},
    }


def _about_texts(model, digits, made):
    read = model.preprocessor.source_vocabulary
    return {
        "example": _example(model, digits, made),
        "tokens": read.tokens,
        "lower_case": read.lower_case,
        "normal_form": read.normal_form,
    }


def _about_pictures(model):
    is_of_numbers = model.preprocessor == HandwrittenNumbersData().preprocessor()
    return {"drawn_digits": _DRAWN_DIGITS if is_of_numbers else None}


def _example(model, digits, made):
    # A model of more digits has hardly seen numbers as short as the usual example's.
    if digits and digits <= 3:
        return _EXAMPLE
    if made and "source" in made["examples"][-1]:
        return made["examples"][-1]["source"]
    return next(token for token in model.preprocessor.source_vocabulary.tokens if token.strip())


def _about(model, made):
    facts = [f"{model.count_params():,} parameters"]
    if made:
        held_out = made["held_out"]
        if "nats_per_token" in held_out:
            facts.append(f"{held_out['nats_per_token']:.3f} nats per character on held-out text")
        else:
            sources = held_out.get("sources", held_out["rows"])  # Several rows may be right answers to one source.
            facts.append(f"exact match on {sources:,} held-out sources {held_out['exact_match']:.2%}")
        if made.get("sums", {}).get("all"):
            facts.append(f"{made['sums']['errors']:,} errors on all {made['sums']['rows']:,} inputs")
    return "; ".join(facts) + "."


def _curves(file):
    curves = {}
    for row in csv.DictReader(file.read_text("utf-8").splitlines()):
        curves.setdefault(row["variant"], []).append(float(row["exact_match"]))
    return curves
