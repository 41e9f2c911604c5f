"""Which data set a preprocessor was made for."""

from seqzoo.pipelines.datasets.addition.sums import load_test_sums
from seqzoo.pipelines.datasets.dates.rows import DatesData, load_dates


def load_test_rows(preprocessor):
    """The test split of the data set that a preprocessor was made for, sums or dates; `None` for any other one."""
    if preprocessor == DatesData().preprocessor(getattr(preprocessor, "reverse", False)):
        return load_dates("test")
    return load_test_sums(preprocessor)
