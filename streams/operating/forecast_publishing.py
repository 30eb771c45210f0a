"""Publishing forecasts to the item stage, which alone writes the records of items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from streams.broker.connection import reaching
from streams.broker.errors.explaining import WRITE
from streams.broker.publisher import Publisher
from streams.broker.topics.counts import common_partitions
from streams.contract import FACTS, topic_name
from streams.exceptions import BrokerError
from streams.records.items.facts import Forecast, encode
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings

CHUNK: Final = 1000
"""Forecasts that are sent before their acknowledgements are waited for, half a kilobyte each."""


async def publish_forecasts(settings: Settings, made_at: int, forecasts: Mapping[str, Mapping[str, Any]]) -> int:
    """Publish forecasts through the facts topic; return how many the broker has acknowledged, which is all.

    The item stage keeps of each item the newest by `made_at`, so that publishing again leaves the same, and an older
    run that comes late is passed over. An item that the stage does not know is passed over too.

    Args:
        settings: of the cluster.
        made_at: the instant that the forecasts look ahead from, ms.
        forecasts: by item id.

    Raises:
        BrokerError: the topic is missing, or the broker has not taken all; the message says how many it has.
    """
    topic, sent = topic_name(settings, FACTS), 0
    partitions = await common_partitions(settings, [topic])
    publisher = Publisher(settings)
    async with reaching(settings):
        await publisher.start()
    try:
        waiting = iter(sorted(forecasts.items()))
        while chunk := list(islice(waiting, CHUNK)):
            async with reaching(settings, WRITE, topic):
                await _send(publisher, topic, partitions, made_at, chunk)
            sent += len(chunk)
    except BrokerError as error:
        raise type(error)(
            f"{error}; {sent:,} of {len(forecasts):,} forecasts are published: run the command again, none counts twice"
        ) from error
    finally:
        await publisher.stop()
    return sent


async def _send(
    publisher: Publisher, topic: str, partitions: int, made_at: int, chunk: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    by_partition: defaultdict[int, list[Outgoing]] = defaultdict(list)
    for item_id, forecast in chunk:
        key = item_id.encode()
        value = encode(Forecast(item_id, made_at, dict(forecast)))
        by_partition[partition_of_key(key, partitions)].append(Outgoing(key, value))
    batches = [await publisher.send(topic, number, records) for number, records in by_partition.items()]
    try:
        for batch in batches:
            await batch.acknowledged()
    finally:
        for batch in batches:
            await batch.settled()
