"""Which data set a preprocessor was made for."""

from seqzoo.pipelines.datasets.addition.sums import load_test_sums
from seqzoo.pipelines.datasets.cmudict.rows import CmudictData
from seqzoo.pipelines.datasets.dates.rows import DatesData
from seqzoo.pipelines.datasets.handwritten_numbers.rows import HandwrittenNumbersData

_STRINGS = (DatesData(), CmudictData())


def load_test_rows(preprocessor, only_at_hand=False):
    """The test split of the data set that a preprocessor was made for.

    These are sums, dates, English pronunciations and pictures of numbers.

    Args:
        preprocessor: a preprocessor.
        only_at_hand: bool, whether to leave out data sets that have to be downloaded, or need what is not installed.

    Returns:
        `tf.data.Dataset` of `(source, target)` string scalars; `None` for any other preprocessor.

    Raises:
        ValueError: where the data set has to be downloaded and cannot be.
    """
    orders = [getattr(preprocessor, name, False) for name in ("reverse", "reverse_target")]
    numbers = HandwrittenNumbersData()  # Which are not reversed.
    known = [(numbers, numbers.preprocessor()), *((each, each.preprocessor(*orders)) for each in _STRINGS)]
    for data, its_preprocessor in known:
        if preprocessor == its_preprocessor:
            return None if only_at_hand and not data.is_at_hand else data.load_test()
    return load_test_sums(preprocessor)
