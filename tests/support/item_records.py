"""Records of `item-signals`, made up, and a topic that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from streams.broker.publisher import Publisher
from streams.broker.topics.admin import Admin, Made
from streams.contract import ITEM_SIGNALS, topic_name
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings
from support.shoppers import BASE

SignalRecord = dict[str, Any]


def item_record(item: str, *, revision: int = 1, event_time: int = BASE, **fields: Any) -> SignalRecord:
    """Return a record with those fields that people are shown."""
    made = {
        "item_id": item,
        "units_7d": 0,
        "revenue_7d": 0.0,
        "views_24h": 0,
        "conversion_7d": None,
        "polarity_30d": None,
        "rating_text_gap_30d": None,
        "title": None,
        "category": None,
        "price": None,
        "title_vector": [0.0] * 64,
        "event_time": event_time,
        "revision": revision,
        "life": 0,
        "emitted_at": event_time,
        "model": {"polarity": None, "encoder": "e"},
        "degraded": False,
        "sentiment": None,
        "demand": None,
        "risk": None,
    }
    return made | fields


async def publish_signals(settings: Settings, records: Iterable[tuple[str, SignalRecord | None]]) -> None:
    """Make the topic of signals if it is missing, and append these records; None is a tombstone."""
    name = topic_name(settings, ITEM_SIGNALS)
    async with Admin(settings) as admin:
        if name not in await admin.topics([name]):
            await admin.create([Made(name, settings.partitions, 1, {"cleanup.policy": "compact"})])
            await admin.led([name])
    publisher = Publisher(settings)
    await publisher.start()
    for item, record in records:
        sent = Outgoing(item.encode(), None if record is None else orjson.dumps(record))
        await (await publisher.send(name, partition_of_key(item.encode(), settings.partitions), [sent])).acknowledged()
    await publisher.stop()
