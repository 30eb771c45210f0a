"""The series that the backtest forecasts: daily units of Complete Journey, by product and by category.

A line of quantity 0 or of no money is no purchase (`streams.offline.complete_journey.purchases` leaves both out), and
a filling of fuel is one unit, because its quantity is in thousandths of a gallon: the greatest of all, 89,638, is one.
Of what is left, 8 lines have more than 50 pieces and the greatest has 144; they stay. The few sales that the data have
on 2018-01-01 are those of a day that is cut off; they are left out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from streams.offline.complete_journey.purchases import LINES, LeftOut, purchases
from streams.offline.demand.protocol import FIRST_DAY, JUDGING, LAST_DAY, PRODUCTS
from streams.progress import Progress

_BEGIN = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp()) * 1000 // DAY
_DAYS = (LAST_DAY - FIRST_DAY).days + 1


@dataclass(frozen=True)
class Journey:
    """Daily units, float64 [days] by name, from the first sale on to `LAST_DAY`.

    Attributes:
        products: the best-selling products before the first judged origin, the best first.
        titles: of the products, by their numbers.
        categories: every category that sold before that origin.
        left_out: lines that are no purchase.
    """

    products: dict[str, NDArray[np.float64]]
    titles: dict[str, str]
    categories: dict[str, NDArray[np.float64]]
    left_out: LeftOut


def journey(progress: Progress) -> Journey:
    """Read the year.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    products: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(_DAYS))
    categories: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(_DAYS))
    titles, left_out = {}, LeftOut()
    for count, purchase in enumerate(purchases(left_out=left_out)):
        if not count % 65_536:
            progress("purchases read", count, LINES)
        day = purchase.timestamp // DAY - _BEGIN
        if 0 <= day < _DAYS:
            products[purchase.product][day] += purchase.units
            categories[purchase.item.category][day] += purchase.units
            titles[purchase.product] = purchase.item.title
    known = (JUDGING[0] - FIRST_DAY).days
    # Equal sales are put in the order of the numbers, so that the choice is always the same.
    best = sorted(products, key=lambda name: (-products[name][:known].sum(), name))[:PRODUCTS]
    return Journey(
        {name: _begun(products[name]) for name in best},
        {name: titles[name] for name in best},
        {name: _begun(units) for name, units in sorted(categories.items()) if units[:known].any()},
        left_out,
    )


def _begun(units: NDArray[np.float64]) -> NDArray[np.float64]:
    return units[np.flatnonzero(units)[0] :]
