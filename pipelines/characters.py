"""Characters that cannot be seen, or are not what they look like, by their code points and Unicode names."""

import re
import unicodedata

from seqzoo.pipelines.normalization import NORMAL_FORMS

_UNLISTED = re.compile(r"(.* has the (character|word) )'(.*)'(, which is not in the vocabulary)", re.DOTALL)
_TOO_LONG = re.compile(r".* has \d+ (?:character|word)s, the model takes at most \d+", re.DOTALL)


def is_invisible(character):
    """Whether a character cannot be seen where it stands alone: a mark, white space, a control or format character."""
    return unicodedata.category(character)[0] in "MZC"


def code_point(character):
    """A character as its code point and name: `U+0300 COMBINING GRAVE ACCENT`."""
    is_control = unicodedata.category(character) == "Cc"
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character' if is_control else 'unnamed')}"


def visible(token):
    """A token in quotes, with the code points of what cannot be seen; of such a character alone, its code point."""
    hidden = [character for character in dict.fromkeys(token) if is_invisible(character) and character != " "]
    if len(token) == 1 and hidden:
        return code_point(token)
    return f"'{token}'" + (f" ({', '.join(map(code_point, hidden))})" if hidden else "")


def is_mistakable(character):
    """Whether a character cannot be seen, or is punctuation or a symbol beside ASCII, much of which looks alike."""
    return is_invisible(character) or (not character.isascii() and unicodedata.category(character)[0] in "PS")


def explained_error(error, string, vocabulary, length=None):
    """An error of a row with what helps to see its reason.

    A character that the vocabulary lacks gets its code point and name, unless it is ASCII and can be seen: other
    scripts have characters that look alike. A string that would fit in another normal form gets the name of that.

    Args:
        error: bytes, UTF-8.
        string: bytes, what it is an error of.
        vocabulary: `Vocabulary` that reads the string.
        length: int, how many tokens it may have, or `None` for any number.

    Returns:
        bytes, UTF-8.
    """
    text = error.decode()
    if unlisted := _UNLISTED.fullmatch(text):
        start, unit, token, end = unlisted.groups()
        text = f"{start}{visible(token)}{end}"
        if unit == "character" and not token.isascii() and not is_invisible(token):
            text += f" ({code_point(token)})"
    elif not _TOO_LONG.fullmatch(text):
        return error
    if form := _normal_form_that_fits(string.decode(), vocabulary, length):
        option = f"normal_form={form!r}"
        train = f"train with --normal-form {form} ({option})"
        text += f". In the normal form {form} it would fit: write it so, or "
        text += train if text.startswith("source") else f"read it with {option}"
    return text.encode()


def _normal_form_that_fits(string, vocabulary, length):
    known = set(vocabulary.tokens)
    for form in NORMAL_FORMS:
        tokens = vocabulary.split_string(unicodedata.normalize(form, string))
        if tokens and known.issuperset(tokens) and (length is None or len(tokens) <= length):
            return form
    return None
