"""Complete Journey folded for the ablation: features after so many baskets, and what was bought up to then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.observation import Kind, Observation, Source, event_key, to_micros
from features.text_sum import TASTE_HALF_LIFE
from features.users.catalogue import NAMES
from features.users.row import Value, scalars
from features.users.state import UserState
from models.libraries import library
from streams.contract import HORIZON
from streams.offline.complete_journey.purchases import Purchase

BASKETS: Final = (1, 3, 10, 30)
"""After how many baskets a household is looked at, beside the end of the year and the start of its last 30 days."""

YEAR: Final = "year"
BEFORE: Final = "30 days before the end"


@dataclass
class Snapshot:
    """Households at one point of their history.

    Attributes:
        users: the ids, in the order of the rows.
        rows: the scalars of each.
        bought: of each, the titles and the share of the taste that each has: exact, since the taste is a linear sum.
        plain: likewise without the half-life: the number of lines.
    """

    users: list[str] = field(default_factory=list)
    rows: list[tuple[Value, ...]] = field(default_factory=list)
    bought: list[dict[int, float]] = field(default_factory=list)
    plain: list[dict[int, float]] = field(default_factory=list)

    @property
    def values(self) -> NDArray[np.float64]:
        """The scalars: float64 [n, k], NaN for null."""
        return np.array(self.rows, dtype=np.float64).reshape(len(self.rows), len(NAMES))


@dataclass
class Journey:
    """All households at all points, and the words of what they bought.

    Attributes:
        snapshots: by name: the number of baskets, `YEAR` or `BEFORE`.
        titles: each distinct one; a title's number is its place.
        categories: of each title.
        spent: money of each household in the last 30 days.
    """

    snapshots: dict[str, Snapshot]
    titles: list[str]
    categories: list[str]
    spent: dict[str, float]


@dataclass
class _Household:
    state: UserState = field(default_factory=UserState)
    baskets: set[str] = field(default_factory=set)
    lines: list[tuple[int, int]] = field(default_factory=list)


def fold(purchases: Callable[[], Iterable[Purchase]]) -> Journey:
    """Apply purchases by time, and look at each household on the way.

    The states are those of the worker, and so are their rows. Titles are kept by number rather than read, so that one
    pass serves every way to read them.

    Args:
        purchases: yields them by time, those of a basket together; read twice, for memory's sake.
    """
    households: dict[str, _Household] = {}
    numbers: dict[str, int] = {}
    categories: list[str] = []
    journey = Journey({str(count): Snapshot() for count in BASKETS}, [], categories, {})
    cut = max(purchase.timestamp for purchase in purchases()) - HORIZON
    for offset, purchase in enumerate(purchases()):
        if purchase.timestamp > cut:
            if BEFORE not in journey.snapshots:
                _look(journey.snapshots.setdefault(BEFORE, Snapshot()), households, cut)
            journey.spent[purchase.household] = journey.spent.get(purchase.household, 0.0) + purchase.paid
        household = households.setdefault(purchase.household, _Household())
        if purchase.basket not in household.baskets:
            _look_after(journey, purchase.household, household)
            household.baskets.add(purchase.basket)
        title = numbers.setdefault(purchase.item.title, len(numbers))
        if title == len(categories):
            categories.append(purchase.item.category)
        household.lines.append((title, purchase.timestamp))
        household.state.apply(_observation(purchase, offset), "")
    for user, household in households.items():
        _look_after(journey, user, household)
    _look(journey.snapshots.setdefault(YEAR, Snapshot()), households, None)
    journey.titles = list(numbers)
    return journey


def _observation(purchase: Purchase, offset: int) -> Observation:
    return Observation(
        kind=Kind.PURCHASE,
        source=Source.CLICKS,
        offset=offset,
        timestamp=purchase.timestamp,
        event_key=event_key(f"{purchase.basket}-{purchase.product}"),
        # A click names the price of one piece: money is rounded as it is on that way.
        amount=to_micros(purchase.paid / purchase.units * purchase.units),
        units=purchase.units,
        order=event_key(purchase.basket),
    )


def _look_after(journey: Journey, user: str, household: _Household) -> None:
    found = journey.snapshots.get(str(len(household.baskets)))
    if found is not None:
        _add(found, user, household, None)


def _look(found: Snapshot, households: dict[str, _Household], as_of: int | None) -> None:
    for user, household in households.items():
        _add(found, user, household, as_of)


def _add(found: Snapshot, user: str, household: _Household, as_of: int | None) -> None:
    instant = household.state.instant(as_of)
    decayed: dict[int, float] = {}
    for title, timestamp in household.lines:
        decayed[title] = decayed.get(title, 0.0) + 2.0 ** ((timestamp - instant) / TASTE_HALF_LIFE)
    found.users.append(user)
    found.rows.append(scalars(household.state, instant))
    found.bought.append(decayed)
    found.plain.append({title: float(count) for title, count in Counter(title for title, _ in household.lines).items()})


def sparse(bought: list[dict[int, float]], titles: int) -> Any:
    """Return the weights of titles as a sparse matrix: float64 [n, titles]."""
    starts = np.cumsum([0, *(len(row) for row in bought)])
    columns = np.fromiter((title for row in bought for title in row), dtype=np.int64, count=int(starts[-1]))
    weights = np.fromiter((weight for row in bought for weight in row.values()), np.float64, count=int(starts[-1]))
    return library("scipy.sparse").csr_matrix((weights, columns, starts), shape=(len(bought), titles))
