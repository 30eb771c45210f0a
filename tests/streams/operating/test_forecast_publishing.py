"""Forecasts reach the facts topic once each, in the partitions of their items."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from support.command import VIEW
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.brokers import Broker

from streams.broker.reading import read_from, read_topic
from streams.broker.topics.admin import Admin, Made
from streams.contract import FACTS, ITEM_SIGNALS, topic_name
from streams.exceptions import BrokerError
from streams.operating import forecast_publishing
from streams.operating.forecast_publishing import publish_forecasts
from streams.records.items.facts import Forecast, decode
from streams.records.placement import partition_of_key
from streams.settings import Settings, load_settings
from streams.worker.flow import Flow

MADE_AT = 1_514_764_800_000
PARTITIONS = 3
TOLD = {f"item {number} ✓": {"reason": None, "units_7d": {"mean": number / 4}} for number in range(40)}


async def with_topic(settings: Settings) -> str:
    topic = topic_name(settings, FACTS)
    async with Admin(settings) as admin:
        await admin.create([Made(topic, PARTITIONS, 1, {})])
        await admin.led([topic])
    return topic


async def test_every_forecast_lies_under_its_item_and_twice_published_reads_the_same(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(request_timeout_s=10)
    topic = await with_topic(settings)
    monkeypatch.setattr(forecast_publishing, "CHUNK", 7)
    for _ in range(2):
        assert await publish_forecasts(settings, MADE_AT, TOLD) == len(TOLD)
    found: dict[int, list[tuple[bytes, object]]] = {}
    places = {TopicPartition(topic, number): 0 for number in range(PARTITIONS)}
    async for records in read_from(settings, places):
        for record in records:
            found.setdefault(record.partition, []).append((record.key, decode(record.value)))
    for number, records in found.items():
        half = len(records) // 2
        assert records[:half] == records[half:]
        for key, message in records[:half]:
            assert isinstance(message, Forecast)
            assert (message.item_id.encode(), message.made_at) == (key, MADE_AT)
            assert message.forecast == TOLD[message.item_id]
            assert partition_of_key(key, PARTITIONS) == number
    assert sum(map(len, found.values())) == 2 * len(TOLD)


async def test_a_missing_topic_is_told_in_a_line(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=r"expected a topic .*item-facts.*, found none: start a worker once"):
        await publish_forecasts(load_settings(), MADE_AT, TOLD)


async def test_the_item_stage_serves_the_newest_forecast_of_an_item_that_it_knows(
    broker: Broker, tmp_path: Path
) -> None:
    lines = [
        {
            "topic": "clicks",
            "value": VIEW | {"event_id": str(number), "user_id": f"u{number}", "item_id": f"i{number % 2}"},
        }
        for number in range(6)
    ]
    settings = quick_settings(tmp_path, broker=broker.url, items=True)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, lines)
        told = {name: {"reason": None, "days": 1} for name in ("i0", "unknown")}
        await publish_forecasts(flow.settings, MADE_AT, told)
        # An older one, come late, and a newer one of the other item.
        await publish_forecasts(flow.settings, MADE_AT - 1, {"i0": {"days": 0}})
        await publish_forecasts(flow.settings, MADE_AT + 1, {"i1": {"days": 2}})
        async with asyncio.timeout(PATIENCE_S):
            served = await signals(flow.settings)
            while not (served["i0"] and served["i1"]):
                await asyncio.sleep(0.1)
                served = await signals(flow.settings)
    assert {name: (told["days"], told["made_at"]) for name, told in served.items()} == {
        "i0": (1, MADE_AT),
        "i1": (2, MADE_AT + 1),
    }


async def signals(settings: Settings) -> dict[str, dict[str, Any]]:
    """The forecast of every item, as the newest record of the item has it."""
    found: dict[str, Any] = {}
    async for records in read_topic(settings, topic_name(settings, ITEM_SIGNALS)):
        for record in records:
            found[record.key.decode()] = orjson.loads(record.value)["demand"]["forecast"] or {}
    return found
