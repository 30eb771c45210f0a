"""The users of one partition: the one place where an event changes a user."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.items.fact import Fact
from features.observation import Observation, Source
from features.outcome import Outcome
from features.users.entity import USER
from features.users.state import UserState
from streams.contract import ERASURES
from streams.records.events import Erasure
from streams.telemetry.tally import Fate
from streams.worker.applying.partition import Partition
from streams.worker.publishing.outlets import Outlets
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


class UserPartition(Partition[UserState]):
    """The users of one partition under one assignment.

    Args:
        number, epoch, states, outlets, cached, partitions: see `Partition`.
        encoder: identity of the loaded encoder.
        clicks_from: offset from which clicks are delivered under this assignment.
        on_erased: told of every erasure, so that what is remembered beside the state goes too.
        on_applied: told of every event applied: its user and its time, ms; None where nobody is.
    """

    def __init__(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[UserState],
        *,
        encoder: str,
        cached: Callable[[], int],
        clicks_from: int,
        partitions: int,
        on_erased: Callable[[], None],
        on_applied: Callable[[str, int], None] | None,
    ) -> None:
        super().__init__(USER, number, epoch, states, outlets, cached=cached, partitions=partitions)
        self._clicks_from = clicks_from
        self._encoder = encoder
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

    def tell(self, fact: Fact) -> None:
        """Have items told of an event that `apply` has just applied, in the same step (see `Committer.tell`)."""
        self._committer.tell(fact)

    def not_told(self, error: Exception) -> None:
        """Let no state leave any more: the fact of an event that `apply` has just applied could not be made."""
        self._committer.not_told(error)

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

    def _came_to_life(self, key: str, state: UserState) -> None:
        """Wait no longer for titles of clicks that never come again.

        Offsets are committed up to the first click whose title waits. So these were deleted before they could be
        delivered again, or the group's offsets were set by hand.
        """
        if not state.waiting or state.waiting[0] >= self._clicks_from:
            return
        for offset in state.waiting[: bisect_left(state.waiting, self._clicks_from)]:
            state.read_title(offset, 0, 0.0, None, self._encoder)
        state.epoch = self.epoch
        self._committer.touch(key, state, changed=True)
