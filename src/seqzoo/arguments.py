"""Arguments of the command line: their types, and what is said about wrong ones."""

import argparse
import functools
import re
import sys


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one `error:` line, and which says how to give a text that begins with `-`."""

    # Whether options may stand between the positional arguments, which argparse before Python 3.12 refuses.
    is_intermixed = False
    # Whether a positional argument is text of the user's, which may begin with -.
    takes_text = False
    _received, _is_parsing = (), False

    def parse_known_args(self, args=None, namespace=None):
        """As of argparse; but unknown options are an error here where one of them may be meant as text."""
        if self._is_parsing:
            return super().parse_known_args(args, namespace)
        self._received, self._is_parsing = list(sys.argv[1:] if args is None else args), True
        try:
            parse = self.parse_known_intermixed_args if self.is_intermixed else super().parse_known_args
            namespace, unknown = parse(args, namespace)
        finally:
            self._is_parsing = False
        if unknown and self.takes_text:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message):
        """Prints the error and ends with status 2."""
        self.exit(2, f"error: {message}{self._hint(message)} (see {self.prog} --help)\n")

    def _hint(self, message):
        """What to do about a text that begins with - and so is taken for an option."""
        if self.takes_text and message.startswith(("unrecognized", "the following arguments are required")):
            for text in self._received[: [*self._received, "--"].index("--")]:
                name = text.partition("=")[0]
                if text.startswith("-") and not any(option.startswith(name) for option in self._option_string_actions):
                    return f"; put -- before a source that begins with -: {self.prog} PRESET|FILE -- {text}"
        if option := re.match(r"argument (\S+): expected one argument", message):
            for name, value in zip(self._received, self._received[1:], strict=False):
                if name == option[1] and value.startswith("-"):
                    return f"; write a value that begins with - as {name}={value}"
        return ""


def setting(text):
    """`NAME=VALUE`, as `(name, value)`."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name.strip().replace("-", "_"), value


def separator(text):
    r"""What stands between source and target; `\t`, two characters, is a tab."""
    return "\t" if text == r"\t" else text


def _whole_number(text, lowest, highest):
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"must be a whole number from {lowest} to {highest}, not {text!r}")
    return int(text)


positive = functools.partial(_whole_number, lowest=1, highest=2**31 - 1)
natural = functools.partial(_whole_number, lowest=0, highest=2**31 - 1)
seed = functools.partial(_whole_number, lowest=0, highest=2**32 - 1)
port = functools.partial(_whole_number, lowest=0, highest=65535)


def _number(text, is_valid, expected):
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not is_valid(number):
        raise argparse.ArgumentTypeError(f"must be a number {expected}, not {text!r}")
    return number


_INFINITY = float("inf")
positive_float = functools.partial(_number, is_valid=lambda x: 0 < x < _INFINITY, expected="above 0")
not_negative = functools.partial(_number, is_valid=lambda x: 0 <= x < _INFINITY, expected="from 0")
share = functools.partial(_number, is_valid=lambda x: 0 <= x < 1, expected="from 0 and below 1")
