"""The events a shopper causes, after validation: what every later step may rely on."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta


class Action(StrEnum):
    """What a click did."""

    VIEW = "view"
    FAVORITE = "favorite"
    CART = "cart"
    PURCHASE = "purchase"
    REMOVE = "remove"
    """Taken out of the cart."""


LATEST_MS: Final = 253_402_300_799_999
"""The last instant that RFC 3339 can write. A record's own timestamp may claim any 64 bits; what stores hold of an
event's, and windows add to it, must stay within them."""

MAX_ID_BYTES: Final = 256
MAX_MONEY: Final = 1e9
"""Greatest price x quantity, in the deployment's currency."""
MAX_QUANTITY: Final = 1_000_000

Timestamp: TypeAlias = Annotated[int, Meta(le=LATEST_MS)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
Money: TypeAlias = Annotated[float, Meta(ge=0.0, le=MAX_MONEY)]
Quantity: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
"""What msgspec checks when it decodes a click: `streams.records.plain_clicks` has it do so."""


# Events hold scalars only, so no reference cycle can pass through one: they need no garbage collection.
class Review(msgspec.Struct, frozen=True, gc=False):
    """A review of an item.

    Attributes:
        event_id: 1..256 UTF-8 bytes, unique within a user and topic.
        user_id: 1..256 UTF-8 bytes.
        item_id: 1..256 UTF-8 bytes.
        text: what was written, as it came; it may be empty.
        rating: 1..5.
        timestamp: epoch milliseconds, UTC.
        category: None when absent.
        price: money, 0..10^9; None when absent.
        locale: None when absent.
        currency: the deployment's own; None when absent.
    """

    event_id: str
    user_id: str
    item_id: str
    text: str
    rating: float
    timestamp: int
    category: str | None = None
    price: float | None = None
    locale: str | None = None
    currency: str | None = None


class Search(msgspec.Struct, frozen=True, gc=False):
    """A search of the shop.

    Attributes:
        event_id: 1..256 UTF-8 bytes, unique within a user and topic.
        user_id: 1..256 UTF-8 bytes.
        query: what was searched, as it came; it may be empty.
        timestamp: epoch milliseconds, UTC.
        category: None when absent.
        results: number of results shown, >= 0 and finite; None when absent.
    """

    event_id: str
    user_id: str
    query: str
    timestamp: int
    category: str | None = None
    results: float | None = None


class Click(msgspec.Struct, frozen=True, gc=False):
    """A click on an item.

    Attributes:
        event_id: 1..256 UTF-8 bytes, unique within a user and topic.
        user_id: 1..256 UTF-8 bytes.
        item_id: 1..256 UTF-8 bytes.
        action: what the click did.
        timestamp: epoch milliseconds, UTC.
        category: None when absent.
        price: money for one piece, >= 0, with price x quantity <= 10^9; None when absent.
        quantity: number of pieces, 1..1,000,000.
        currency: the deployment's own; None when absent.
        session_id: 1..256 UTF-8 bytes; None when absent.
    """

    event_id: Id
    user_id: Id
    item_id: Id
    action: Action
    timestamp: Timestamp
    category: str | None = None
    price: Money | None = None
    quantity: Quantity = 1
    currency: str | None = None
    session_id: Id | None = None


class Erasure(msgspec.Struct, frozen=True, gc=False):
    """A request to forget a user.

    Attributes:
        user_id: 1..256 UTF-8 bytes.
        timestamp: epoch milliseconds, UTC.
    """

    user_id: str
    timestamp: int


Event: TypeAlias = Review | Search | Click
"""What changes a user's features."""
