"""Daily units of items and categories, out of files of events that are admitted as a worker admits them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.observation import event_key
from features.tiles import DAY
from features.users.state import REMEMBERED_IDS
from streams.exceptions import RefusedInputError
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Action, Click, Erasure, Event, Search
from streams.records.judging import judge
from streams.records.refusals import Refusals, check_share
from streams.records.rejection import Rejection
from streams.settings import Settings
from streams.sources.options import SourceOptions
from streams.sources.places import Places
from streams.sources.reading import check_sources, packed_bytes, read_sources

MOST_DAYS: Final = 3 * 365
"""Days before the first day told that a series holds at most: older sales say little, and one event with a wrong date
must not make a series of decades."""


@dataclass(slots=True)
class _User:
    """What of a user decides whether an event is applied: ids by topic, first in first out, and the last erasure."""

    clicks: dict[bytes, None] = field(default_factory=dict)
    reviews: dict[bytes, None] = field(default_factory=dict)
    erased_at: int | None = None


@dataclass(slots=True)
class _Item:
    """What the events of an item said of it. `sold` is by category, None for a purchase that names none."""

    oldest: int
    category: tuple[int, str] | None = None
    sold: dict[str | None, dict[int, int]] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)


class Sales:
    """Reads events, and keeps of each item the units sold by day (UTC) and category.

    An event counts if a worker would apply it: dead letters, repetitions of an `event_id` among the last 128 of a user
    and topic, and events not newer than an erasure that came before them do not. Only a text that the encoder refuses
    is not told here; it sells nothing. The time of an event is its own, but no later than that of its record.

    Args:
        settings: of the deployment, such as its currency.
        options: how the files are read.

    Attributes:
        events: number of sound events, erasures not among them.
        applied: number of those that count.
        newest: time of the newest that counts, ms; None without one.
        refusals: of all others.
        places: of the refusals.
    """

    def __init__(self, settings: Settings, options: SourceOptions) -> None:
        self._decoder = Decoder.of(settings)
        self._options = options
        self._users: defaultdict[str, _User] = defaultdict(_User)
        self._items: dict[str, _Item] = {}
        self.events = 0
        self.applied = 0
        self.newest: int | None = None
        self.refusals = Refusals()
        self.places = Places()

    def read(self, files: Sequence[Path], report: Progress, max_refused: float, until: int | None = None) -> None:
        """Take the events of files.

        Args:
            files: of events, in the order of arrival.
            report: told of the bytes that were read.
            max_refused: the share of the lines that may be refused.
            until: events after this instant (ms) are left out; None for none.

        Raises:
            ConfigurationError: a file cannot be read.
            RefusedInputError: too much is refused, or there is no event.
        """
        check_sources(files, self._options)
        of, done, now = packed_bytes(files), 0, int(time.time() * 1000)

        def progress(count: int) -> None:
            nonlocal done
            done += count
            report("bytes read", done, of)

        for arrived in read_sources(files, self._options, progress):
            at = now if arrived.kafka_timestamp is None else arrived.kafka_timestamp
            event = judge(self._decoder, arrived.record, at)
            if isinstance(event, Rejection):
                self.refusals.add(event.reason, event.detail, self.places.position(arrived))
            else:
                self.take(event, at, until)
        if not self.events:
            raise RefusedInputError("expected events, found none: a line is left out or the files are empty")
        check_share(self.refusals, self.events + self.refusals.total, max_refused)
        self._users.clear()

    def take(self, event: Event | Erasure, arrived_ms: int, until: int | None = None) -> None:
        """Take a sound event.

        Args:
            event: the next to arrive.
            arrived_ms: the Kafka timestamp of its record.
            until: an event after this instant (ms) changes nothing.
        """
        if isinstance(event, Erasure):
            user = self._users[event.user_id]
            erased = event.timestamp if user.erased_at is None else max(user.erased_at, event.timestamp)
            self._users[event.user_id] = _User(erased_at=erased)
            return
        self.events += 1
        if isinstance(event, Search):
            return
        at = min(event.timestamp, arrived_ms)
        if (until is not None and at > until) or not self._admits(event):
            return
        self.applied += 1
        self.newest = at if self.newest is None else max(self.newest, at)
        item = self._items.get(event.item_id)
        if item is None:
            item = self._items[event.item_id] = _Item(at)
        item.oldest = min(item.oldest, at)
        if event.category is not None:
            item.named[event.category] = min(at, item.named.get(event.category, at))
        if isinstance(event, Click):
            if event.category is not None:
                item.category = max(item.category or (at, event.category), (at, event.category))
            # Units as the contract counts them: of purchases with a price.
            if event.action is Action.PURCHASE and event.price is not None:
                days = item.sold.setdefault(event.category, {})
                days[at // DAY] = days.get(at // DAY, 0) + event.quantity

    def _admits(self, event: Event) -> bool:
        user = self._users[event.user_id]
        if user.erased_at is not None and event.timestamp <= user.erased_at:
            return False
        remembered, key = user.clicks if isinstance(event, Click) else user.reviews, event_key(event.event_id)
        if key in remembered:
            return False
        if len(remembered) >= REMEMBERED_IDS:
            del remembered[next(iter(remembered))]
        remembered[key] = None
        return True

    def by_item(self, until_day: int) -> dict[str, NDArray[np.float64]]:
        """Return the daily units of every item with an event before a day, from its first event on.

        Args:
            until_day: the day (since the epoch) after the last one of a series.

        Returns:
            float64 [days] by item id.
        """
        sold = {name: list(item.sold.values()) for name, item in self._items.items()}
        return _series(sold, {name: item.oldest // DAY for name, item in self._items.items()}, until_day)

    def by_category(self, until_day: int) -> dict[str, NDArray[np.float64]]:
        """Return the daily units of every category, from the first event that names it on.

        A purchase without a category counts for that of its item, which is of the newest click that has one. Sales of
        items that have none are in no category.

        Args:
            until_day: the day (since the epoch) after the last one of a series.

        Returns:
            float64 [days] by category.
        """
        sold: defaultdict[str, list[Mapping[int, int]]] = defaultdict(list)
        oldest: dict[str, int] = {}
        for item in self._items.values():
            for name, at in item.named.items():
                oldest[name] = min(at // DAY, oldest.get(name, at // DAY))
            for category, days in item.sold.items():
                name_of = category if category is not None else item.category[1] if item.category else None
                if name_of is not None:
                    sold[name_of].append(days)
                    oldest[name_of] = min(oldest.get(name_of, min(days)), min(days))
        return _series({name: sold[name] for name in oldest}, oldest, until_day)


def _series(
    sold: Mapping[str, Iterable[Mapping[int, int]]], oldest: Mapping[str, int], until_day: int
) -> dict[str, NDArray[np.float64]]:
    found = {}
    for name, parts in sold.items():
        begin = max(oldest[name], until_day - MOST_DAYS)
        if begin >= until_day:
            continue
        units = np.zeros(until_day - begin)
        for days in parts:
            for day, count in days.items():
                if begin <= day < until_day:
                    units[day - begin] += count
        found[name] = units
    return found
