"""The record of an item holds what the online store serves of it."""

from __future__ import annotations

import orjson

from features.items.fact import Fact
from features.items.state import ItemState
from features.observation import Kind, Source
from features.online.item_views import VIEW, columns
from streams.contract import ITEM_SIGNALS
from streams.telemetry.metrics import Metrics
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.risk_watch import RiskWatch
from streams.worker.publishing.emission import Subject

BEGIN = 1_790_000_000_000


def test_the_record_has_every_field_of_the_view_with_the_value_of_the_row() -> None:
    state = ItemState()
    click = Fact(Source.CLICKS, 0, "i", BEGIN, Kind.PURCHASE, 1_500_000, 3, 0.5, "a title", "tea")
    state.apply(click, 0, "", 0)
    (emission,) = ItemEmitter("encoder", "", lambda: None, RiskWatch(Metrics())).emit([[Subject("i", state, 1)]])
    (row,), (record,) = emission.rows, emission.records[ITEM_SIGNALS]
    served = {feature.name: values[0] for feature, values in zip(VIEW.features, columns([row]), strict=True)}
    assert served.pop("title_vector") == bytes(256)
    told = orjson.loads(record.value)
    assert told["title_vector"] == [0.0] * 64
    assert {name: told[name] for name in served} == served
    assert (told["revenue_30d"], told["title"], told["price"], told["conversion_7d"]) == (1.5, "a title", 0.5, None)
    assert (told["life"], told["model"], told["degraded"]) == (0, {"polarity": None, "encoder": "encoder"}, False)
