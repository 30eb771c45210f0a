"""The items of one partition: the one place where a fact changes an item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.items.codec import title_waits
from features.items.entity import ITEM
from features.items.fact import Fact
from features.items.state import ItemState
from features.outcome import Outcome
from streams.contract import FACTS
from streams.records.items.facts import Forecast, Forget
from streams.worker.applying.partition import Partition
from streams.worker.items.title_lane import TitleLane
from streams.worker.items.workshop import Workshop
from streams.worker.publishing.outlets import Outlets
from streams.worker.state.local_store import LocalStore

# Members of an enumeration are slow to look up, and these are looked up for every fact.
_APPLIED: Final = Outcome.APPLIED
_REDELIVERED: Final = Outcome.REDELIVERED


class ItemPartition(Partition[ItemState]):
    """The items of one partition under one assignment.

    Args:
        number, epoch, states, outlets, cached, partitions: see `Partition`.
        workshop: what titles are read with.
        on_applied: told of every fact applied: its item and its time, ms; None where nobody is.

    Attributes:
        titles: reads the titles that no vector is remembered of.
    """

    def __init__(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[ItemState],
        *,
        workshop: Workshop,
        cached: Callable[[], int],
        partitions: int,
        on_applied: Callable[[str, int], None] | None,
    ) -> None:
        super().__init__(ITEM, number, epoch, states, outlets, cached=cached, partitions=partitions)
        self._encoder = workshop.encoder
        self._known = workshop.titles.known
        self._on_applied = on_applied
        self.titles = TitleLane(self, workshop)

    def apply(self, fact: Fact, source: int, head: str, offset: int, arrived: int) -> bool:
        """Apply a fact, and return whether it was new.

        Args:
            fact: of an item of this partition.
            source: partition of its event.
            head: identity of the polarity head that read the event.
            offset: of its record in the facts topic.
            arrived: Kafka timestamp of that record, ms.

        Raises:
            MisplacedKeyError: the item belongs in another partition.
        """
        item_id = fact.item_id
        state = self._live.get(item_id)
        if state is None:
            state = self._admit(item_id, FACTS, offset)
        if state.apply(fact, source, head, offset) is not _APPLIED:
            # The process that applied it may have died before row and record were out.
            self._committer.touch(item_id, state, changed=False)
            return False
        state.epoch = self.epoch
        self._committer.applied(item_id, state, FACTS, offset, arrived)
        if fact.title is not None and state.title_waits(self._encoder):
            self._see_to_title(item_id, state)
        if self._on_applied is not None:
            self._on_applied(item_id, fact.timestamp)
        return True

    def take_forecast(self, message: Forecast, offset: int) -> None:
        """Keep a forecast; `offset` is that of its record.

        Raises:
            MisplacedKeyError: the item belongs in another partition.
        """
        state = self._admit(message.item_id, FACTS, offset)
        outcome = state.take_forecast(message.made_at, message.forecast, offset)
        if outcome is _APPLIED:
            state.epoch = self.epoch
        if outcome is _APPLIED or (outcome is _REDELIVERED and state.revision):
            self._committer.touch(message.item_id, state, changed=outcome is _APPLIED)

    def forget(self, message: Forget, offset: int) -> None:
        """Forget an item; a redelivered request removes again what is outside of the state.

        Raises:
            MisplacedKeyError: the item belongs in another partition.
        """
        state = self._admit(message.item_id, FACTS, offset)
        changed = state.forget(offset) is _APPLIED
        if changed:
            state.epoch = self.epoch
        self._committer.touch(message.item_id, state, changed=changed, erased=True)

    def is_unread(self, state: bytes) -> bool:
        """Return whether encoded state has a title that is still to be read."""
        return title_waits(state, self._encoder)

    def title_of(self, item_id: str) -> str | None:
        """Return the title of an item if it is still to be read; None if not."""
        state = self.state_of(item_id)
        return state.title if state.title_waits(self._encoder) else None

    def read_title(self, item_id: str, title: str, projected: NDArray[np.float64] | None) -> None:
        """Take in what was read in a title, unless the item has another one by now."""
        state = self.state_of(item_id)
        if state.read_title(title, projected, self._encoder):
            state.epoch = self.epoch
            self._committer.touch(item_id, state, changed=True)

    def _see_to_title(self, item_id: str, state: ItemState) -> None:
        """Take in what is remembered of a title in the same step as its fact, or have it read later."""
        title = state.title
        reading = self._known(title) if title else None
        if title and reading is not None:
            state.read_title(title, reading.projected, self._encoder)
        else:
            self.titles.wait(item_id)

    async def stop(self) -> None:
        """Drop what is not committed; its facts are not acknowledged and will be delivered again."""
        await self.titles.stop()
        await super().stop()
