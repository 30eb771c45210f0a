"""A shop's topic in the wire format of Confluent, re-keyed; what had no schema is redriven once it has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.encoded import avro_bytes, framed
from support.servers.brokers import Broker
from support.servers.fake_registry import FakeRegistry
from support.shop_topics import letters_of, publish, rekey_settings, rekeyed, rekeying
from support.shoppers import BASE

from streams.broker.reading import read_topic
from streams.contract import CLICKS, topic_name
from streams.operating.redriving.letters import Choice, Standing
from streams.operating.redriving.redrive import Redrive

CLICK: dict[str, Any] = {
    "type": "record",
    "name": "shop.Click",
    "fields": [
        *({"name": name, "type": "string"} for name in ("user_id", "item_id", "action")),
        {"name": "timestamp", "type": "long"},
        {"name": "price", "type": ["null", "double"]},
    ],
}


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started


def click(schema_id: int, number: int) -> bytes:
    value = {"user_id": f"u{number % 5}", "item_id": "i", "action": "view", "timestamp": BASE + number, "price": 2.5}
    return framed(schema_id, avro_bytes(CLICK, value))


async def test_values_of_avro_become_events_and_those_without_a_schema_wait_as_letters(
    broker: Broker, registry: FakeRegistry, tmp_path: Path
) -> None:
    shop = f"{broker.topic_prefix}avro"
    settings = rekey_settings(
        tmp_path, [f"{shop}=clicks"], broker=broker.url, schema_registry_url=registry.url, rekey_encoding="confluent"
    )
    known = registry.add(json.dumps(CLICK))
    unknown = known + 1
    await publish(settings, shop, [click(known if number < 60 else unknown, number) for number in range(70)])
    async with rekeying(settings):
        await rekeyed(settings, shop)
    letters = await letters_of(settings)
    assert Counter(letter["reason"] for letter in letters) == {"malformed": 10}
    assert registry.add(json.dumps(CLICK)) == unknown
    work = Redrive(settings)
    await work.survey(Choice())
    await work.send()
    assert {letter.standing for letter in work.letters} == {Standing.SENT}
    found = [record async for records in read_topic(settings, topic_name(settings, CLICKS)) for record in records]
    events = [orjson.loads(record.value) for record in found]
    assert {event["event_id"] for event in events} == {f"{shop}/{number % 3}/{number // 3}" for number in range(70)}
    assert len(events) == 70
