"""Numbers in English words."""

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def number_in_words(number):
    """A number from 0 to 999,999 as it is written in American English: `419` is `four hundred nineteen`.

    Raises:
        ValueError: for any other number.
    """
    if not 0 <= number <= 999_999:
        raise ValueError(f"number must be from 0 to 999,999. Received: {number}")
    if number >= 1_000:
        return f"{number_in_words(number // 1_000)} thousand{_rest(number % 1_000)}"
    if number >= 100:
        return f"{_UNITS[number // 100]} hundred{_rest(number % 100)}"
    if number >= 20:
        tens, unit = _TENS[number // 10 - 2], number % 10
        return f"{tens}-{_UNITS[unit]}" if unit else tens
    return _UNITS[number]


def _rest(number):
    return f" {number_in_words(number)}" if number else ""


def words_of_numbers():
    """All words that numbers from 0 to 99,999 are written with, sorted."""
    return sorted({number_in_words(number) for number in range(100)} | {"hundred", "thousand"})
