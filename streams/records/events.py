"""The events that shoppers cause, after validation. Every later step relies on the limits given here."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta


class Action(StrEnum):
    """The action of a click."""

    VIEW = "view"
    FAVORITE = "favorite"
    CART = "cart"
    PURCHASE = "purchase"
    REMOVE = "remove"
    """Taken out of the cart."""
    REFUND = "refund"
    """Money given back."""


LATEST_MS: Final = 253_402_300_799_999
"""The last instant that RFC 3339 can write, epoch ms. A record's own timestamp may be any 64 bits; an event's must stay
well below, because windows add to it and stores keep the sum in 64 bits."""

MAX_ID_BYTES: Final = 256
MAX_MONEY: Final = 1e9
"""Greatest price x quantity, in the deployment's currency."""
MAX_QUANTITY: Final = 1_000_000
MAX_TITLE_BYTES: Final = 1024
"""A longer title is cut at a character."""

Timestamp: TypeAlias = Annotated[int, Meta(le=LATEST_MS)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
Money: TypeAlias = Annotated[float, Meta(ge=0.0, le=MAX_MONEY)]
Quantity: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
"""Limits that msgspec checks when it decodes a click (`streams.records.plain_clicks`)."""


# Events hold scalars only. No reference cycle can pass through one, so they need no garbage collection.
class Review(msgspec.Struct, frozen=True, gc=False):
    """A review of an item.

    Attributes:
        event_id: 1..256 UTF-8 bytes, unique within a user and topic.
        user_id: 1..256 UTF-8 bytes.
        item_id: 1..256 UTF-8 bytes.
        text: the review as the shopper wrote it; it may be empty.
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
        query: the query as the shopper wrote it; it may be empty.
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
        action: view, favorite, cart, purchase, remove or refund.
        timestamp: epoch milliseconds, UTC.
        category: None when absent.
        price: money for one piece, >= 0, with price x quantity <= 10^9; None when absent.
        quantity: number of pieces, 1..1,000,000.
        currency: the deployment's own; None when absent.
        session_id: 1..256 UTF-8 bytes; None when absent.
        title: what the shop calls the item, at most 1,024 UTF-8 bytes; it may be empty; None when absent.
        order_id: 1..256 UTF-8 bytes, that of every line of an order; None when absent. It means nothing on a refund.
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
    title: str | None = None
    order_id: Id | None = None


class Erasure(msgspec.Struct, frozen=True, gc=False):
    """A request to forget a user.

    Attributes:
        user_id: 1..256 UTF-8 bytes.
        timestamp: epoch milliseconds, UTC.
    """

    user_id: str
    timestamp: int


Event: TypeAlias = Review | Search | Click
"""An event that changes a user's features."""


def text_of(event: Event | Erasure) -> str:
    """Return the text that the user wrote: a review or a query; empty for a click or an erasure."""
    if isinstance(event, Review):
        return event.text
    return event.query if isinstance(event, Search) else ""


def title_of(event: Event | Erasure) -> str:
    """Return the title of a click; empty without one, or for anything else."""
    return event.title or "" if isinstance(event, Click) else ""
