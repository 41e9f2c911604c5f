"""Which data set a preprocessor was made for."""

from seqzoo.pipelines.datasets.addition.sums import load_test_sums
from seqzoo.pipelines.datasets.cmudict.rows import CmudictData
from seqzoo.pipelines.datasets.dates.rows import DatesData
from seqzoo.pipelines.datasets.handwritten_numbers.rows import HandwrittenNumbersData


def load_test_rows(preprocessor):
    """The test split of the data set that a preprocessor was made for.

    These are sums, dates, English pronunciations and pictures of numbers.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars; `None` for any other preprocessor.

    Raises:
        ValueError: where the data set has to be downloaded and cannot be.
    """
    numbers = HandwrittenNumbersData()
    if preprocessor == numbers.preprocessor():
        return numbers.load_test()
    orders = [getattr(preprocessor, name, False) for name in ("reverse", "reverse_target")]
    for data in (DatesData(), CmudictData()):
        if preprocessor == data.preprocessor(*orders):
            return data.load_test()
    return load_test_sums(preprocessor)
