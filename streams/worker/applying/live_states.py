"""The states of users seen of late, kept decoded: a bounded cache in which a hit costs one look-up.

Two generations stand for the least recently used order. A hit in the younger one changes nothing, where an ordered
dictionary would relink four entries all over memory for every event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice

from features.users.state import UserState


class LiveStates:
    """The live states of a partition, by user id.

    Args:
        limit: tells how many are to be kept, those that are busy on top; asked for every state that is put. It moves
            when a worker's partitions come and go, for these share what the worker may keep.
        busy: tells the users whose state the local store does not hold in full; these are never let go of.
    """

    def __init__(self, limit: Callable[[], int], busy: Callable[[], Collection[str]]) -> None:
        self._limit = limit
        self._busy = busy
        self._held_back = 0
        self._younger: dict[str, UserState] = {}
        self._older: dict[str, UserState] = {}

    def get(self, user_id: str) -> UserState | None:
        """Return the live state of a user, or None."""
        state = self._younger.get(user_id)
        if state is None and self._older:
            state = self._older.pop(user_id, None)
            if state is not None:
                self.put(user_id, state)
        return state

    def put(self, user_id: str, state: UserState) -> None:
        """Keep a state; users who were not seen for a whole generation go."""
        generation = max(1, self._limit() // 2)
        if len(self._younger) - self._held_back >= generation:
            self._begin_generation(generation)
        self._younger[user_id] = state

    def users(self) -> list[str]:
        """The users whose states are live."""
        return [*self._older, *self._younger]

    def _begin_generation(self, size: int) -> None:
        leaving, ending = self._older, self._younger
        surplus = len(ending) - self._held_back - size
        if surplus > 0:
            # The limit has fallen since: the users seen last are kept.
            for user_id in list(islice(ending, len(ending) - size)):
                leaving[user_id] = ending.pop(user_id)
        self._older = ending
        self._younger = {user_id: leaving[user_id] for user_id in self._busy() if user_id in leaving}
        self._held_back = len(self._younger)
