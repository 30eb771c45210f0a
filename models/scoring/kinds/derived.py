"""Columns made of other features: the rest of a shopper's orders and spend as they fade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError

Vector = NDArray[np.float64]

HALF_LIVES_DAYS: Final = (30.0, 60.0, 120.0)

_ORDERS: Final = "lifetime_orders"
_LINES: Final = "lifetime_purchases"
"""What counted as orders before an order could have several lines: an artefact of then keeps it."""
_SPEND: Final = "lifetime_spend"
_AGE: Final = "tenure_days"
_IDLE: Final = "days_since_last_purchase"

# An order placed and scored on the same day has no gap to integrate over.
_SHORTEST_GAP_DAYS: Final = 1.0


@dataclass(frozen=True, eq=False)
class Derived:
    """2 + 2h columns made of four features, for h half-lives; none at all for none.

    They are the days from the first event to the last purchase, the mean order value, and for each half-life the
    orders and the spend that remain when an order counts 2^(-days since it / half-life). A feature row has no list of
    orders: their fading is exact for one or two, whose times are the first and the last; those between are taken as
    spread evenly.

    Attributes:
        names: the k features of a row.
        half_lives_days: each > 0.

    Raises:
        ArtefactError: half-lives that are not positive, or names without the four features.
    """

    names: tuple[str, ...]
    half_lives_days: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(np.isfinite(days) and days > 0 for days in self.half_lives_days):
            raise ArtefactError("half-lives: expected days > 0, found others; train the artefact again")
        if self.half_lives_days and not set(self._read) <= set(self.names):
            raise ArtefactError(
                f"half-lives: expected the features {', '.join(self._read)} beside them, found some missing; "
                "train the artefact again"
            )

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Return the columns that can be made of these features."""
        return cls(tuple(names), HALF_LIVES_DAYS if set(_read(names)) <= set(names) else ())

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        if not self.half_lives_days:
            return ()
        faded = [f"{what}_left_{days:g}d" for days in self.half_lives_days for what in ("orders", "spend")]
        return ("days_from_first_event_to_last_purchase", "mean_order_value", *faded)

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """For each column the position of the feature that it is chiefly made of: int64 [2 + 2h]."""
        if not self.half_lives_days:
            return np.empty(0, dtype=np.int64)
        chiefly = (_AGE, _SPEND, *self._read[:2] * len(self.half_lives_days))
        return np.array([self.names.index(name) for name in chiefly], dtype=np.int64)

    def extend(self, values: Vector) -> Vector:
        """Put the columns beside the features they are made of.

        Args:
            values: float64 [n, k], NaN for null.

        Returns:
            float64 [n, k + 2 + 2h]; NaN without a purchase; but the orders and spend left are then 0.
        """
        if not self.half_lives_days:
            return values
        # Copied out: numpy may round the exponential of a strided row differently from that of a dense one.
        orders, spend, age, idle = (np.ascontiguousarray(values[:, position]) for position in self._positions)
        bought = orders > 0
        mean_order = np.where(bought, spend / np.where(bought, orders, 1.0), np.nan)
        extended = np.empty((len(values), values.shape[1] + len(self.columns)))
        width = values.shape[1]
        extended[:, :width] = values
        extended[:, width] = age - idle
        extended[:, width + 1] = mean_order
        # All half-lives at once: a worker scores few users at a time, and the number of calls then decides the time.
        half_lives = np.array(self.half_lives_days)[:, np.newaxis]
        left = np.where(bought, orders_left(orders, age, idle, half_lives), 0.0)
        extended[:, width + 2 :: 2] = left.T
        extended[:, width + 3 :: 2] = np.where(bought, left * mean_order, 0.0).T
        return extended

    @cached_property
    def _positions(self) -> tuple[int, ...]:
        return tuple(self.names.index(name) for name in self._read)

    @property
    def _read(self) -> tuple[str, ...]:
        return _read(self.names)


def _read(names: Sequence[str]) -> tuple[str, ...]:
    """Return the features that the columns are made of: orders, spend, age and idle days."""
    return (_ORDERS if _ORDERS in names else _LINES, _SPEND, _AGE, _IDLE)


def orders_left(orders: Vector, age_days: Vector, idle_days: Vector, half_life_days: float | Vector) -> Vector:
    """Return how many orders remain when each counts 2^(-days since it / half-life).

    Args:
        orders: float64 [n], >= 1.
        age_days: float64 [n], since the first order.
        idle_days: float64 [n], since the last order.
        half_life_days: > 0; one, or float64 [h, 1].

    Returns:
        float64 [n], or [h, n]; exact for one or two orders, the others spread evenly between the first and the last.
    """
    decay = np.log(2.0) / half_life_days
    first, last = np.exp(-decay * age_days), np.exp(-decay * idle_days)
    gap = age_days - idle_days
    spread = (last - first) / (decay * np.maximum(gap, _SHORTEST_GAP_DAYS))
    between = np.where(gap < _SHORTEST_GAP_DAYS, last, spread)
    left: Vector = np.where(orders < 2, last, first + last + (orders - 2) * between)
    return left
