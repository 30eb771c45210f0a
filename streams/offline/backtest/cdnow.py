"""The real orders: the CDNOW sample, read as package data of the wheel `lifetimes`.

The sample is the 1/10th systematic sample of the cohort that bought from the online record shop CDNOW for
the first time between January and March 1997, followed until the end of June 1998 (Fader, Hardie and Lee,
"Counting Your Customers the Easy Way", Marketing Science 24(2), 2005).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import util
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError

PERIOD_END: Final = int(datetime(1998, 7, 1, tzinfo=UTC).timestamp()) * 1000
"""The instant the observation ends (exclusive), in epoch milliseconds: midnight UTC after 1998-06-30."""

# The shop's day leaves room before its first order, so that a visit which ends in an order begins on the
# order's own day: no cut-off at a midnight ever falls between a cart and its purchase.
OPENS_MS: Final = 9 * 3_600_000
CLOSES_MS: Final = 23 * 3_600_000

_FILE: Final = "datasets/CDNOW_sample.txt"
_COLUMNS: Final = 5


@dataclass(frozen=True, slots=True)
class Order:
    """One real order.

    Attributes:
        customer_id: the customer's number in the full CDNOW data, as written in the file ("00004").
        timestamp: epoch milliseconds, UTC; the day is real, the time of day is drawn (the file has none).
        units: number of CDs, at least 1.
        dollars: value of the whole order, at least 0 (a few orders were free).
    """

    customer_id: str
    timestamp: int
    units: int
    dollars: float


def orders() -> list[Order]:
    """Read the 6,919 orders of 2,357 customers, in order of time.

    Each order is placed between 09:00 and 23:00 UTC of its date, at a time drawn from its customer and its
    place among that customer's orders: every call returns the same list.

    Raises:
        ConfigurationError: `lifetimes` is not installed, or its file is not the one expected.
    """
    path = _sample_path()
    placed: list[Order] = []
    position: dict[str, int] = {}
    with path.open(encoding="ascii") as lines:
        for number, line in enumerate(lines, start=1):
            order = _parse(line, number, position)
            position[order.customer_id] = position.get(order.customer_id, 0) + 1
            placed.append(order)
    return sorted(placed, key=lambda order: (order.timestamp, order.customer_id))


def _sample_path() -> Path:
    # The package's own __init__ pulls in pandas, scipy and autograd: the file is found without running it.
    spec = util.find_spec("lifetimes")
    roots = spec.submodule_search_locations if spec is not None else None
    if not roots:
        raise ConfigurationError(
            "the backtest reads its orders from the package lifetimes, which is not installed: "
            "pip install 'wherewithal[train]'"
        )
    path = Path(roots[0]) / _FILE
    if not path.is_file():
        raise ConfigurationError(
            f"the package lifetimes is installed without {_FILE}: pip install 'wherewithal[train]'"
        )
    return path


def _parse(line: str, number: int, position: dict[str, int]) -> Order:
    fields = line.split()
    try:
        if len(fields) != _COLUMNS:
            raise ValueError(f"{len(fields)} columns")
        customer_id, _, date, units, dollars = fields
        midnight = int(datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1000
        # A string seed goes through SHA-512, so it does not depend on the interpreter's hash seed.
        clock = random.Random(f"cdnow/{customer_id}/{position.get(customer_id, 0)}")
        return Order(customer_id, midnight + clock.randrange(OPENS_MS, CLOSES_MS), int(units), float(dollars))
    except ValueError as error:
        raise ConfigurationError(
            f"{_FILE}, line {number}: expected customer, sample number, YYYYMMDD, CDs and dollars, "
            f"found something else ({error}): pip install --force-reinstall 'wherewithal[train]'"
        ) from error
