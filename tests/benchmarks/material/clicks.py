"""The clicks that the benchmarks send: seeded, Zipf-distributed over users, about 192 bytes of JSON each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson

from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, topic_name
from streams.records.ndjson import partition_of
from streams.records.outgoing import Outgoing
from streams.settings import Settings

USERS: Final = 100_000
EXPONENT: Final = 1.0
"""Of Zipf's law: the user of rank r causes events in proportion to 1 / r."""

START_MS: Final = 1_760_000_000_000
STEP_MS: Final = 5
_ACTIONS: Final = ("view",) * 14 + ("favorite",) * 2 + ("cart",) * 3 + ("purchase",)
_CATEGORIES: Final = ("rock", "jazz", "classical", "soundtrack", "folk")
_CHUNK: Final = 2000


def zipf_users(rng: np.random.Generator, count: int, users: int = USERS) -> list[int]:
    """Draw `count` users by bounded Zipf."""
    weights = 1.0 / np.arange(1, users + 1) ** EXPONENT
    drawn: list[int] = rng.choice(users, size=count, p=weights / weights.sum()).tolist()
    return drawn


def clicks(count: int, seed: int = 7, users: int = USERS) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and JSON of each click."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(len(_ACTIONS), size=count).tolist()
    categories = rng.integers(len(_CATEGORIES), size=count).tolist()
    prices = np.round(rng.uniform(1, 200, count), 2).tolist()
    for number, user in enumerate(zipf_users(rng, count, users)):
        event = click(number, user, _ACTIONS[actions[number]], prices[number], _CATEGORIES[categories[number]])
        yield event["user_id"].encode(), orjson.dumps(event)


def click(number: int, user: int, action: str, price: float, category: str) -> dict[str, Any]:
    """Return one click as a JSON object."""
    return {
        "event_id": f"click-{number:010d}",
        "user_id": f"shopper-{user:07d}",
        "item_id": f"item-{number % 50_000:06d}",
        "action": action,
        "timestamp": START_MS + number * STEP_MS,
        "category": category,
        "price": price,
        "session_id": f"visit-{number // 10:08d}",
    }


async def publish_clicks(settings: Settings, count: int, users: int = USERS) -> dict[str, int]:
    """Make the topics, publish `count` clicks, and return the end of each partition (its number as text)."""
    await make_topics(settings)
    publisher = Publisher(settings)
    await publisher.start()
    ends: defaultdict[int, int] = defaultdict(int)
    waiting: dict[int, list[Outgoing]] = defaultdict(list)
    try:
        for number, (key, value) in enumerate(clicks(count, users=users), 1):
            partition = partition_of(key, settings.partitions, 0)
            waiting[partition].append(Outgoing(key, value))
            ends[partition] += 1
            if number % _CHUNK == 0 or number == count:
                sent = [await publisher.send(topic_name(settings, CLICKS), *chunk) for chunk in waiting.items()]
                for one in sent:
                    await one.acknowledged()
                waiting.clear()
    finally:
        await publisher.stop()
    return {str(partition): end for partition, end in ends.items()}
