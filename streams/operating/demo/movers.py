"""The users whose scores moved most in the last seconds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

MOVERS: Final = 8
MOVES_KEPT_S: Final = 10.0


@dataclass
class Movers:
    """Finds the users whose scores changed most in the last seconds."""

    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    _moves: deque[tuple[float, str, float]] = field(default_factory=deque)

    def take(self, user_id: str, score: dict[str, Any] | None) -> None:
        """Take a record of the score topic."""
        if score is None:
            self.scores.pop(user_id, None)
            return
        known = self.scores.get(user_id)
        self.scores[user_id] = score
        if known is not None:
            self._moves.append((time.monotonic(), user_id, score["score"] - known["score"]))

    def top(self) -> list[tuple[str, float]]:
        """Return the users whose scores rose or fell most over the last seconds, half of each, with the change."""
        while self._moves and self._moves[0][0] < time.monotonic() - MOVES_KEPT_S:
            self._moves.popleft()
        totals: dict[str, float] = {}
        for _, user_id, move in self._moves:
            totals[user_id] = totals.get(user_id, 0.0) + move
        moves = sorted(totals.items(), key=lambda item: -item[1])
        falling = [move for move in moves if move[1] <= 0]
        # If one side has too few, the other fills the rest: scored anew at a later instant, nearly all users fall.
        rising = moves[: len(moves) - len(falling)][: max(MOVERS // 2, MOVERS - len(falling))]
        return rising + falling[len(rising) - MOVERS :] if falling else rising
