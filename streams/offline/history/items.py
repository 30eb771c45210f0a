"""A history of items: users are folded first, and what their applied events say of items is folded a second time.

So the same facts exist as in the stream: duplicates, refused events and dead letters have none, and those of a user who
is erased later stay. There are two passes more. Facts are spilled by item, then folded bucket by bucket.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.items.fact import Fact
from features.items.point_in_time import ItemSnapshot, item_snapshots
from features.observation import Source
from streams.offline.history.folding import History
from streams.offline.history.lives import Applied
from streams.offline.history.spill import Spill
from streams.records.events import Click, Review
from streams.records.items.stating import fact_of_click, fact_of_review

_FACT: Final = 0
_NOTE: Final = 1
_DOUBTED: Final = 2
_DENIED: Final = 3
_encode: Final = msgspec.msgpack.Encoder().encode
_fact: Final = msgspec.msgpack.Decoder(Fact)
_note: Final = msgspec.msgpack.Decoder(tuple[str, Any])


class Item(NamedTuple):
    """One item of a history.

    Attributes:
        facts: all of it, users in the order of their ids, and of each the events in the order of arrival.
        doubted: whether a user who was erased has told of the item, or would have: the stream may have met the erasure
            earlier or later than the history does.
        denied: what such users would have told of it besides, had other events of theirs been applied.
        notes: the notes that the caller attached to the item, in order.
        head: identity of the polarity head; empty without one.
        encoder: identity of the encoder.
        titles: float64[64], the projected embedding of each title; None for one that says nothing.
    """

    item_id: str
    facts: list[Fact]
    doubted: bool
    denied: list[Fact]
    notes: list[Any]
    head: str
    encoder: str
    titles: Mapping[str, NDArray[np.float64] | None]

    def snapshots(self, instants: Sequence[int]) -> Iterator[ItemSnapshot]:
        """Yield the features as of each instant (ms, rising) by which there is a fact."""
        yield from item_snapshots(self.facts, instants, self.head, self.encoder, self.titles)

    def fullest(self, instants: Sequence[int]) -> Iterator[ItemSnapshot]:
        """Yield the same with what was denied: in whatever order a stream met erasures, no sum of it is greater."""
        told = [*self.facts, *self.denied]
        yield from item_snapshots(told, instants, self.head, self.encoder, self.titles)


class ItemHistory:
    """Folds the items of a history.

    Args:
        history: that keeps lives; `gather` was called.
        folder: an existing folder for spilled facts, which the caller removes.
        input_bytes: of the history, about.

    Attributes:
        facts: stated so far.
        items: folded so far that have a fact.
    """

    def __init__(self, history: History, folder: Path, input_bytes: int) -> None:
        self._history = history
        self._spill = Spill(folder, input_bytes)
        self.facts = self.items = 0

    def note(self, item_id: str, what: Any) -> None:
        """Attach a value that MessagePack can hold to an item, which may be unknown to the history."""
        self._spill.add(item_id, _NOTE, _encode((item_id, what)))

    async def gather(self) -> None:
        """Fold the users and spill what they tell. It is called once, before `all`.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        async with aclosing(self._history.users()) as users:
            async for user in users:
                stated = _DOUBTED if user.erased else _FACT
                for life in user.lives:
                    for fact in facts_of(life.applied()):
                        self.facts += 1
                        self._spill.add(fact.item_id, stated, _encode(fact))
                    for fact in facts_of(life.not_applied()) if user.erased else ():
                        self._spill.add(fact.item_id, _DENIED, _encode(fact))

    async def all(self) -> AsyncGenerator[Item, None]:
        """Yield every item that has a fact or a note, once."""
        for frames in self._spill.buckets():
            facts: dict[str, list[Fact]] = {}
            denied: dict[str, list[Fact]] = {}
            doubted: set[str] = set()
            notes: dict[str, list[Any]] = {}
            for code, frame in frames:
                if code == _NOTE:
                    item_id, what = _note.decode(frame)
                    notes.setdefault(item_id, []).append(what)
                else:
                    fact = _fact.decode(frame)
                    (denied if code == _DENIED else facts).setdefault(fact.item_id, []).append(fact)
                    if code != _FACT:
                        doubted.add(fact.item_id)
            told = chain.from_iterable((*facts.values(), *denied.values()))
            titles = await self._history.read_titles(fact.title for fact in told if fact.title)
            for item_id in sorted({*facts, *notes}):
                own = facts.pop(item_id, [])
                self.items += bool(own)
                yield Item(
                    item_id,
                    own,
                    item_id in doubted,
                    denied.pop(item_id, []),
                    notes.pop(item_id, []),
                    self._history.head,
                    self._history.encoder,
                    titles,
                )


def facts_of(life: Sequence[Applied]) -> Iterator[Fact]:
    """Yield what events of one life of a user say of items, in the order of arrival."""
    first_seen: int | None = None
    for number, (event, seen, record_time, reading) in enumerate(life, 1):
        first_seen = event.timestamp if first_seen is None else min(first_seen, event.timestamp)
        if isinstance(event, Click):
            yield fact_of_click(event, seen, record_time)
        elif isinstance(event, Review):
            assert seen.source == Source.REVIEWS
            yield fact_of_review(event, seen, record_time, reading, first_seen, number)
