"""Settings of the documentation site: `sphinx-build -W --keep-going -b html docs build/docs`."""

import importlib
import importlib.metadata
import re

import sphinx.util.logging

project = "seqzoo"
author = "the seqzoo authors"
release = version = importlib.metadata.version("seqzoo")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
nb_execution_mode = "off"
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
    app.connect("autodoc-process-docstring", _escape_plurals)
    app.connect("env-check-consistency", _warn_of_missing_names)


def _escape_plurals(app, what, name, obj, options, lines):
    """Ends code before a letter, as in `Dataset`s, which reStructuredText takes for an error otherwise."""
    lines[:] = [
        re.sub(r"(`[^`]+`)(\w?)", lambda match: r"\ ".join(filter(None, match.groups())), line) for line in lines
    ]


def _warn_of_missing_names(app, env):
    """Warns of each public name that no page of the API reference documents."""
    documented = {entry[0] for entry in env.get_domain("py").get_objects()}
    for subpackage in _SUBPACKAGES:
        module = f"seqzoo.{subpackage}"
        for name in importlib.import_module(module).__all__:
            if f"{module}.{name}" not in documented:
                logger = sphinx.util.logging.getLogger(__name__)
                logger.warning("%s.%s is public and missing from docs/api", module, name)
