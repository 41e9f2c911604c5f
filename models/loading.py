"""Reading a saved model from a file that may be anything."""

import pathlib
import zipfile
import zlib

import keras

from seqzoo.models.language_model import LanguageModel
from seqzoo.models.presets import PRESETS
from seqzoo.models.seq2seq import Seq2Seq


def load(path):
    """The model in a `.keras` file, its preprocessor included.

    The file is read in Keras' safe mode: it is data, nothing in it is executed.

    Args:
        path: file name.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no model of seqzoo, or damaged.
    """
    path = pathlib.Path(path)
    if not path.exists():
        if str(path) in PRESETS:
            raise ValueError(f"The preset {path} has no trained model here. Train it: {PRESETS[str(path)].command}")
        raise FileNotFoundError(f"There is no model file {path}")
    if not path.is_file():
        raise ValueError(f"{path} is not a file; a model is one .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} is not a whole .keras model file: {_first_line(error)}") from None
    if damaged:
        raise ValueError(f"{path} is damaged: its part {damaged} does not match its checksum")
    try:
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # The file may hold anything, and Keras raises whatever its content leads to.
        raise ValueError(f"{path} cannot be loaded as a model: {_first_line(error)}") from error
    if not isinstance(model, Seq2Seq | LanguageModel):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model of seqzoo")
    return model


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]
