"""What a section of the comparison is: a generator of rows that says beforehand how long it takes."""


def section(minutes):
    """Marks a function as a section that takes about so many minutes on two cores.

    The function takes the run (see `side_by_side.py`) and yields `Row`s, and paragraphs that stand below their table.
    """

    def mark(function):
        function.minutes = minutes
        return function

    return mark
