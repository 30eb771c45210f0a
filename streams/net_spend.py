"""Net spend: what was paid less what was given back. Every outcome that a forecast is held against is this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from features.observation import MICRO, Kind, Observation

_PURCHASE: Final = int(Kind.PURCHASE)
_REFUND: Final = int(Kind.REFUND)


def net_amount(seen: Observation) -> int:
    """Return what an event adds to net spend, micro-units: below 0 for a refund, 0 without money."""
    amount = seen.amount or 0
    return amount if seen.kind == _PURCHASE else -amount if seen.kind == _REFUND else 0


def net_money(micros: int) -> float:
    """Return a net spend of a period as money: at least 0, because more may be given back in it than was paid in it."""
    return max(0, micros) / MICRO


def net_spend(amounts: Iterable[tuple[int, int]], begin: int, end: int) -> float:
    """Return the net spend after an instant up to another, as money, at least 0.

    Args:
        amounts: (ms, micro-units), by the time of the purchase or the refund itself, in any order.
        begin: ms, exclusive.
        end: ms, inclusive.
    """
    return net_money(sum(amount for instant, amount in amounts if begin < instant <= end))
