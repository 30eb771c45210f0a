"""The state of one item: what has been applied, in a form that says for itself whether a fact was.

Applying is one synchronous step. Facts may come in any order of time and any number of times; the state is the same,
as long as those of one source partition come in the order of their offsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.items.columns import DAYS, LAYOUTS, OF_A_HEAD, measures
from features.items.fact import Fact
from features.items.review_memory import ReviewMemory
from features.observation import Kind
from features.outcome import Outcome
from features.tiles import TileLevel

NO_OFFSET: Final = -1
FORECAST_BYTES: Final = 4096
"""Of a forecast in MessagePack: one that is longer is refused, so that the bytes of an item stay bounded."""

_PARTITION_SHIFT: Final = 2
"""Two bits for a `Source`, the rest for a partition."""
_SHORT, _MIDDLE, _LONG = ((one.level.hop, one.width, one.level.lengths) for one in LAYOUTS)
_SHORT_ADDS, _MIDDLE_ADDS, _LONG_ADDS = (one.adds for one in LAYOUTS)
_HEAD_PLACES: Final = tuple(map(DAYS.place, OF_A_HEAD))
_PURCHASE: Final = int(Kind.PURCHASE)
_REVIEW: Final = int(Kind.REVIEW)
_APPLIED: Final = Outcome.APPLIED
_REDELIVERED: Final = Outcome.REDELIVERED
_REFUSED: Final = Outcome.REFUSED


class ItemState:
    """Everything remembered of one item.

    Attributes:
        epoch: the assignment of the partition under which this state was last changed.
        sequence: changes ever; with `epoch` it orders two states of an item.
        offsets: of one source, the facts topic: the greatest offset of a record that changed the state.
        places: by topic and source partition (`place_key`), the greatest offset of an event whose fact is applied.
        revision: facts applied since first seen or last forgotten.
        newest, oldest: times of facts, ms; None before the first.
        lifetime_purchases, lifetime_revenue: count, and micro-units.
        head: identity of the polarity head whose polarities the tiles sum; empty before the first.
        title, category, price: of the newest click that has one; None without one.
        title_at, category_at, price_at: the time of that click, ms.
        title_encoder: identity of the encoder that has read the title; empty while it is unread.
        title_vector: what it read, unit length; None for a title that says nothing, and while it is unread.
        forecast: the newest forecast, as a MessagePack map; empty without one.
        forecast_at: when that one was made, ms.
        reviews: the last ones, which risk is told from.
    """

    __slots__ = (
        "by_day",
        "by_five_minutes",
        "by_hour",
        "category",
        "category_at",
        "epoch",
        "forecast",
        "forecast_at",
        "head",
        "lifetime_purchases",
        "lifetime_revenue",
        "newest",
        "offsets",
        "oldest",
        "places",
        "price",
        "price_at",
        "reviews",
        "revision",
        "sequence",
        "title",
        "title_at",
        "title_encoder",
        "title_vector",
    )

    life = 0
    """Of every item: what is forgotten of one is told by a tombstone alone."""

    def __init__(self) -> None:
        self.epoch = 0
        self.sequence = 0
        self.offsets = [NO_OFFSET]
        self.places: dict[int, int] = {}
        self._forget()

    def _forget(self) -> None:
        self.revision = 0
        self.newest: int | None = None
        self.oldest: int | None = None
        self.lifetime_purchases = 0
        self.lifetime_revenue = 0
        self.by_five_minutes = TileLevel(*_SHORT)
        self.by_hour = TileLevel(*_MIDDLE)
        self.by_day = TileLevel(*_LONG)
        self.head = ""
        self.title: str | None = None
        self.title_at = 0
        self.title_encoder = ""
        self.title_vector: NDArray[np.float32] | None = None
        self.category: str | None = None
        self.category_at = 0
        self.price: float | None = None
        self.price_at = 0
        self.forecast = b""
        self.forecast_at = 0
        self.reviews = ReviewMemory()

    def apply(self, fact: Fact, partition: int, head: str, offset: int) -> Outcome:
        """Apply one fact, or find that it is a repetition, which changes nothing.

        Args:
            fact: the fact.
            partition: the source partition of its event.
            head: identity of the polarity head that judged its text. Polarities of two heads are never mixed: the first
                one of another head begins the sums anew.
            offset: of the record of the facts topic that brought it.

        Returns:
            APPLIED, or REDELIVERED for a fact at or below the greatest place of its topic and source partition.
        """
        key = place_key(fact.topic, partition)
        if fact.offset <= self.places.get(key, NO_OFFSET):
            return _REDELIVERED
        self.places[key] = fact.offset
        self._changed(offset)
        self.revision += 1
        timestamp, kind = fact.timestamp, fact.kind
        if self.newest is None or timestamp > self.newest:
            self.newest = timestamp
        if self.oldest is None or timestamp < self.oldest:
            self.oldest = timestamp
        if kind == _PURCHASE:
            self.lifetime_purchases += 1
            self.lifetime_revenue += fact.amount or 0
        if fact.polarity is not None and head != self.head:
            self._begin_polarity(head)
        if kind == _REVIEW:
            self.reviews.add(timestamp, fact.amount or 0, fact.polarity, fact.new_reviewer, fact.signature)
        counted = measures(fact)
        self.by_five_minutes.add(timestamp, _SHORT_ADDS[kind], counted)
        self.by_hour.add(timestamp, _MIDDLE_ADDS[kind], counted)
        self.by_day.add(timestamp, _LONG_ADDS[kind], counted)
        self._describe(fact, timestamp)
        return _APPLIED

    def forget(self, offset: int) -> Outcome:
        """Forget everything applied so far; what comes later counts from zero.

        The places stay, so that a fact applied before is still known as a repetition.

        Args:
            offset: of the record of the facts topic that asks for it.
        """
        if offset <= self.offsets[0]:
            return _REDELIVERED
        self._forget()
        self._changed(offset)
        return _APPLIED

    def take_forecast(self, made_at: int, forecast: Mapping[str, Any], offset: int) -> Outcome:
        """Keep a forecast, unless a newer one is kept.

        Args:
            made_at: when it was made, ms.
            forecast: what it says; never looked into.
            offset: of the record of the facts topic that brought it.

        Returns:
            REFUSED for one that is older than the one kept, or longer than `FORECAST_BYTES`, or of an item without a
            fact, which has no T that a record could speak of.
        """
        if offset <= self.offsets[0]:
            return _REDELIVERED
        if self.newest is None or (self.forecast and made_at < self.forecast_at):
            return _REFUSED
        encoded = msgspec.msgpack.encode(forecast)
        if len(encoded) > FORECAST_BYTES:
            return _REFUSED
        self.forecast, self.forecast_at = encoded, made_at
        self._changed(offset)
        return _APPLIED

    def title_waits(self, encoder: str) -> bool:
        """Whether the title is still to be read by an encoder; an empty one says nothing."""
        return bool(self.title) and self.title_encoder != encoder

    def read_title(self, title: str, projected: NDArray[np.float64] | None, encoder: str) -> bool:
        """Take in what an encoder read.

        Args:
            title: that was read.
            projected: float64[64], its projected embedding; None for one that says nothing.
            encoder: identity of the encoder.

        Returns:
            Whether this title was waited for; nothing changes if not.
        """
        if title != self.title or not self.title_waits(encoder):
            return False
        self.sequence += 1
        self.title_encoder = encoder
        self.title_vector = None if projected is None else _unit(projected)
        return True

    def instant(self, as_of: int | None) -> int:
        """T: the instant the features speak of, max(as-of, time of the newest fact), ms."""
        if self.newest is None:
            raise ValueError("expected an item with an applied fact: one without has no instant")
        return self.newest if as_of is None else max(as_of, self.newest)

    def _changed(self, offset: int) -> None:
        self.sequence += 1
        if offset > self.offsets[0]:
            self.offsets[0] = offset

    def _begin_polarity(self, head: str) -> None:
        self.head = head
        level = self.by_day
        if level.flat:
            zeros = [0] * len(level.indices)
            for place in _HEAD_PLACES:
                level.flat[place :: level.width] = zeros
        level.windows = None
        self.reviews.forget_polarities()

    def _describe(self, fact: Fact, timestamp: int) -> None:
        """Take in what the item is called and costs, if it is newer than what is known, or as new and greater."""
        # Characters are ordered by their numbers, and so is their UTF-8.
        title, category, price = fact.title, fact.category, fact.price
        if title is not None and (self.title is None or (timestamp, title) > (self.title_at, self.title)):
            self.title_at = timestamp
            if title != self.title:
                self.title, self.title_encoder, self.title_vector = title, "", None
        if category is not None and (
            self.category is None or (timestamp, category) > (self.category_at, self.category)
        ):
            self.category, self.category_at = category, timestamp
        if price is not None and (self.price is None or (timestamp, price) > (self.price_at, self.price)):
            # Of -0.0, which a price may be, this makes 0.0: the two are equal, and the first would stay.
            self.price, self.price_at = price + 0.0, timestamp


def place_key(topic: int, partition: int) -> int:
    """Return the key of `ItemState.places` of a source partition."""
    return partition << _PARTITION_SHIFT | topic


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float32] | None:
    length = float(np.linalg.norm(vector))
    return None if length == 0.0 else (vector / length).astype(np.float32)
