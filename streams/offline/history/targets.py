"""The target of a training row: what the user spent in the 30 days after its instant, if they are over."""

from __future__ import annotations

from features.observation import MICRO, Kind, Observation
from streams.contract import HORIZON
from streams.offline.history.folding import User


def is_covered(instant: int, newest: int | None) -> bool:
    """Tell whether the 30 days after an instant (ms) are over by the newest event of a history; None is no event."""
    return newest is not None and instant + HORIZON <= newest


class Spent:
    """The spend of a user after an instant, from the events that count once the whole history has arrived.

    Args:
        user: of the history.
        newest: time (ms) of the newest event of the history; None without one.
    """

    def __init__(self, user: User, newest: int | None) -> None:
        self._purchases = [seen for seen in user.folded.applied if _is_paid(seen)]
        self._newest = newest

    def after(self, instant: int) -> float | None:
        """Return the money spent in the 30 days after an instant (ms), exclusive; None if the history ends before."""
        if not is_covered(instant, self._newest):
            return None
        micros = (s.amount or 0 for s in self._purchases if instant < s.timestamp <= instant + HORIZON)
        return sum(micros) / MICRO


def _is_paid(seen: Observation) -> bool:
    return seen.kind == Kind.PURCHASE and seen.amount is not None
