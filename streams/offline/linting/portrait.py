"""What the sound events of a file have in common: what they carry, whom they belong to, when they happened."""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

from features.tiles import DAY, HOUR
from streams.contract import CLICKS, REVIEWS, SEARCHES
from streams.offline.linting.sample import Sample, key_of
from streams.records.events import Action, Click, Review, Search, text_of, title_of
from streams.records.refusals import Position

Event: TypeAlias = Review | Search | Click

NOBODY: Final = frozenset(
    ("", "-", "-1", "0", "anonymous", "guest", "n/a", "na", "nan", "none", "null", "undefined", "unknown", "(not set)")
)
"""Ids, in small letters, by which programs write that they know no user."""

REVIEW: Final = "review"
SEARCH: Final = "search"

EVENTS: Final = "events"
PRICE: Final = "price"
CURRENCY: Final = "currency"
CATEGORY: Final = "category"
TEXT: Final = "text"
TITLE: Final = "title"
ORDER: Final = "order"
ON_THE_HOUR: Final = "hour"
AT_MIDNIGHT: Final = "midnight"
OF_NOBODY: Final = "nobody"
SAME_ID: Final = "same id"
REPEATED: Final = "repeated"
ORDER_AGAIN: Final = "order again"


class Portrait:
    """Takes the events that a worker would apply, duplicates among them.

    Attributes:
        users: those seen.
        oldest, newest: epoch ms; None before the first event.
        first: the position of the first event that has `SAME_ID`, by kind.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._ids = Sample()
        self._orders = Sample()
        self.users = Sample()
        self.oldest: int | None = None
        self.newest: int | None = None
        self.first: dict[str, Position] = {}

    def take(self, event: Event, position: Position) -> None:
        """Take one event, and the position of its line."""
        kind, user_id, timestamp = kind_of(event), event.user_id, event.timestamp
        carries = [
            EVENTS,
            *((CATEGORY,) if event.category else ()),
            *((TEXT,) if text_of(event).strip() else ()),
            *((TITLE,) if title_of(event).strip() else ()),
            *((ON_THE_HOUR,) if timestamp % HOUR == 0 else ()),
            *((AT_MIDNIGHT,) if timestamp % DAY == 0 else ()),
            *((OF_NOBODY,) if user_id.strip().lower() in NOBODY else ()),
        ]
        if isinstance(event, Click) and event.order_id is not None:
            carries.append(ORDER)
        if not isinstance(event, Search) and event.price is not None:
            carries += [PRICE, *((CURRENCY,) if event.currency else ())]
        for what in carries:
            self._counts[kind, what] += 1
        self.users.known(key_of(user_id), 0)
        self.oldest = timestamp if self.oldest is None else min(self.oldest, timestamp)
        self.newest = timestamp if self.newest is None else max(self.newest, timestamp)
        self._compare(event, kind, position)

    def count(self, what: str, *kinds: str) -> int:
        """Return how many events of some kinds, of all by default, carry something; beyond the sample an estimate."""
        return sum(
            number for (kind, held), number in self._counts.items() if held == what and (kind in kinds or not kinds)
        )

    @property
    def is_sampled(self) -> bool:
        """Whether there were too many ids to remember all."""
        return self._ids.scale > 1 or self.users.scale > 1

    def _compare(self, event: Event, kind: str, position: Position) -> None:
        content = hash(event)
        before = self._ids.known(key_of(topic_of(event), event.user_id, event.event_id), content)
        if before is not None:
            self._counts[kind, REPEATED if before == content else SAME_ID] += self._ids.scale
            if before != content:
                self.first.setdefault(kind, position)
        if kind == Action.PURCHASE and isinstance(event, Click) and event.order_id is not None:
            self._compare_order(event, event.order_id)

    def _compare_order(self, event: Click, order_id: str) -> None:
        line = key_of(event.user_id, order_id, event.item_id, str(event.price), str(event.quantity))
        before = self._orders.known(line, event.timestamp)
        if before is not None and before != event.timestamp:
            self._counts[Action.PURCHASE.value, ORDER_AGAIN] += self._orders.scale


def kind_of(event: Event) -> str:
    """Return the action of a click, else `review` or `search`."""
    return event.action.value if isinstance(event, Click) else REVIEW if isinstance(event, Review) else SEARCH


def topic_of(event: Event) -> str:
    """Return the topic of an event."""
    return CLICKS if isinstance(event, Click) else REVIEWS if isinstance(event, Review) else SEARCHES
