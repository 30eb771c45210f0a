"""What the backtest of forecasts of demand judges, and when: fixed before any method was fitted.

Every origin is a Monday, because a season has 7 days. A forecast made at an origin knows the days before it and tells
the units of the 7 and of the 28 days from it on. Methods are chosen by the origins of `CHOOSING`, whose last outcome
ends the day before the first origin of `JUDGING`. What is reported comes from `JUDGING` alone.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

SEASON: Final = 7
"""Days after which a pattern of sales repeats itself."""

HORIZONS: Final = (7, 28)
"""Days that a forecast adds up."""

FIRST_DAY: Final = date(2017, 1, 1)
"""Of the data."""

LAST_DAY: Final = date(2017, 12, 31)
"""Of the data."""

STEP: Final = timedelta(days=7)
"""Between two origins."""

CHOOSING: Final = tuple(date(2017, 5, 1) + k * STEP for k in range(15))
"""Origins by which methods are chosen: 2017-05-01 to 2017-08-07."""

JUDGING: Final = tuple(date(2017, 9, 4) + k * STEP for k in range(14))
"""Origins that are reported: 2017-09-04 to 2017-12-04. The 28 days of the last end with the data."""

PRODUCTS: Final = 200
"""Best-selling products, by units before the first origin of `JUDGING`: who sells best later is not known there."""

LEVELS: Final = (80, 95)
"""Nominal coverage of the intervals, in per cent."""
