"""Reading a saved model from a file that may be anything."""

import json
import pathlib

import keras

from seqzoo.models.language_model import LanguageModel
from seqzoo.models.model_file import check_objects, check_sizes, check_weights, parts_of, registered, shown
from seqzoo.models.presets import PRESETS
from seqzoo.models.seq2seq import Seq2Seq
from seqzoo.models.shipped import shipped
from seqzoo.pipelines import PairPreprocessor, TextPreprocessor, Vocabulary


def load(path):
    """The model in a `.keras` file, its preprocessor included.

    The file is data. It is checked before anything is made of it: it holds a model of seqzoo, or of a subclass that is
    registered in this process, and what belongs to its training, nothing else; and weights for all of the model, so
    that a small file never takes much memory. Nothing in it is executed, no other file is read.

    Args:
        path: file name, or the name of a preset that ships trained; see `from_preset`.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no model of seqzoo, or damaged.
    """
    path = pathlib.Path(path)
    if str(path) in PRESETS:  # No file is meant: those of models end in .keras.
        path = shipped(str(path)) / "model.keras"
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}, and no preset of that name (see seqzoo presets)")
    if not path.is_file() or path.suffix != ".keras":  # Keras has another reader for each other name.
        raise ValueError(f"{path} is not a file named .keras; a model is one .keras file")
    problem = "is not a whole .keras model file"
    try:  # The file may hold anything, and each reader raises whatever its content leads to.
        parts = parts_of(path)
        problem = "cannot be loaded as a model"
        config = json.loads(parts["config.json"])
        if not _is_model(config):
            problem = f"holds a {shown(config['class_name'])}, not a model of seqzoo"
            raise ValueError
        check_objects(config)
        check_sizes(config["config"], len(parts["model.weights.h5"]))
        check_weights(parts.pop("model.weights.h5"))
        model = keras.saving.load_model(path, safe_mode=True)
        _check_preprocessor(model)
    except Exception as error:
        reason = f": {shown(error)}" if str(error) else ""
        raise ValueError(f"{path} {problem}{reason}") from error
    return model


def from_preset(name, load_weights=True):
    """The model of a preset.

    Args:
        name: str, one of those that `seqzoo presets` lists with a score: they ship trained.
        load_weights: bool; `False` gives its architecture and preprocessor with new weights.

    Returns:
        `Seq2Seq` or `LanguageModel`, not compiled: compile it with a recipe to train on.

    Raises:
        ValueError: for a preset that does not exist, or does not ship trained.
    """
    model = load(shipped(name) / "model.keras")
    return model if load_weights else type(model).from_config(model.get_config())


def _is_model(config):
    kind = registered(config)
    return isinstance(kind, type) and issubclass(kind, Seq2Seq | LanguageModel)


def _check_preprocessor(model):
    kind = TextPreprocessor if isinstance(model, LanguageModel) else PairPreprocessor
    if not (isinstance(model.preprocessor, kind) and isinstance(model.preprocessor.vocabulary, Vocabulary)):
        raise ValueError(f"its preprocessor must be a {kind.__name__} with a Vocabulary")
