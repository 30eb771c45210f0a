"""One event as the user state sees it: integers only, with the text already turned into a vector."""

from __future__ import annotations

from enum import IntEnum
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

MICRO: Final = 1_000_000
"""Micro-units in one unit of money or rating."""
KEY_BYTES: Final = 8
"""Length of the hash of the id of an event or an order."""


class Kind(IntEnum):
    """What a user did."""

    VIEW = 1
    FAVORITE = 2
    CART = 3
    PURCHASE = 4
    SEARCH = 5
    REVIEW = 6
    REMOVE = 7
    REFUND = 8


class Source(IntEnum):
    """The input topic an event came from; the values index the offset fence of a user."""

    REVIEWS = 0
    SEARCHES = 1
    CLICKS = 2
    ERASURES = 3


EVENT_SOURCES: Final = (Source.REVIEWS, Source.SEARCHES, Source.CLICKS)


def source_of(kind: Kind) -> Source:
    """Return the topic that events of a kind come from."""
    return {Kind.REVIEW: Source.REVIEWS, Kind.SEARCH: Source.SEARCHES}.get(kind, Source.CLICKS)


class Observation(msgspec.Struct, gc=False):
    """One validated event.

    Attributes:
        kind: a `Kind`.
        source: a `Source`, one of `EVENT_SOURCES`.
        offset: the record's offset in its partition of that topic.
        timestamp: event time, ms since the epoch.
        event_key: 8-byte hash of the event id (`event_key`).
        amount: micro-units: price of a view, money of a purchase or a refund, rating of a review; None when unknown.
        category: 32-bit key of the event's category (`category_key`), or None.
        noisy: whether the text, by itself, is advertising or gibberish.
        weight: what the text counts for in the profile vector; 0 for none.
        projected: float64[64], the projected embedding of the text; None when `weight` is 0.
        units: pieces of a purchase that has a price; 0 for anything else.
        order: 8-byte hash of the order id of a purchase that has a price (`event_key`); None without one.
        title_weight: what the title counts for in the taste vector (`TITLE_WEIGHTS`); 0 for none.
        title: float64[64], the projected embedding of the title; None for one that says nothing or that waits.
        title_waits: whether the title is still to be read.
    """

    kind: int
    source: int
    offset: int
    timestamp: int
    event_key: bytes
    amount: int | None = None
    category: int | None = None
    noisy: bool = False
    weight: float = 0.0
    projected: NDArray[np.float64] | None = None
    units: int = 0
    order: bytes | None = None
    title_weight: float = 0.0
    title: NDArray[np.float64] | None = None
    title_waits: bool = False


def to_micros(amount: float) -> int:
    """Money, a price or a rating in integer micro-units, so that the order of a sum cannot change a digit."""
    return round(amount * 1e6)


def event_key(event_id: str) -> bytes:
    """Return the 64-bit hash, 8 bytes, under which the id of an event or an order is remembered.

    BLAKE2b rather than a faster hash: nobody who may choose ids may make two of them collide.
    """
    return blake2b(event_id.encode(), digest_size=KEY_BYTES).digest()


def category_key(name: str) -> int:
    """Return the 32-bit hash under which a category of a closed list is counted, whatever its rank there."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little")


# Applied by `streams.records.observer`, which turns events into observations.
REVIEW_WEIGHT: Final = 1.0
"""What the text of a review counts in the profile."""
SEARCH_WEIGHT: Final = 0.5
"""What the text of a search counts."""
TITLE_WEIGHTS: Final = {Kind.VIEW: 0.25, Kind.FAVORITE: 0.5, Kind.CART: 0.5, Kind.PURCHASE: 1.0}
"""What the title of a click counts in the taste vector, by its kind; that of any other nothing."""
