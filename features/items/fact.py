"""What one applied event of a user says of an item; it names no user."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, array_like=True, gc=False):
    """One applied click or review, as an item sees it.

    Its place is (`topic`, the source partition, `offset`); the source partition is that of the batch it travels in.

    Attributes:
        topic: a `Source`, REVIEWS or CLICKS.
        offset: of the event's record in its partition of that topic.
        item_id: the item, 1..256 UTF-8 bytes.
        timestamp: of the event, ms, but no later than the Kafka timestamp of its record.
        kind: a `Kind`.
        amount: micro-units: money of a purchase or a refund that has a price, rating of a review; else None.
        units: pieces of a purchase that has a price; 0 for anything else.
        price: of a click that has one, as it came.
        title: of a click that has one; an empty one is a title.
        category: of a click that has one.
        noisy: whether the text of a review is noise by itself.
        polarity: of a review, in micro-units, -1,000,000..1,000,000; None for a text that is noisy or empty after
            cleaning, and where no head is loaded.
        signature: of a review's text (`features.items`); empty for none.
        new_reviewer: whether whoever wrote the review was new to the shop.
    """

    topic: int
    offset: int
    item_id: str
    timestamp: int
    kind: int
    amount: int | None = None
    units: int = 0
    price: float | None = None
    title: str | None = None
    category: str | None = None
    noisy: bool = False
    polarity: int | None = None
    signature: bytes = b""
    new_reviewer: bool = False
