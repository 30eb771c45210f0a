"""How many items have reviews that somebody should look at, by the evidence that is foremost."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from features.items.risk_score import ALERT_SCORE, EVIDENCE, foremost
from streams.telemetry.metrics import Metrics

MOST_ITEMS: Final = 10_000
"""Items that are told apart at most; beyond them, others are not counted."""


class RiskWatch:
    """Keeps the metric `items_at_risk` up to date with the records that are published.

    Args:
        metrics: of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._gauge = metrics.items_at_risk
        self._foremost: dict[str, str] = {}
        self._show()

    def published(self, item_id: str, block: dict[str, Any] | None) -> None:
        """Take note of a record.

        Args:
            item_id: the item.
            block: the record's `risk`; None for a tombstone, or for an item without a review in 30 days.
        """
        known = self._foremost.get(item_id)
        found = foremost(block) if block is not None and block["score"] >= ALERT_SCORE else None
        if found == known or (known is None and len(self._foremost) >= MOST_ITEMS):
            return
        if found is None:
            del self._foremost[item_id]
        else:
            self._foremost[item_id] = found
        self._show()

    def released(self) -> None:
        """Forget all items: others publish them now."""
        self._foremost.clear()
        self._show()

    def _show(self) -> None:
        counted = Counter(self._foremost.values())
        for kind in EVIDENCE:
            self._gauge.labels(kind).set(counted[kind])
