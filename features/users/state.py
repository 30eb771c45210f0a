"""The state of one user: what has been applied, in a form that says for itself whether a record was.

Applying is one synchronous step: counts, vector, offset fence and remembered id change together or not
at all.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.observation import KEY_BYTES, Kind, Observation
from features.outcome import Outcome
from features.text_sum import NO_TEXTS, NO_TITLES
from features.tiles import CategoryTiles, TileLevel
from features.users import orders
from features.users.columns import LAYOUTS, MINUS_ONE_ORDER, measures, order_adds
from features.windows import WINDOWS

REMEMBERED_IDS: Final = 128
"""How many event ids per topic tell a duplicate, first in first out."""

_REMEMBERED_BEFORE: Final = (REMEMBERED_IDS - 1) * KEY_BYTES
NO_OFFSET: Final = -1
# Hop, width and lengths of each level of tiles: made once for all users.
_SHORT, _MIDDLE, _LONG = ((one.level.hop, one.width, one.level.lengths) for one in LAYOUTS)
_SHORT_ADDS, _MIDDLE_ADDS, _LONG_ADDS = (one.adds for one in LAYOUTS)
_SHORT_ORDER, _MIDDLE_ORDER, _LONG_ORDER = map(order_adds, LAYOUTS)
_INTERESTS: Final = WINDOWS[-1].length
# Members of an enumeration are slow to look up, and these are looked up for every event.
_PURCHASE: Final = int(Kind.PURCHASE)
_REFUND: Final = int(Kind.REFUND)
_NO_INTEREST: Final = frozenset({int(Kind.REMOVE), _REFUND})
"""Kinds of events whose category says nothing of what a user likes."""


_APPLIED: Final = Outcome.APPLIED
_DUPLICATE: Final = Outcome.DUPLICATE
_REDELIVERED: Final = Outcome.REDELIVERED
_REFUSED: Final = Outcome.REFUSED


class UserState:
    """Everything remembered of one user.

    Attributes:
        epoch: the assignment of the partition under which this state was last changed.
        sequence: changes ever, erasures included; with `epoch` it orders two states of a user.
        revision: events applied since first seen or last erased.
        life: erasures applied ever; a record of a later life outranks every one of an earlier.
        erased_at: events up to this time (ms) are refused; None if never erased.
        newest, oldest: event times, ms; None before the first event.
        last_purchase: time of the newest purchase, ms, or None.
        lifetime_purchases, lifetime_spend: count, and micro-units.
        lifetime_orders, lifetime_refunded: count, and micro-units.
        remembered: for each of EVENT_SOURCES, the keys of the last events applied, joined.
        orders: those that are remembered, joined (`features.users.orders`).
        encoder: identity of the model whose vectors `texts` sums; empty before the first text.
        taste: the sum of the titles of what was clicked.
        taste_encoder: identity of the model whose vectors `taste` sums; empty before the first title.
        waiting: offsets of the clicks whose titles are still to be read, ascending.
    """

    __slots__ = (
        "by_day",
        "by_five_minutes",
        "by_hour",
        "categories",
        "encoder",
        "epoch",
        "erased_at",
        "last_purchase",
        "life",
        "lifetime_orders",
        "lifetime_purchases",
        "lifetime_refunded",
        "lifetime_spend",
        "newest",
        "offsets",
        "oldest",
        "orders",
        "remembered",
        "revision",
        "sequence",
        "taste",
        "taste_encoder",
        "texts",
        "waiting",
    )

    def __init__(self) -> None:
        self.epoch = 0
        self.sequence = 0
        self.life = 0
        self.offsets = [NO_OFFSET] * 4
        self.erased_at: int | None = None
        self._forget()

    def _forget(self) -> None:
        self.revision = 0
        self.newest: int | None = None
        self.oldest: int | None = None
        self.last_purchase: int | None = None
        self.lifetime_purchases = 0
        self.lifetime_spend = 0
        self.lifetime_orders = 0
        self.lifetime_refunded = 0
        self.orders = b""
        self.remembered = [b"", b"", b""]
        self.by_five_minutes = TileLevel(*_SHORT)
        self.by_hour = TileLevel(*_MIDDLE)
        self.by_day = TileLevel(*_LONG)
        self.categories = CategoryTiles(_INTERESTS)
        self.texts = NO_TEXTS
        self.encoder = ""
        self.taste = NO_TITLES
        self.taste_encoder = ""
        self.waiting: list[int] = []

    def apply(self, seen: Observation, encoder: str) -> Outcome:
        """Apply one observation, or say why it changes nothing.

        Args:
            seen: the observation.
            encoder: identity of the model that made its vectors. Vectors of two identities are never mixed:
                the first text of a new identity starts the sum anew, and so does the first title.
        """
        source, offset, timestamp, key = seen.source, seen.offset, seen.timestamp, seen.event_key
        if offset <= self.offsets[source]:
            return _REDELIVERED
        if self.erased_at is not None and timestamp <= self.erased_at:
            return _REFUSED
        remembered = self.remembered[source]
        if key in remembered and _holds(remembered, key):
            return _DUPLICATE
        self.remembered[source] = remembered[-_REMEMBERED_BEFORE:] + key
        self.offsets[source] = offset
        self.revision += 1
        self.sequence += 1
        if self.newest is None or timestamp > self.newest:
            self.newest = timestamp
        if self.oldest is None or timestamp < self.oldest:
            self.oldest = timestamp
        kind, orders_counted = seen.kind, 0
        if kind == _PURCHASE:
            orders_counted = self._purchase(seen)
        elif kind == _REFUND:
            self.lifetime_refunded += seen.amount or 0
        counted = measures(seen, orders_counted)
        self.by_five_minutes.add(timestamp, _SHORT_ADDS[kind], counted)
        self.by_hour.add(timestamp, _MIDDLE_ADDS[kind], counted)
        reached = self.by_day.add(timestamp, _LONG_ADDS[kind], counted)
        if reached and seen.category is not None and kind not in _NO_INTEREST:
            self.categories.add(timestamp, seen.category)
        if seen.weight or seen.title_weight:
            self._words(seen, encoder)
        return _APPLIED

    def read_title(
        self, offset: int, timestamp: int, weight: float, projected: NDArray[np.float64] | None, encoder: str
    ) -> bool:
        """Take in the title of a click that was applied before its title was read.

        Args:
            offset: of the click.
            timestamp: of the click, ms.
            weight: `Observation.title_weight` of the click.
            projected: float64[64], the projected embedding of the title; None for one that says nothing.
            encoder: identity of the model that made the vector.

        Returns:
            Whether the title was waited for; nothing changes if not.
        """
        waiting = self.waiting
        place = bisect_left(waiting, offset)
        if place == len(waiting) or waiting[place] != offset:
            return False
        del waiting[place]
        self.sequence += 1
        if projected is not None:
            self._taste(timestamp, weight, projected, encoder)
        return True

    def erase(self, timestamp: int, offset: int, source: int) -> Outcome:
        """Forget everything applied so far, and refuse events up to `timestamp` (ms) from now on.

        The source offsets stay, so that a record applied before the erasure is still known as redelivered.
        """
        if offset <= self.offsets[source]:
            return Outcome.REDELIVERED
        self._forget()
        self.offsets[source] = offset
        self.sequence += 1
        self.life += 1
        self.erased_at = timestamp if self.erased_at is None else max(self.erased_at, timestamp)
        return Outcome.APPLIED

    def instant(self, as_of: int | None) -> int:
        """T: the instant the features speak of, max(as-of, time of the newest event), ms."""
        if self.newest is None:
            raise ValueError("expected a user with an applied event: one without has no instant")
        return self.newest if as_of is None else max(as_of, self.newest)

    def _words(self, seen: Observation, encoder: str) -> None:
        """Take in what was written, or the title of what was clicked."""
        if seen.title_waits:
            self.waiting.append(seen.offset)
        elif seen.title is not None:
            self._taste(seen.timestamp, seen.title_weight, seen.title, encoder)
        elif seen.projected is not None:
            if encoder != self.encoder:
                self.texts = NO_TEXTS
                self.encoder = encoder
            self.texts = self.texts.plus(seen.timestamp, seen.weight, seen.projected)

    def _taste(self, timestamp: int, weight: float, title: NDArray[np.float64], encoder: str) -> None:
        if encoder != self.taste_encoder:
            self.taste = NO_TITLES
            self.taste_encoder = encoder
        self.taste = self.taste.plus(timestamp, weight, title)

    def _purchase(self, seen: Observation) -> int:
        """Count a purchase for life; return how many orders, 0 or 1, count at its time because of it."""
        timestamp, spend = seen.timestamp, seen.amount
        self.lifetime_purchases += 1
        if self.last_purchase is None or timestamp > self.last_purchase:
            self.last_purchase = timestamp
        if spend is None:
            return 0
        self.lifetime_spend += spend
        order = seen.order
        if order is not None:
            place = orders.place_of(self.orders, order)
            if place != orders.NOWHERE:
                return self._further_line(place, timestamp)
            self.orders = orders.begun(self.orders, order, timestamp)
        self.lifetime_orders += 1
        return 1

    def _further_line(self, place: int, timestamp: int) -> int:
        """Take in one more line of a remembered order; return 1 if the order counts at the time of this one now."""
        earliest = orders.earliest(self.orders, place)
        if timestamp >= earliest:
            return 0
        self.orders = orders.moved(self.orders, place, timestamp)
        # A tile that no window reaches any more is not there, and nothing has to be taken out of it.
        self.by_five_minutes.add(earliest, _SHORT_ORDER, MINUS_ONE_ORDER)
        self.by_hour.add(earliest, _MIDDLE_ORDER, MINUS_ONE_ORDER)
        self.by_day.add(earliest, _LONG_ORDER, MINUS_ONE_ORDER)
        return 1


def _holds(keys: bytes, key: bytes) -> bool:
    """Whether a key that is somewhere in joined keys is one of them."""
    place = keys.find(key)
    # Bytes that straddle two keys may spell a third.
    while place % KEY_BYTES and place > 0:
        place = keys.find(key, place + 1)
    return place >= 0
