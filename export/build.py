"""A recipe from nothing to what ships: training, exports, model card."""

import os
import pathlib
import shutil
import tempfile

from seqzoo.export.cards.content import make_card
from seqzoo.export.cards.markdown import card_page
from seqzoo.export.litert.writer import QUANTIZATIONS, litert, why_not_litert
from seqzoo.export.saved_model.writer import saved_model
from seqzoo.export.verification import verification_of
from seqzoo.io.files import new_folder, output_folder, write_json
from seqzoo.models import load
from seqzoo.pipelines import digits_of_sums
from seqzoo.runtime import choose_threads
from seqzoo.training.evaluation.sums import MAX_EXHAUSTIVE_DIGITS, all_operands
from seqzoo.training.run import train

_SHIPPED_QUANTIZATION = "float16"
_TRAINING = "training"


def build(recipe, output, data=None, seed=0, verbose="auto", resume=False, compile_options=None):
    """Trains a recipe, exports the model, measures it and writes its model card.

    Args:
        recipe: `PairRecipe`, `ImageRecipe` or `TextRecipe`.
        output: folder, new or empty, or with `resume` that of a build. Gets `training/`, the run as `train` writes it;
            `model.keras`, the trained model without its optimizer; `model.tflite`, with float16 weights; `1/`, the
            SavedModel; `curve.png`; `NOTICE.txt`, where the data set has one; and `card.md` and `card.json`, the card,
            last: with them the folder is whole.
        data: see the recipe's `training_data`. A tenth is held out.
        seed: int, see `train`.
        verbose: see `keras.Model.fit`.
        resume: bool, whether to continue the build in the folder. A training that has ended is not repeated;
            everything after it is.
        compile_options: see `train`.

    Returns:
        The content of `card.json`; see `seqzoo.export.cards.content.make_card`.

    Raises:
        ValueError: for wrong data, a folder that holds anything else, or an export that differs from its model.
        KeyboardInterrupt: after Ctrl-C, saying what is kept.
    """
    output = pathlib.Path(output)
    training = output / _TRAINING
    continues = resume and training.exists()
    if resume and not continues:
        raise ValueError(f"{output} holds no build to resume: leave out --resume, or name the build's folder")
    with output_folder(output) if continues else new_folder(output):
        for leftover in output.glob(".build-*"):  # Of a build that was killed.
            shutil.rmtree(leftover)
        choose_threads(recipe.hidden_dim, recipe.shards)
        recipe = recipe.for_data(data)
        loaded = recipe.training_data(data, seed=seed)
        trained, metrics = train(
            recipe,
            training,
            data,
            seed=seed,
            verbose=verbose,
            resume=continues,
            compile_options=compile_options,
            loaded=loaded,
        )
        try:
            with tempfile.TemporaryDirectory(dir=output, prefix=".build-") as temporary:
                # The SavedModel's examples name the model as its folder is called.
                made = pathlib.Path(temporary, output.resolve().name)
                made.mkdir()
                trained.copy_with().save(made / "model.keras")  # Without its optimizer.
                model = load(made / "model.keras")
                tested = recipe.test_data(data, loaded[1])
                on_tested = verification_of(model, tested)
                saved_model(model, made, on_tested, beam_size=recipe.beam_size)
                digits = None if data else digits_of_sums(model.preprocessor)
                is_exhaustive = digits is not None and digits <= MAX_EXHAUSTIVE_DIGITS
                measured = _verification_of_all_sums(model, digits) if is_exhaustive else on_tested
                quantized = _write_litert(model, made, measured)
                shutil.copy(training / "history.png", made / "curve.png")
                if notice := getattr(recipe.dataset, "notice", None):
                    (made / "NOTICE.txt").write_text(notice, encoding="utf-8")
                parts = (*loaded[:2], tested)
                card = make_card(recipe, model, made, training, metrics, parts, measured, quantized, seed, data)
                (made / "card.md").write_text(card_page(card), encoding="utf-8")
                write_json(made / "card.json", card)
                _replace(made, output)
        except KeyboardInterrupt:
            message = f"the training is kept in {training}; continue with the same command and --resume"
            raise KeyboardInterrupt(message) from None
    return card


def _verification_of_all_sums(model, digits):
    """A verification on every sum of up to so many digits, in the order of `all_operands`."""
    return verification_of(model, [(f"{a}+{b}", str(a + b)) for a, b in all_operands(digits).tolist()])


def _write_litert(model, folder, verification):
    """Writes `model.tflite`; returns the report of each way of keeping weights, each converted and verified once."""
    if why_not_litert(model):
        return {}
    reports = {}
    with tempfile.TemporaryDirectory() as temporary:
        for quantize in (None, *QUANTIZATIONS):
            path = pathlib.Path(temporary, f"{quantize}.tflite")
            reports[quantize or "float32"] = litert(model, path, quantize, verification)
            if quantize == _SHIPPED_QUANTIZATION:
                shutil.copy(path, folder / "model.tflite")
    return reports


def _replace(made, output):
    """Moves what was made to its place; the cards go first and come last."""
    names = sorted(os.listdir(made), key=lambda name: (name.startswith("card."), name))
    for name in reversed(names):
        path = output / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name in names:
        os.rename(made / name, output / name)
