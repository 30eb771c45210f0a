"""A shop's own reviews: the text, and the rating that the same shopper gave."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final, NamedTuple

from streams.offline.sentiment.pairs import Gathered, Pair, gather
from streams.records.events import Event, Review

DATA: Final = (
    "Reviews in the events of this deployment: their texts, praise where the same shopper gave 4 or more, complaint "
    "where 2 or less. Whether they may be used for this is for whoever trained it to say here."
)

SHOP: Final = "reviews"
"""The corpus that all of a shop's reviews are of."""

PRAISE_FROM: Final = 4.0
COMPLAINT_TO: Final = 2.0
"""A rating between the two says neither, and shoppers disagree most in what they write under it."""


class Written(NamedTuple):
    """What files of events say.

    Attributes:
        gathered: the pairs that can be used.
        reviews: all that were read, of users that were not erased.
        between: those of a rating that says neither praise nor complaint.
    """

    gathered: Gathered
    reviews: int
    between: int


def written(events: Iterable[Event], erased: Set[str]) -> Written:
    """Return the reviews among events.

    An item is a group: what it is called tells how it is rated, and that is not what a head is to learn.

    Args:
        events: of files.
        erased: users of whom nothing may be learnt; looked at once the events have been read.
    """
    reviews = [event for event in events if isinstance(event, Review)]
    reviews = [review for review in reviews if review.user_id not in erased]
    told = [review for review in reviews if not COMPLAINT_TO < review.rating < PRAISE_FROM]
    pairs = (Pair(review.text, review.rating >= PRAISE_FROM, review.item_id, SHOP) for review in told)
    return Written(gather(pairs), len(reviews), len(reviews) - len(told))
