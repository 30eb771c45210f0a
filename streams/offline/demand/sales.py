"""Daily units of items and categories, out of files of events that are admitted as a worker admits them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from streams.exceptions import RefusedInputError
from streams.offline.demand.admitting import Admitting
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Action, Click, Erasure, Event, Search
from streams.records.refusals import Refusals, check_share
from streams.settings import Settings
from streams.sources.judged import judged
from streams.sources.options import SourceOptions
from streams.sources.places import Places

MOST_DAYS: Final = 3 * 365
"""Days before the first day told that a series holds at most: older sales say little, and one event with a wrong date
must not make a series of decades."""


Day = list[int]
"""What a day had: units, purchases and views, each at its place below."""

UNITS: Final = 0
PURCHASES: Final = 1
VIEWS: Final = 2
_COUNTS: Final = 3


@dataclass(frozen=True)
class Daily:
    """What is known of an item or a category by the end of a day.

    Attributes:
        oldest: time of its first event, ms.
        counts: int64 [days, 3]: units, purchases and views of every day from that of the first event on.
    """

    oldest: int
    counts: NDArray[np.int64]

    @property
    def units(self) -> NDArray[np.float64]:
        """Units by day, float64 [days]."""
        return self.counts[:, UNITS].astype(np.float64)


@dataclass(slots=True)
class _Item:
    """What the events of an item said of it.

    Attributes:
        oldest: time of its first event, ms.
        category: of the newest click that has one, with its time.
        days: what happened by category, None where the click names none, and by day since the epoch.
        named: when each category was first named, ms.
    """

    oldest: int
    category: tuple[int, str] | None = None
    days: dict[str | None, dict[int, Day]] = field(default_factory=dict)
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
        self._admitting = Admitting()
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
        for event, at in judged(self._decoder, files, self._options, report, self.refusals, self.places):
            self.take(event, at, until)
        if not self.events:
            raise RefusedInputError("expected events, found none: a line is left out or the files are empty")
        check_share(self.refusals, self.events + self.refusals.total, max_refused)

    def take(self, event: Event | Erasure, arrived_ms: int, until: int | None = None) -> None:
        """Take a sound event.

        Args:
            event: the next to arrive.
            arrived_ms: the Kafka timestamp of its record.
            until: an event after this instant (ms) changes nothing.
        """
        if isinstance(event, Erasure):
            self._admitting.erase(event)
            return
        self.events += 1
        if isinstance(event, Search):
            return
        at = min(event.timestamp, arrived_ms)
        if (until is not None and at > until) or not self._admitting.admits(event):
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
            if event.action is Action.PURCHASE or event.action is Action.VIEW:
                day = item.days.setdefault(event.category, {}).setdefault(at // DAY, [0] * _COUNTS)
                if event.action is Action.VIEW:
                    day[VIEWS] += 1
                else:
                    day[PURCHASES] += 1
                    # Units as the contract counts them: of purchases with a price.
                    day[UNITS] += event.quantity if event.price is not None else 0

    def by_item(self, until_day: int) -> dict[str, Daily]:
        """Return what every item had before a day (since the epoch); items without an event before it are left out."""
        parts = {name: list(item.days.values()) for name, item in self._items.items()}
        return _daily(parts, {name: item.oldest for name, item in self._items.items()}, until_day)

    def by_category(self, until_day: int) -> dict[str, Daily]:
        """Return what every category had before a day (since the epoch).

        A click without a category counts for that of its item, which is of the item's newest click that has one. What
        happened to items that have none is in no category.
        """
        parts: defaultdict[str, list[Mapping[int, Day]]] = defaultdict(list)
        oldest: dict[str, int] = {}
        for item in self._items.values():
            for name, at in item.named.items():
                oldest[name] = min(at, oldest.get(name, at))
            for category, days in item.days.items():
                of = category if category is not None else item.category[1] if item.category else None
                if of is not None:
                    parts[of].append(days)
                    begun = min(days) * DAY
                    oldest[of] = min(begun, oldest.get(of, begun)) if category is None else oldest[of]
        return _daily({name: parts[name] for name in oldest}, oldest, until_day)


def _daily(
    parts: Mapping[str, Iterable[Mapping[int, Day]]], oldest: Mapping[str, int], until_day: int
) -> dict[str, Daily]:
    found = {}
    for name, several in parts.items():
        begin = max(oldest[name] // DAY, until_day - MOST_DAYS)
        if begin >= until_day:
            continue
        counts = np.zeros((until_day - begin, _COUNTS), dtype=np.int64)
        for days in several:
            for day, had in days.items():
                if begin <= day < until_day:
                    counts[day - begin] += had
        found[name] = Daily(oldest[name], counts)
    return found
