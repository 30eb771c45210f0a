"""The due times of a partition's users: who is to be scored again although nothing happened."""

from __future__ import annotations

from heapq import heappop, heappush


class DueTimes:
    """A heap of due times, one that counts per user; finding who is due costs no scan over all users."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def schedule(self, user_id: str, due: int) -> None:
        """Have a user be due at `due` (ms), or earlier if that is scheduled already."""
        known = self._due.get(user_id)
        if known is None or due < known:
            self._due[user_id] = due
            heappush(self._heap, (due, user_id))

    def take(self, now: int, limit: int) -> list[str]:
        """Take out up to `limit` users that are due at `now` (ms), the longest due first."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            due, user_id = heappop(self._heap)
            # An entry that an earlier one has overtaken counts no more.
            if self._due.get(user_id) == due:
                del self._due[user_id]
                taken.append(user_id)
        return taken
