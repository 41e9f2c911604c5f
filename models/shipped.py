"""What ships of a trained preset: its folder, and its model card."""

import importlib.resources
import json

from seqzoo.models.presets import preset


def shipped(name):
    """The folder of a preset that ships trained, `importlib.resources`' path to it: model, exports and model card.

    Raises:
        ValueError: where there is no such preset, or it does not ship trained.
    """
    recipe = preset(name)
    folder = importlib.resources.files("seqzoo.saved_models") / name
    if not ships(name):
        raise ValueError(f"The preset {name} does not ship trained. Train it: {recipe.command}")
    return folder


def ships(name):
    """Whether a preset ships trained."""
    return (importlib.resources.files("seqzoo.saved_models") / preset(name).name / "card.json").is_file()


def card(name):
    """The model card of a preset that ships trained; see `seqzoo.export.card.make_card`.

    Raises:
        ValueError: where there is no such preset, or it does not ship trained.
    """
    return json.loads((shipped(name) / "card.json").read_text("utf-8"))
