"""Settings of the documentation site: `sphinx-build -W --keep-going -b html docs build/docs`."""

import importlib
import importlib.metadata
import re

import sphinx.util.logging

project = "seqzoo"
author = "the seqzoo authors"
release = version = importlib.metadata.version("seqzoo")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Docstrings are in Google's style, with single backticks for code.
default_role = "py:obj"
highlight_language = "text"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "seqzoo"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

_SUBPACKAGES = ("pipelines", "models", "training", "tuning", "export")


def setup(app):
    """Registers what prepares docstrings, and the check that the API reference is complete."""
    app.connect("autodoc-process-docstring", _mark_up_code)
    app.connect("env-check-consistency", _warn_of_missing_names)


def _mark_up_code(app, what, name, obj, options, lines):
    """Links names in single backticks, and makes all other code there literal."""
    lines[:] = [re.sub(r"(?<![`:])`([^`]+)`(?!`)(\w?)", _marked_up, line) for line in lines]


def _marked_up(match):
    code, letter = match.groups()
    quotes = "`" if re.fullmatch(r"[A-Za-z_][\w.]*", code) else "``"
    # In reStructuredText code ends before a letter, as in `Dataset`s, with an escaped blank only.
    return f"{quotes}{code}{quotes}" + (f"\\ {letter}" if letter else "")


def _warn_of_missing_names(app, env):
    """Warns of each public name that no page of the API reference documents."""
    documented = {entry[0] for entry in env.get_domain("py").get_objects()}
    for subpackage in _SUBPACKAGES:
        module = f"seqzoo.{subpackage}"
        for name in importlib.import_module(module).__all__:
            if f"{module}.{name}" not in documented:
                logger = sphinx.util.logging.getLogger(__name__)
                logger.warning("%s.%s is public and missing from docs/api", module, name)
