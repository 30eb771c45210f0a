"""A shop's own topics: calls of Segment made of events of the contract, and `rekey` over them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.broker.connection import connection, new_producer
from streams.broker.reading import read_topic
from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import CLICKS, rekey_group_name, topic_name
from streams.operating.drain import Drain
from streams.operating.read_back import dead_letters
from streams.operating.summary import summarise
from streams.rekeying.flow import Flow as Rekeying
from streams.settings import Settings
from streams.worker.flow import Flow
from support.encoders import HashEncoder
from support.inputs import ends_of_inputs
from support.patience import PATIENCE_S
from support.runs import Run, quick_settings, read_back
from support.shoppers import BASE

_CLICKS = {
    "view": "Product Viewed",
    "favorite": "Product Added to Wishlist",
    "cart": "Product Added",
    "remove": "Product Removed",
}
ACTIONS = (*_CLICKS, "purchase")


def shop_lines(seed: int, events: int, users: int) -> list[dict[str, Any]]:
    """Events of the contract that Segment has calls for, of users who do about as much each."""
    rng = random.Random(seed)
    lines = []
    for number in range(events):
        common = {"event_id": f"e{number}", "user_id": f"user-{rng.randrange(users)}"}
        common["timestamp"] = BASE - rng.randrange(40 * 86_400_000)
        item = {"item_id": f"i{rng.randrange(9)}", "category": rng.choice(["jazz", "rock"])}
        topic = rng.choices(["clicks", "searches", "reviews"], [8, 1, 1])[0]
        if topic == "clicks":
            value = item | {"action": rng.choice(ACTIONS), "price": rng.choice([0.1, 19.99, 7]), "quantity": 2}
        elif topic == "searches":
            value = {"query": rng.choice(["jazz vinyl", "黑胶唱片", "blues cd"])}
        else:
            value = item | {"text": rng.choice(["Great sound", "质量很好", "broken"]), "rating": rng.choice([1, 4, 5])}
        lines.append({"topic": topic, "value": common | value})
    return lines


def as_call(line: dict[str, Any]) -> bytes:
    """The call of Segment for an event."""
    value = line["value"]
    product = {"product_id": value.get("item_id"), "category": value.get("category"), "price": value.get("price")}
    properties: dict[str, Any] = product
    if line["topic"] == "searches":
        event, properties = "Products Searched", {"query": value["query"]}
    elif line["topic"] == "reviews":
        event, properties = "Product Reviewed", product | {"review_body": value["text"], "rating": value["rating"]}
    elif value["action"] == "purchase":
        event, properties = "Order Completed", {"products": [product | {"quantity": value["quantity"]}]}
    else:
        event, properties = _CLICKS[value["action"]], product | {"quantity": value["quantity"]}
    call = {"type": "track", "event": event, "userId": value["user_id"], "messageId": value["event_id"]}
    return orjson.dumps(call | {"timestamp": value["timestamp"], "properties": properties})


def numbered_clicks(numbers: Iterable[int]) -> list[bytes]:
    """Clicks of one user in the shape of the contract, each with its number for an id."""
    common = {"user_id": "u", "item_id": "i", "action": "view"}
    return [orjson.dumps(common | {"event_id": str(number), "timestamp": BASE + number}) for number in numbers]


async def numbers_taken(settings: Settings) -> list[int]:
    """The numbers of the clicks in the input, in order."""
    found = [record async for records in read_topic(settings, topic_name(settings, CLICKS)) for record in records]
    return sorted(int(orjson.loads(record.value)["event_id"]) for record in found)


async def publish(
    settings: Settings,
    topic: str,
    values: Sequence[bytes | None],
    *,
    partitions: int = 3,
    key: bytes | None = None,
    **options: Any,
) -> None:
    """Make a topic of the shop if it is missing, and write values into its partitions in turn."""
    async with Admin(settings) as admin:
        await admin.create([Made(topic, partitions, 1, {"max.message.bytes": str(16 << 20)})])
        await admin.led([topic])
    producer = new_producer(settings, **options)
    await producer.start()
    try:
        # A node may not have heard yet of partitions that were added.
        async with asyncio.timeout(PATIENCE_S):
            while len(await producer.partitions_for(topic)) < partitions:
                await producer.client.force_metadata_update()
                await asyncio.sleep(0.05)
        sent = [
            await producer.send(topic, value, key=key, partition=number % partitions)
            for number, value in enumerate(values)
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def behind(settings: Settings, *topics: str) -> int:
    """Records of the shop's topics that the group of `rekey` has not committed."""
    async with Admin(settings) as admin:
        counts = await admin.topics(topics)
    tps = [TopicPartition(topic, number) for topic in topics for number in range(counts[topic].partitions)]
    ends = await high_watermarks(settings, tps)
    group = rekey_group_name(settings)
    async with AIOKafkaConsumer(**connection(settings), group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign(tps)
        return sum([ends[tp] - (await consumer.committed(tp) or 0) for tp in tps])


async def rekeyed(settings: Settings, *topics: str) -> None:
    """Wait until the group of `rekey` has committed all that the shop's topics hold."""
    deadline = time.monotonic() + PATIENCE_S
    while left := await behind(settings, *topics):
        assert time.monotonic() < deadline, f"{left} records were not committed in time"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def rekeying(settings: Settings) -> AsyncIterator[Rekeying]:
    """Re-key in this process for as long as the context lasts."""
    async with Rekeying(settings) as flow:
        yield flow


def rekey_settings(folder: Path, sources: Iterable[str], **overrides: Any) -> Settings:
    """Settings of a quick process that reads these sources, for a broker's own topics."""
    return quick_settings(folder, rekey_sources=",".join(sources), metrics_port=0, **overrides)


async def worked_off(settings: Settings) -> Run:
    """Have a worker take in all that the inputs hold, and read back what it made of it."""
    async with Flow(settings, encoder=HashEncoder(), keep_latencies=True) as flow:
        drain = Drain(flow, 100)
        await drain.drained(await ends_of_inputs(flow.settings))
        return await read_back(flow, _summary(flow))


def _summary(flow: Flow) -> Any:
    class Nothing:
        events = erasures = rejected = 0

    return summarise(flow, Nothing(), 1.0)  # type: ignore[arg-type]


async def letters_of(settings: Settings) -> list[dict[str, Any]]:
    """The dead letters."""
    return await dead_letters(settings)
