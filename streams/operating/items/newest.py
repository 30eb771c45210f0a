"""The newest record of one item."""

from __future__ import annotations

from typing import Any

import orjson
from aiokafka import TopicPartition

from streams.broker.reading import read_from
from streams.broker.topics.counts import partitions_of
from streams.broker.topics.log_ends import log_bounds
from streams.contract import ITEM_SIGNALS, topic_name
from streams.records.placement import partition_of_key
from streams.records.score_record import newer
from streams.settings import Settings


async def newest_record(settings: Settings, item_id: str) -> dict[str, Any] | None:
    """Return what a consumer of the compacted topic would hold of an item; None if nothing.

    Raises:
        BrokerError: there is no such topic, or the broker cannot be reached or does not answer.
    """
    name, key = topic_name(settings, ITEM_SIGNALS), item_id.encode()
    count = len(await partitions_of(settings, name))
    place = TopicPartition(name, partition_of_key(key, count))
    newest: dict[str, Any] | None = None
    bounds = await log_bounds(settings, [place])
    async for records in read_from(settings, {place: bounds[place].start}):
        for value in (record.value for record in records if record.key == key):
            found = None if value is None else orjson.loads(value)
            if found is None or newest is None or newer(found, newest):
                newest = found
    return newest
