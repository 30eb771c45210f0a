"""How many items are to be looked at, by their foremost evidence, in bounded memory."""

from __future__ import annotations

from typing import Any

import pytest

from features.items.risk_score import ALERT_SCORE, EVIDENCE
from streams.telemetry import risk_watch
from streams.telemetry.metrics import Metrics
from streams.telemetry.risk_watch import RiskWatch


def block(kind: str, score: float = ALERT_SCORE) -> dict[str, Any]:
    return {"score": score, **{name: {"decades": float(name == kind)} for name in EVIDENCE}}


def shown(metrics: Metrics) -> dict[str, float]:
    found = {
        kind: metrics.registry.get_sample_value("wherewithal_items_at_risk", {"evidence": kind}) for kind in EVIDENCE
    }
    assert None not in found.values()
    return {kind: value for kind, value in found.items() if value}


def test_an_item_counts_once_while_its_score_is_high_and_by_its_foremost_evidence():
    metrics = Metrics()
    watch = RiskWatch(metrics)
    assert shown(metrics) == {}
    watch.published(0, "a", block("alike"))
    watch.published(0, "a", block("alike", 100.0))
    watch.published(1, "b", block("burst_24h"))
    assert shown(metrics) == {"alike": 1, "burst_24h": 1}
    watch.published(0, "a", block("wordless"))
    assert shown(metrics) == {"wordless": 1, "burst_24h": 1}
    watch.published(0, "a", block("wordless", ALERT_SCORE - 0.1))
    watch.published(1, "b", None)
    assert shown(metrics) == {}


def test_a_partition_that_leaves_takes_its_items_along():
    metrics = Metrics()
    watch = RiskWatch(metrics)
    watch.published(0, "a", block("alike"))
    watch.published(1, "b", block("alike"))
    watch.left(0)
    watch.left(7)
    assert shown(metrics) == {"alike": 1}


def test_items_that_are_told_apart_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(risk_watch, "MOST_ITEMS", 2)
    metrics = Metrics()
    watch = RiskWatch(metrics)
    for item in "abc":
        watch.published(0, item, block("alike"))
    assert shown(metrics) == {"alike": 2}
    watch.published(0, "a", None)
    watch.published(0, "c", block("alike"))
    assert shown(metrics) == {"alike": 2}
