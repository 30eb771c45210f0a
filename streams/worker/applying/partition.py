"""The users or items of one partition: their live states, from which everything about them is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Generic

from features.entity import Entity, S
from streams.records.placement import check_record, partition_of_key
from streams.worker.applying.live_states import LiveStates
from streams.worker.publishing.committer import Committer
from streams.worker.publishing.outlets import Outlets
from streams.worker.state.local_store import LocalStore


class Partition(Generic[S]):
    """The users or items of one partition under one assignment; a stage says what a record changes.

    Args:
        entity: what they are.
        number: of the partition.
        epoch: of this assignment (`streams.worker.epochs`): this owner's writes outrank an earlier owner's by it.
        states: the local store.
        outlets: where committed states go.
        cached: tells how many live states are kept decoded; asked again and again.
        partitions: how many there are, by which a key's record is known to lie in the right one.

    Attributes:
        entity, epoch, states: see above.
    """

    def __init__(
        self,
        entity: Entity[S],
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[S],
        *,
        cached: Callable[[], int],
        partitions: int,
    ) -> None:
        self.entity = entity
        self.number = number
        self._partitions = partitions
        self.epoch = epoch
        self._committer = Committer(entity, number, epoch, states, outlets)
        self.states = states
        self._live = LiveStates[S](cached, self._committer.busy)

    def _admit(self, key: str, topic: str, offset: int) -> S:
        """Return the state of a key that is not in the cache.

        Only then is the place looked at: for every record it would cost a tenth of the throughput.
        """
        encoded = key.encode()
        if partition_of_key(encoded, self._partitions) != self.number:
            # Raises: the name of the record is made for that alone.
            check_record(encoded, self.number, self._partitions, f"{topic}-{self.number}, offset {offset}")
        return self.state_of(key)

    def refresh(self) -> None:
        """Publish everything again, because what their features are as of has changed."""
        known = dict.fromkeys(encoded.decode() for encoded, _ in self.states.items(self.number))
        for key in known | dict.fromkeys(self._live.keys()):
            state = self.state_of(key)
            if state.revision:
                self._committer.touch(key, state, changed=False)

    def rewrite(self, key: str) -> bool:
        """Have the state, row and record of a key written once more, so that they are the last in their logs.

        Returns:
            Whether there is anything to write.
        """
        state = self.state_of(key)
        # A key that is not known here has nothing to defend: its events are still to come.
        if state.sequence:
            state.epoch = self.epoch
            self._committer.touch(key, state, changed=True)
        return bool(state.sequence)

    def passed(self, start: int, stop: int, keys: Collection[str]) -> None:
        """Take note that records of somebody else in the changelog were looked at (see `Committer.passed`)."""
        self._committer.passed(start, stop, keys)

    def state_of(self, key: str) -> S:
        """Return the live state of a key; a new one if there is none."""
        state = self._live.get(key)
        if state is None:
            stored = self.states.read(self.number, key.encode())
            state = self.entity.new() if stored is None else self.entity.decode(stored)
            self._live.put(key, state)
            self._came_to_life(key, state)
        return state

    def _came_to_life(self, key: str, state: S) -> None:
        """Look at a state that was just made or read from the local store."""

    def touch(self, key: str, state: S, *, erased: bool = False, reset: bool = False) -> None:
        """Have a key published again as it is, on account of no event.

        Args:
            key: of this partition.
            state: its live state.
            erased: whether a removal and a tombstone go first; nothing else follows for one that is gone.
            reset: whether a tombstone goes first, so that consumers forget the record before.
        """
        self._committer.touch(key, state, changed=False, erased=erased, reset=reset)

    def settled(self) -> asyncio.Future[None]:
        """Return a future that is done when everything touched so far is durable and published.

        It is cancelled when the partition is stopped before.
        """
        return self._committer.settled()

    def busy(self) -> set[str]:
        """Return the keys with changes that the local store does not hold yet."""
        return self._committer.busy()

    @property
    def quiet(self) -> bool:
        """Whether everything touched so far is acknowledged by the broker and the online store."""
        return self._committer.quiet

    @property
    def kept_until(self) -> int:
        """Wall time (ms) up to which keys whose features change by the clock alone are published."""
        return self._committer.kept_until

    def keep_until(self, instant: int) -> None:
        """Have the local store remember, with the next group, up to when (ms) those keys are published."""
        self._committer.kept_until = instant

    async def stop(self) -> None:
        """Drop what is not committed; its input is not acknowledged and will be delivered again."""
        await self._committer.stop()
