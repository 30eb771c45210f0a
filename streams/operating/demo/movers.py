"""The users whose scores, and the items whose sales, moved most in the last seconds."""

from __future__ import annotations

import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

MOVERS: Final = 8
MOVES_KEPT_S: Final = 10.0


@dataclass
class Movers:
    """Finds the users or items of which a number changed most in the last seconds.

    Attributes:
        number: the field of a record that is watched.
        records: the newest of each key.
    """

    number: str
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _moves: deque[tuple[float, str, float]] = field(default_factory=deque)

    def take(self, key: str, record: dict[str, Any] | None) -> None:
        """Take a record of the topic; None is a tombstone."""
        if record is None:
            self.records.pop(key, None)
            return
        known = self.records.get(key)
        self.records[key] = record
        if known is not None:
            self._moves.append((time.monotonic(), key, record[self.number] - known[self.number]))

    def top(self) -> list[tuple[str, float]]:
        """Return those whose number rose or fell most over the last seconds, half of each, with the change."""
        moves = sorted(self._totals().items(), key=lambda item: -item[1])
        falling = [move for move in moves if move[1] <= 0]
        # If one side has too few, the other fills the rest: scored anew at a later instant, nearly all users fall.
        rising = moves[: len(moves) - len(falling)][: max(MOVERS // 2, MOVERS - len(falling))]
        return rising + falling[len(rising) - MOVERS :] if falling else rising

    def risen(self, count: int) -> list[str]:
        """Return the keys whose number rose most over the last seconds; with too few, those where it is greatest."""
        totals = self._totals()
        known = self.records
        return heapq.nsmallest(count, known, key=lambda key: (-totals.get(key, 0.0), -known[key][self.number], key))

    def _totals(self) -> dict[str, float]:
        while self._moves and self._moves[0][0] < time.monotonic() - MOVES_KEPT_S:
            self._moves.popleft()
        totals: dict[str, float] = {}
        for _, key, move in self._moves:
            totals[key] = totals.get(key, 0.0) + move
        return totals
