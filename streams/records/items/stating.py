"""Stating what an applied event says of its item: from the event of a user to the fact of an item."""

from __future__ import annotations

from typing import Final

from features.items.fact import Fact
from features.items.review_signature import signature
from features.observation import Kind, Observation, Source, to_micros
from features.tiles import DAY
from streams.records.events import Click, Review
from streams.records.fields import cut
from streams.records.observer import Reading

NEW_FOR: Final = DAY
"""A reviewer is new to the shop for so long (ms) after the first event that it applied of them."""

NEW_EVENTS: Final = 3
"""A reviewer is new to the shop with so many events, whenever the first of them was."""

MOST_CATEGORY_BYTES: Final = 32_768
"""UTF-8 bytes that an item remembers of a category. An event may carry as much as a record holds."""

# Members of an enumeration are slow to look up, and these are looked up for every event.
_CLICKS: Final = int(Source.CLICKS)
_REVIEWS: Final = int(Source.REVIEWS)
_VIEW: Final = int(Kind.VIEW)


def fact_of_click(click: Click, seen: Observation, arrived: int) -> Fact:
    """Return the fact of a click.

    Args:
        click: an event that was applied.
        seen: what the user's state applied of it.
        arrived: Kafka timestamp of its record, ms: no fact is later, so that one phone's clock cannot blank an item.
    """
    kind, timestamp = seen.kind, click.timestamp
    return Fact(
        _CLICKS,
        seen.offset,
        click.item_id,
        timestamp if timestamp <= arrived else arrived,
        kind,
        None if kind == _VIEW else seen.amount,
        seen.units,
        click.price,
        click.title,
        # An item remembers it, and its state is bounded.
        None if click.category is None else cut(click.category, MOST_CATEGORY_BYTES),
    )


def fact_of_review(
    review: Review, seen: Observation, arrived: int, reading: Reading, first_seen: int | None, events: int
) -> Fact:
    """Return the fact of a review.

    Args:
        review: an event that was applied.
        seen: what the user's state applied of it.
        arrived: Kafka timestamp of its record, ms.
        reading: of its text.
        first_seen: time of the oldest event applied of its author, this one included, ms.
        events: applied of its author in this life, this one included.
    """
    oldest = review.timestamp if first_seen is None else first_seen
    return Fact(
        _REVIEWS,
        seen.offset,
        review.item_id,
        min(review.timestamp, arrived),
        seen.kind,
        amount=seen.amount,
        noisy=reading.noisy,
        polarity=None if reading.polarity is None else to_micros(reading.polarity),
        signature=signature(review.text),
        new_reviewer=events <= NEW_EVENTS or review.timestamp - oldest < NEW_FOR,
    )
