"""How many items are to be looked at, by their foremost evidence, in bounded memory."""

from __future__ import annotations

from typing import Any

import pytest

from features.items.risk_score import ALERT_SCORE, EVIDENCE
from streams.telemetry.metrics import Metrics
from streams.worker.items import risk_watch
from streams.worker.items.risk_watch import RiskWatch


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
    watch.published("a", block("alike"))
    watch.published("a", block("alike", 100.0))
    watch.published("b", block("burst_24h"))
    assert shown(metrics) == {"alike": 1, "burst_24h": 1}
    watch.published("a", block("wordless"))
    assert shown(metrics) == {"wordless": 1, "burst_24h": 1}
    watch.published("a", block("wordless", ALERT_SCORE - 0.1))
    watch.published("b", None)
    assert shown(metrics) == {}


def test_partitions_that_are_let_go_take_their_items_along():
    metrics = Metrics()
    watch = RiskWatch(metrics)
    watch.published("a", block("alike"))
    watch.released()
    assert shown(metrics) == {}
    watch.published("a", block("alike"))
    assert shown(metrics) == {"alike": 1}


def test_items_that_are_told_apart_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(risk_watch, "MOST_ITEMS", 2)
    metrics = Metrics()
    watch = RiskWatch(metrics)
    for item in "abc":
        watch.published(item, block("alike"))
    assert shown(metrics) == {"alike": 2}
    watch.published("a", None)
    watch.published("c", block("alike"))
    assert shown(metrics) == {"alike": 2}
