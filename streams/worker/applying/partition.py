"""The users of one partition: their live states, and the one place where an event changes them."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.observation import Observation, Source
from features.users.codec import decode
from features.users.state import Outcome, UserState
from streams.contract import ERASURES
from streams.records.events import Erasure
from streams.records.placement import check_record, partition_of_key
from streams.telemetry.tally import Fate
from streams.worker.applying.live_states import LiveStates
from streams.worker.publishing.committer import Committer, Outlets
from streams.worker.state.local_store import LocalStore

FATE: Final = {
    Outcome.APPLIED: Fate.APPLIED,
    Outcome.DUPLICATE: Fate.DUPLICATE,
    Outcome.REFUSED: Fate.ERASED,
    Outcome.REDELIVERED: Fate.REDELIVERED,
}


# Members of an enumeration are slow to look up, and these are looked up for every event.
_APPLIED: Final = Outcome.APPLIED
_REDELIVERED: Final = Outcome.REDELIVERED


class Partition:
    """The users of one partition under one assignment.

    Args:
        number: of the partition.
        epoch: of this assignment (`streams.worker.epochs`): this owner's writes outrank an earlier owner's by it.
        states: the local store.
        outlets: where committed users go.
        encoder: identity of the loaded encoder.
        cached_users: tells how many live states are kept decoded; asked again and again.
        clicks_from: offset from which clicks are delivered under this assignment.
        partitions: how many there are, by which a user's record is known to lie in the right one.
        on_erased: told of every erasure, so that what is remembered beside the state goes too.
        on_applied: told of every event applied: its user and its time, ms; None where nobody is.

    Attributes:
        epoch: see above.
        states: the local store.
    """

    def __init__(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets,
        *,
        encoder: str,
        cached_users: Callable[[], int],
        clicks_from: int,
        partitions: int,
        on_erased: Callable[[], None],
        on_applied: Callable[[str, int], None] | None,
    ) -> None:
        self.number = number
        self._partitions = partitions
        self._clicks_from = clicks_from
        self.epoch = epoch
        self._committer = Committer(number, epoch, states, outlets)
        self.states = states
        self._encoder = encoder
        self._live = LiveStates(cached_users, self._committer.busy_users)
        self._on_erased = on_erased
        self._on_applied = on_applied

    def apply(self, user_id: str, seen: Observation, topic: str, arrived: int) -> Fate:
        """Apply one observation; `arrived` is the record's Kafka timestamp, ms.

        Raises:
            MisplacedKeyError: the user belongs in another partition.
        """
        state = self._live.get(user_id)
        if state is None:
            state = self._admit(user_id, topic, seen.offset)
        outcome = state.apply(seen, self._encoder)
        if outcome is _APPLIED:
            state.epoch = self.epoch
            self._committer.applied(user_id, state, topic, seen.offset, arrived)
            if self._on_applied is not None:
                self._on_applied(user_id, seen.timestamp)
        elif outcome is _REDELIVERED:
            # The process that applied it may have died before row and score were out.
            self._committer.touch(user_id, state, changed=False)
        return FATE[outcome]

    def awaits(self, user_id: str, offset: int) -> bool:
        """Return whether the state of a user has applied the click at an offset and still waits for its title."""
        waiting = self.state_of(user_id).waiting
        place = bisect_left(waiting, offset)
        return place < len(waiting) and waiting[place] == offset

    def read_title(
        self, user_id: str, offset: int, timestamp: int, weight: float, projected: NDArray[np.float64] | None
    ) -> bool:
        """Take in the title of a click that was applied before it was read (see `UserState.read_title`).

        Returns:
            Whether the user still waited for it: since an erasure nobody does.
        """
        state = self.state_of(user_id)
        waited = state.read_title(offset, timestamp, weight, projected, self._encoder)
        if waited:
            state.epoch = self.epoch
            self._committer.touch(user_id, state, changed=True)
        return waited

    def erase(self, request: Erasure, offset: int) -> Fate:
        """Forget a user; a redelivered request removes again what is outside of the state.

        Raises:
            MisplacedKeyError: the user belongs in another partition.
        """
        state = self._live.get(request.user_id)
        if state is None:
            state = self._admit(request.user_id, ERASURES, offset)
        outcome = state.erase(request.timestamp, offset, Source.ERASURES)
        changed = outcome is Outcome.APPLIED
        if changed:
            state.epoch = self.epoch
        self._on_erased()
        self._committer.touch(request.user_id, state, changed=changed, erased=True)
        return FATE[outcome]

    def _admit(self, user_id: str, topic: str, offset: int) -> UserState:
        """Return the state of a user who is not in the cache.

        Only then is the place looked at: for every record it would cost a tenth of the throughput.
        """
        key = user_id.encode()
        if partition_of_key(key, self._partitions) != self.number:
            # Raises: the name of the record is made for that alone.
            check_record(key, self.number, self._partitions, f"{topic}-{self.number}, offset {offset}")
        return self.state_of(user_id)

    def refresh(self) -> None:
        """Publish every user again, because what their features are as of has changed."""
        known = dict.fromkeys(key.decode() for key, _ in self.states.items(self.number))
        for user_id in known | dict.fromkeys(self._live.users()):
            state = self.state_of(user_id)
            if state.revision:
                self._committer.touch(user_id, state, changed=False)

    def rewrite(self, user_id: str) -> bool:
        """Have the state, row and score of a user written once more, so that they are the last in their logs.

        Returns:
            Whether there is anything to write.
        """
        state = self.state_of(user_id)
        # A user who is not known here has nothing to defend: their events are still to come.
        if state.sequence:
            state.epoch = self.epoch
            self._committer.touch(user_id, state, changed=True)
        return bool(state.sequence)

    def passed(self, start: int, stop: int, users: Collection[str]) -> None:
        """Take note that records of somebody else in the changelog were looked at (see `Committer.passed`)."""
        self._committer.passed(start, stop, users)

    def state_of(self, user_id: str) -> UserState:
        """Return the live state of a user; a new one if there is none."""
        state = self._live.get(user_id)
        if state is None:
            stored = self.states.read(self.number, user_id.encode())
            state = UserState() if stored is None else decode(stored)
            self._live.put(user_id, state)
            if state.waiting and state.waiting[0] < self._clicks_from:
                self._give_up_titles(user_id, state)
        return state

    def _give_up_titles(self, user_id: str, state: UserState) -> None:
        """Wait no longer for titles of clicks that never come again.

        Offsets are committed up to the first click whose title waits. So these were deleted before they could be
        delivered again, or the group's offsets were set by hand.
        """
        for offset in state.waiting[: bisect_left(state.waiting, self._clicks_from)]:
            state.read_title(offset, 0, 0.0, None, self._encoder)
        state.epoch = self.epoch
        self._committer.touch(user_id, state, changed=True)

    def touch(self, user_id: str, state: UserState, *, erased: bool = False, reset: bool = False) -> None:
        """Have a user published again as they are, on account of no event.

        Args:
            user_id: of this partition.
            state: their live state.
            erased: whether a removal and a tombstone go first; nothing else follows for a user who is gone.
            reset: whether a tombstone goes first, so that consumers forget the record before.
        """
        self._committer.touch(user_id, state, changed=False, erased=erased, reset=reset)

    def settled(self) -> asyncio.Future[None]:
        """Return a future that is done when everything touched so far is durable and published.

        It is cancelled when the partition is stopped before.
        """
        return self._committer.settled()

    def busy_users(self) -> set[str]:
        """Return the users with changes that the local store does not hold yet."""
        return self._committer.busy_users()

    @property
    def quiet(self) -> bool:
        """Whether everything touched so far is acknowledged by the broker and the online store."""
        return self._committer.quiet

    @property
    def kept_until(self) -> int:
        """Wall time (ms) up to which users whose features change by the clock alone are published."""
        return self._committer.kept_until

    def keep_until(self, instant: int) -> None:
        """Have the local store remember, with the next group, up to when (ms) those users are published."""
        self._committer.kept_until = instant

    async def stop(self) -> None:
        """Drop what is not committed; its input is not acknowledged and will be delivered again."""
        await self._committer.stop()
