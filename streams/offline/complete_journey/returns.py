"""Simulated returns: refunds that we invent for purchases of Complete Journey, which has none of its own.

They exist to show net money at work, and say nothing of how real shoppers return: whether an item comes back is drawn
from a seed and the line's own number, without a look at the household or the price. Some refunds reach the shop's
stream late, some twice, and some before their own purchase.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from features.tiles import DAY, HOUR
from streams.offline.complete_journey.purchases import Purchase

LATE_SHARE: Final = 0.1
"""Of the refunds, those that arrive up to a week after their own time."""

TWICE_SHARE: Final = 0.05
"""Of the refunds, those that arrive a second time within an hour."""

EARLY_SHARE: Final = 0.02
"""Of the refunds, those of a pair whose purchase arrives last, a moment after the refund."""


@dataclass(frozen=True, slots=True)
class Returns:
    """How much comes back.

    Attributes:
        share: of the lines, 0 to 1.
        longest_days: a line comes back, whole, within so many days of its purchase; each instant is as likely.
        seed: of all that is drawn.
    """

    share: float = 0.05
    longest_days: int = 30
    seed: int = 0


def with_returns(purchases: Iterable[Purchase], returns: Returns) -> Iterator[dict[str, Any]]:
    """Yield the clicks of purchases with simulated refunds among them, in the order of arrival.

    The same arguments yield the same clicks. Memory holds what is still to arrive: a month of returns.

    Args:
        purchases: by time.
        returns: how much comes back.
    """
    waiting: list[tuple[int, str, dict[str, Any]]] = []
    for purchase in purchases:
        while waiting and waiting[0][0] <= purchase.timestamp:
            yield heapq.heappop(waiting)[2]
        click = purchase.click()
        rng = random.Random(f"returns/{returns.seed}/{click['event_id']}")
        if rng.random() >= returns.share:
            yield click
            continue
        refund = _refund(click, rng, returns.longest_days)
        arrives = refund["timestamp"] + (rng.randint(1, 7 * DAY) if rng.random() < LATE_SHARE else 0)
        heapq.heappush(waiting, (arrives, refund["event_id"], refund))
        if rng.random() < TWICE_SHARE:
            heapq.heappush(waiting, (arrives + rng.randint(1, HOUR), f"{refund['event_id']}+", refund))
        if rng.random() < EARLY_SHARE:
            heapq.heappush(waiting, (arrives, f"{refund['event_id']}-", click))
        else:
            yield click
    while waiting:
        yield heapq.heappop(waiting)[2]


def _refund(click: dict[str, Any], rng: random.Random, longest_days: int) -> dict[str, Any]:
    given_back = {name: value for name, value in click.items() if name not in ("order_id", "title")}
    return given_back | {
        "event_id": f"{click['event_id']}-r",
        "action": "refund",
        "timestamp": click["timestamp"] + rng.randint(HOUR, longest_days * DAY),
    }
