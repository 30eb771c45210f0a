"""How many items have reviews that somebody should look at, by the evidence that is foremost."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from features.items.risk_score import ALERT_SCORE, EVIDENCE, foremost
from streams.telemetry.metrics import Metrics

MOST_ITEMS: Final = 10_000
"""Items of a process that are told apart at most; beyond them, others are not counted."""


class RiskWatch:
    """Keeps the metric `items_at_risk` up to date with the records that are published.

    Args:
        metrics: of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._gauge = metrics.items_at_risk
        self._by_partition: dict[int, dict[str, str]] = {}
        self._show()

    def published(self, partition: int, item_id: str, block: dict[str, Any] | None) -> None:
        """Take note of a record.

        Args:
            partition: of the item.
            item_id: the item.
            block: the record's `risk`; None for a tombstone, or for an item without a review in 30 days.
        """
        items = self._by_partition.setdefault(partition, {})
        known = items.get(item_id)
        found = foremost(block) if block is not None and block["score"] >= ALERT_SCORE else None
        if found == known or (known is None and self._count() >= MOST_ITEMS):
            return
        if found is None:
            del items[item_id]
        else:
            items[item_id] = found
        self._show()

    def left(self, partition: int) -> None:
        """Take note that a partition is no longer this process' own."""
        if self._by_partition.pop(partition, None):
            self._show()

    def _count(self) -> int:
        return sum(map(len, self._by_partition.values()))

    def _show(self) -> None:
        counted = Counter(kind for items in self._by_partition.values() for kind in items.values())
        for kind in EVIDENCE:
            self._gauge.labels(kind).set(counted[kind])
