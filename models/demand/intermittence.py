"""How a series of sales comes: often or seldom, in like amounts or in unlike ones."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

INTERVAL_BOUND: Final = 1.32
"""Days between two days with sales, on average, from which a series is intermittent."""

VARIATION_BOUND: Final = 0.49
"""Squared coefficient of variation of what a day with sales sells, from which it is erratic."""


class Pattern(StrEnum):
    """The four classes of Syntetos, Boylan and Croston (2005), and the one of too few sales for any."""

    SMOOTH = "smooth"
    """Often, in like amounts."""
    ERRATIC = "erratic"
    """Often, in unlike amounts."""
    INTERMITTENT = "intermittent"
    """Seldom, in like amounts."""
    LUMPY = "lumpy"
    """Seldom, in unlike amounts."""
    RARE = "rare"
    """Fewer than two days with sales: there is no interval between them."""


def pattern(units: NDArray[np.float64]) -> Pattern:
    """Return the class of a series.

    The average interval is the days divided by the days with sales. Source: Syntetos, Boylan and Croston, "On the
    categorization of demand patterns", Journal of the Operational Research Society 56(5), 2005.

    Args:
        units: [days], >= 0, from the first event on.
    """
    sold = units[units > 0]
    if len(sold) < 2:
        return Pattern.RARE
    seldom = len(units) / len(sold) >= INTERVAL_BOUND
    unlike = float(np.var(sold)) / float(np.mean(sold)) ** 2 >= VARIATION_BOUND
    if seldom:
        return Pattern.LUMPY if unlike else Pattern.INTERMITTENT
    return Pattern.ERRATIC if unlike else Pattern.SMOOTH
