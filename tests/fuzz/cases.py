"""How the tests of files that may be anything draw their cases."""

import pytest
from hypothesis import HealthCheck, given, settings


def cases(quick, slow, minutes):
    """So many cases with every run, the same ones each time; and more, ever new ones, with `-m slow`, in minutes."""
    new = pytest.param({"max_examples": slow}, marks=pytest.mark.slow(minutes=minutes), id="new")
    return pytest.mark.parametrize(
        "count", [pytest.param({"max_examples": quick, "derandomize": True}, id="same"), new]
    )


def check_all(property_, count, **strategies):
    """Checks a property on cases from strategies; `count` is from `cases`."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    options = settings(**count, database=None, deadline=None, suppress_health_check=quiet)
    options(given(**strategies)(property_))()
