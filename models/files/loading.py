"""Reads saved models safely: from a file that may be anything, or from the folder of a preset."""

import importlib.resources
import json
import pathlib

import keras

from seqzoo.models.files.checks import check_objects, check_sizes, check_weights, models_of, parts_of, registered, shown
from seqzoo.runtime import check_threads_survive

_MODEL, _CARD = "model.keras", "card.json"


def load_model(path, base):
    """The model in a `.keras` file, or of a preset by its name, checked before anything is made of it.

    `base` is the class of which the file must hold a model, or of a subclass that is registered in this process. Other
    content is a `ValueError`, no file a `FileNotFoundError`.
    """
    check_threads_survive()
    path = pathlib.Path(path)
    if str(path) in presets():  # Not a file: model files end in .keras.
        path = preset_folder(str(path)) / _MODEL
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}, and no preset of that name (see seqzoo presets)")
    if not path.is_file() or path.suffix != ".keras":  # Keras has another reader for each other name.
        raise ValueError(f"{path} is not a file named .keras; a model is one .keras file")
    problem = "is not a whole .keras model file"
    try:  # The file may hold anything, and each reader raises whatever its content leads to.
        parts = parts_of(path)
        problem = "cannot be loaded as a model"
        config = json.loads(parts["config.json"])
        kind = registered(config)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            problem = f"holds a {shown(config['class_name'])}, not a model of seqzoo"
            raise ValueError
        check_objects(config)
        check_sizes([each["config"] for each in models_of(config)], len(parts["model.weights.h5"]))
        check_weights(parts.pop("model.weights.h5"))
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:
        reason = f": {shown(error)}" if str(error) else ""
        raise ValueError(f"{path} {problem}{reason}") from error


def presets():
    """The names of the presets, sorted: architectures that ship with trained weights, a folder each."""
    folders = importlib.resources.files("seqzoo.saved_models").iterdir()
    return sorted(folder.name for folder in folders if (folder / _CARD).is_file())


def preset_folder(name):
    """The folder of a preset, an `importlib.resources` path; a `ValueError` where there is no such preset."""
    if name not in presets():
        raise ValueError(f"There is no preset {name!r}. Choose one of: {', '.join(presets())}")
    return importlib.resources.files("seqzoo.saved_models") / name


def card(name):
    """The model card of a preset, a dictionary; see `seqzoo.export.cards.content.make_card`.

    Raises:
        ValueError: where there is no such preset.
    """
    return json.loads((preset_folder(name) / _CARD).read_text("utf-8"))
