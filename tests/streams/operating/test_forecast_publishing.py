"""Forecasts reach the facts topic once each, in the partitions of their items."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from support.servers.brokers import Broker

from streams.broker.reading import read_from
from streams.broker.topics.admin import Admin, Made
from streams.contract import FACTS, topic_name
from streams.exceptions import BrokerError
from streams.operating import forecast_publishing
from streams.operating.forecast_publishing import publish_forecasts
from streams.records.facts import Forecast, decode
from streams.records.placement import partition_of_key
from streams.settings import Settings, load_settings

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
