"""The target of a training row: the user's net spend in the 30 days after its instant, if they are over."""

from __future__ import annotations

from streams.contract import HORIZON
from streams.net_spend import net_amount, net_spend
from streams.offline.history.folding import User


def is_covered(instant: int, newest: int | None) -> bool:
    """Tell whether the 30 days after an instant (ms) are over by the newest event of a history; None is no event."""
    return newest is not None and instant + HORIZON <= newest


class Spent:
    """The net spend of a user after an instant, from the events that count once the whole history has arrived.

    Args:
        user: of the history.
        newest: time (ms) of the newest event of the history; None without one.
    """

    def __init__(self, user: User, newest: int | None) -> None:
        amounts = ((seen.timestamp, net_amount(seen)) for seen in user.folded.applied)
        self._amounts = [(instant, amount) for instant, amount in amounts if amount]
        self._newest = newest

    def after(self, instant: int) -> float | None:
        """Return the net spend of the 30 days after an instant (ms), exclusive; None if the history ends before."""
        if not is_covered(instant, self._newest):
            return None
        return net_spend(self._amounts, instant, instant + HORIZON)
