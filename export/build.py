"""A preset from nothing to what ships: training, exports, model card."""

import contextlib
import os
import pathlib
import shutil
import tempfile

from seqzoo.export.card import make_card
from seqzoo.export.card_page import card_page
from seqzoo.export.litert import litert
from seqzoo.export.saved_model import saved_model
from seqzoo.files import new_folder, output_folder, write_json
from seqzoo.models import load
from seqzoo.models.training import train

_QUANTIZATION = "float16"
_TRAINING = "training"


def build(preset, output, data=None, seed=0, verbose="auto", resume=False):
    """Trains a preset, exports it, measures it and writes its model card.

    Args:
        preset: `Preset` or `TextPreset`.
        output: folder, new or empty, or with `resume` that of a build. Gets `training/`, the run as `train` writes it;
            `model.keras`, the trained model without its optimizer; `model.tflite`, with float16 weights; `1/`, the
            SavedModel; `curve.png`; and `card.md` and `card.json`, the card, last: with them the folder is whole.
        data: see the preset's `training_data`. A tenth is held out.
        seed: int, see `train`.
        verbose: see `keras.Model.fit`.
        resume: bool, whether to go on with the build in the folder. A training that has ended is not repeated;
            everything after it is.

    Returns:
        The content of `card.json`; see `seqzoo.export.card.make_card`.

    Raises:
        ValueError: for wrong data, a folder that holds anything else, or an export that differs from its model.
        OSError: for a folder that cannot be written.
        KeyboardInterrupt: after Ctrl-C, saying what is kept.
    """
    output = pathlib.Path(output)
    training = output / _TRAINING
    goes_on = resume and training.exists()
    if resume and not goes_on:
        raise ValueError(f"{output} holds no build to resume: leave out --resume, or name the build's folder")
    with output_folder(output) if goes_on else new_folder(output):
        for leftover in output.glob(".build-*"):  # Of a build that was killed.
            shutil.rmtree(leftover)
        trained, metrics = train(preset, training, data, seed=seed, verbose=verbose, resume=goes_on)
        with _training_kept(training), tempfile.TemporaryDirectory(dir=output, prefix=".build-") as temporary:
            # The SavedModel's examples name the model as its folder is called.
            made = pathlib.Path(temporary, output.resolve().name)
            made.mkdir()
            _without_optimizer(trained).save(made / "model.keras")
            model = load(made / "model.keras")
            parts = preset.training_data(data, seed=seed)[:2]
            saved_model(model, made, parts[1])
            if model.preprocessor.vocabulary.split == "characters":
                litert(model, made / "model.tflite", _QUANTIZATION, parts[1])
                (made / "model.tflite.json").unlink()  # The card has it.
            shutil.copy(training / "history.png", made / "curve.png")
            card = make_card(preset, model, made, training, metrics, parts, seed, data)
            (made / "card.md").write_text(card_page(card), encoding="utf-8")
            write_json(made / "card.json", card)
            _replace(made, output)
    return card


@contextlib.contextmanager
def _training_kept(training):
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"the training is kept in {training}; go on with the same command and --resume"
        ) from None


def _without_optimizer(model):
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def _replace(made, output):
    """Moves what was made to its place; the cards go first and come last."""
    names = sorted(os.listdir(made), key=lambda name: (name.startswith("card."), name))
    for name in reversed(names):
        path = output / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name in names:
        os.rename(made / name, output / name)
