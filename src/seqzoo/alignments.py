"""How an alignment is shown: as digits in a terminal, or as a picture."""

import contextlib
import functools
import pathlib
import unicodedata
import warnings

import matplotlib.figure
from matplotlib import font_manager

from seqzoo.io.files import replacing

# Parts of the names of fonts that have what matplotlib's own font lacks.
_FONTS = ("CJK", "Nanum", "IPAGothic", "WenQuanYi", "Droid Sans Fallback", "Noto Sans")
_FIRST_OTHER_CHARACTER = "\u0590"


def alignment_lines(source_tokens, answer_tokens, alignment, width=None):
    """An alignment as lines of text: a row for each token of the answer, a column for each of the source.

    Each cell is a tenth of the attention that the answer's token pays to the source's: `9` is 0.85 or more, `·` less
    than 0.05.

    Args:
        source_tokens: list of `str`.
        answer_tokens: list of `str`.
        alignment: float array `[answer tokens, source tokens]`, whose rows add up to 1.
        width: int, how many columns the terminal has; wider matrices are shown in parts. `None` for no limit.

    Returns:
        list of `str`.
    """
    header, names = [shown(token) for token in source_tokens], [shown(token) for token in answer_tokens]
    margin = max(map(_width, names), default=0)
    widths = [max(1, _width(token)) for token in header]
    lines = []
    for part in _parts(widths, width and width - margin):
        rows = [["·" if cell < 0.05 else str(min(9, round(10 * cell))) for cell in row[part]] for row in alignment]
        for name, cells in zip(["", *names], [header[part], *rows], strict=True):
            padded = (cell + " " * (size - _width(cell)) for cell, size in zip(cells, widths[part], strict=True))
            lines.append(" ".join([name + " " * (margin - _width(name)), *padded]).rstrip())
        lines.append("")
    return lines[:-1]


@contextlib.contextmanager
def picture(path):
    """Opens a PNG file, so that a path that cannot be written is an error before anything is computed.

    Args:
        path: file name.

    Yields:
        A function that draws the alignment that it is given as `alignment_lines` takes it. The file is renamed into
        place at the end, whole or not at all.

    Raises:
        ValueError: for a name that does not end in `.png`, or a folder.
        OSError: where the file cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"The file of a picture ends in .png. Received: {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(path))
        except OSError as error:  # It would name the temporary file.
            raise OSError(error.errno, error.strerror, str(path)) from None
        yield functools.partial(_draw, temporary)


def shown(token):
    """A token that is seen where it stands alone: a space as `␣`, an accent on a circle, no control characters."""
    if unicodedata.combining(token[0]):
        return f"◌{token}"
    return "".join("␣" if c == " " else c if c.isprintable() else c.encode("unicode_escape").decode() for c in token)


def _width(text):
    """How many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _parts(widths, limit):
    """Slices of columns that fit into a limit each, with a space before each column."""
    start, used = 0, 0
    for at, width in enumerate(widths):
        if limit is not None and at > start and used + 1 + width > limit:
            yield slice(start, at)
            start, used = at, 0
        used += 1 + width
    yield slice(start, len(widths))


def _draw(path, source_tokens, answer_tokens, alignment):
    columns, rows = [shown(token) for token in source_tokens], [shown(token) for token in answer_tokens]
    longest = [max((len(name) for name in names), default=1) for names in (columns, rows)]
    size = 1.0 + 0.28 * len(columns) + 0.1 * longest[1], 1.0 + 0.28 * len(rows) + 0.1 * longest[0]
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.imshow(alignment, cmap="Greys", vmin=0, vmax=1, aspect="equal")
    fonts = _fonts("".join(columns + rows))
    axes.set_xticks(range(len(columns)), columns, rotation=90 if longest[0] > 2 else 0, family=fonts)
    axes.set_yticks(range(len(rows)), rows, family=fonts)
    axes.set(xlabel="source", ylabel="answer")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0)
    with warnings.catch_warnings():
        # Where no font has a character, a box stands for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


def _fonts(text):
    """Names of installed fonts to look for characters in, matplotlib's own first."""
    if text.isascii() or max(text, default="") < _FIRST_OTHER_CHARACTER:
        return ["DejaVu Sans"]
    names = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *sorted(name for name in names if any(part in name for part in _FONTS))]
