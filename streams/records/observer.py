"""Turning a validated event into the observation that a user's state applies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.observation import (
    REVIEW_WEIGHT,
    SEARCH_WEIGHT,
    TITLE_WEIGHTS,
    Kind,
    Observation,
    Source,
    category_key,
    event_key,
    to_micros,
)
from streams.records.events import Action, Click, Event, Review, Search

OTHER: Final = "other"
"""The category of every name that the artefact's closed list does not hold."""


# Members of an enumeration are slow to look up, and these are looked up for every event.
_VIEW: Final = int(Kind.VIEW)
_PURCHASE: Final = int(Kind.PURCHASE)
_REFUND: Final = int(Kind.REFUND)
_CLICKS: Final = int(Source.CLICKS)
_KIND_OF: Final = {
    Action.VIEW: _VIEW,
    Action.FAVORITE: int(Kind.FAVORITE),
    Action.CART: int(Kind.CART),
    Action.PURCHASE: _PURCHASE,
    Action.REMOVE: int(Kind.REMOVE),
    Action.REFUND: _REFUND,
}
_MONEY_OF_ALL: Final = frozenset({_PURCHASE, _REFUND})
"""Kinds whose amount is price x quantity."""
_TITLE_WEIGHTS: Final = {int(kind): weight for kind, weight in TITLE_WEIGHTS.items()}


class Reading(msgspec.Struct, gc=False):
    """The result of reading a text or a title.

    Attributes:
        noisy: whether it is advertising or gibberish, judged from the text alone.
        projected: float64[64], its projected embedding; None for a noisy text or one empty after cleaning.
        polarity: how much it praises (towards 1) or complains (towards -1); None for a noisy text, one empty after
            cleaning, a title, and where there is no head for it.
    """

    noisy: bool
    projected: NDArray[np.float64] | None
    polarity: float | None = None


NOTHING_READ: Final = Reading(noisy=False, projected=None)


class Observer:
    """Turns events into observations.

    Args:
        categories: the closed list of categories that are counted by name.

    Attributes:
        other: the key of every category that is not in the list.
    """

    def __init__(self, categories: Iterable[str]) -> None:
        self.other = category_key(OTHER)
        self.use(categories)

    def use(self, categories: Iterable[str]) -> None:
        """Count these categories by name from now on."""
        self._keys = {name: category_key(name) for name in categories}

    def observe(self, event: Event, offset: int, reading: Reading | None = NOTHING_READ) -> Observation:
        """Return the observation of an event at `offset`.

        Args:
            event: what happened.
            offset: of its record.
            reading: of the text of a review or a search, or of the title of a click; None for a title that is still to
                be read.
        """
        if type(event) is Click:
            return self._click(event, offset, reading)
        assert reading is not None
        if type(event) is Review:
            return self._text(event, offset, Kind.REVIEW, Source.REVIEWS, REVIEW_WEIGHT, reading)
        assert type(event) is Search
        return self._text(event, offset, Kind.SEARCH, Source.SEARCHES, SEARCH_WEIGHT, reading)

    def _click(self, event: Click, offset: int, reading: Reading | None) -> Observation:
        kind, price = _KIND_OF[event.action], event.price
        amount, units, order = None, 0, None
        if price is not None:
            if kind in _MONEY_OF_ALL:
                amount = to_micros(price * event.quantity)
                if kind == _PURCHASE:
                    units = event.quantity
                    order = None if event.order_id is None else event_key(event.order_id)
            elif kind == _VIEW:
                amount = to_micros(price)
        title_weight = _TITLE_WEIGHTS.get(kind, 0.0) if event.title else 0.0
        return Observation(
            kind=kind,
            source=_CLICKS,
            offset=offset,
            timestamp=event.timestamp,
            event_key=event_key(event.event_id),
            amount=amount,
            category=None if event.category is None else self._keys.get(event.category, self.other),
            units=units,
            order=order,
            title_weight=title_weight,
            title=None if reading is None else reading.projected,
            title_waits=reading is None and title_weight > 0.0,
        )

    def _text(
        self, event: Review | Search, offset: int, kind: Kind, source: Source, weight: float, reading: Reading
    ) -> Observation:
        return Observation(
            kind=int(kind),
            source=int(source),
            offset=offset,
            timestamp=event.timestamp,
            event_key=event_key(event.event_id),
            amount=to_micros(event.rating) if isinstance(event, Review) else None,
            category=None if event.category is None else self._keys.get(event.category, self.other),
            noisy=reading.noisy,
            weight=0.0 if reading.projected is None else weight,
            projected=reading.projected,
        )
