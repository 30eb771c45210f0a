"""The risk of an item in its record, and who is told of it."""

from __future__ import annotations

import orjson

from features.items.fact import Fact
from features.items.review_signature import signature
from features.items.state import ItemState
from features.observation import MICRO, Kind, Source
from features.tiles import DAY, HOUR
from streams.contract import ITEM_SIGNALS
from streams.telemetry.metrics import Metrics
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.risk_watch import RiskWatch
from streams.worker.publishing.emission import Subject

BEGIN = 1_790_000_000_000
TEXT = "The best kettle that we ever had, it boils in a minute and looks good on the stove"


def attacked() -> ItemState:
    """An item of a month, with ten reviews of one text in its last ten hours."""
    state = ItemState()
    state.apply(Fact(Source.CLICKS, 0, "i", BEGIN, Kind.VIEW), 0, "head", 0)
    for number in range(10):
        when = BEGIN + 29 * DAY + number * HOUR
        text = signature(TEXT + "!" * number)
        fact = Fact(Source.REVIEWS, number, "i", when, Kind.REVIEW, 5 * MICRO, polarity=MICRO, signature=text)
        state.apply(fact, 0, "head", number + 1)
    return state


def test_the_record_has_the_risk_and_the_metric_counts_the_item_until_it_is_gone():
    metrics = Metrics()
    emitter = ItemEmitter("encoder", "head", lambda: None, RiskWatch(metrics))

    def counted() -> float:
        return sum(
            sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == "wherewithal_items_at_risk"
        )

    (emission,) = emitter.emit([[Subject("i", attacked(), 1)]])
    (record,) = emission.records[ITEM_SIGNALS]
    risk = orjson.loads(record.value)["risk"]
    assert risk["score"] > 99
    assert risk["alike"]["found"] == risk["burst_24h"]["found"] == 10
    assert counted() == 1
    emitter.emit([[Subject("i", ItemState(), 1)]])
    assert counted() == 0
