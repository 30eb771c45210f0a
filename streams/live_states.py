"""The states of users seen of late, kept decoded: a bounded cache in which a hit costs one look-up.

Two generations stand for the least recently used order. A hit in the younger one changes nothing, where an ordered
dictionary would relink four entries all over memory for every event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from features.state import UserState


class LiveStates:
    """The live states of a partition, by user id.

    Args:
        limit: how many are kept, those that are busy on top.
        busy: tells the users whose state the local store does not hold in full; these are never let go of.
    """

    def __init__(self, limit: int, busy: Callable[[], Collection[str]]) -> None:
        self._generation = self._full = max(1, limit // 2)
        self._busy = busy
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
        """Keep a state; whoever was not seen for a whole generation goes."""
        if len(self._younger) >= self._full:
            leaving = self._older
            self._older, self._younger = self._younger, {}
            for busy in self._busy():
                if busy in leaving:
                    self._younger[busy] = leaving[busy]
            self._full = len(self._younger) + self._generation
        self._younger[user_id] = state

    def users(self) -> list[str]:
        """The users whose states are live."""
        return [*self._older, *self._younger]
