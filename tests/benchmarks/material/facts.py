"""The facts that the benchmarks send: those of seeded clicks, with one item that may have a share of them all."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.material.clicks import START_MS, STEP_MS

from features.items.fact import Fact
from features.items.state import ItemState
from features.observation import Kind, Source, to_micros
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import FACTS, topic_name
from streams.records.items.facts import FactBatch, encode
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings

ITEMS: Final = 20_000
HOT: Final = "the hot item"
SPREAD_MS: Final = 30 * 24 * 3_600_000
AT_ONCE: Final = 2000
"""Facts of one turn of a user stage: those of one item partition and source are one record."""

_KINDS: Final = (Kind.VIEW,) * 14 + (Kind.FAVORITE,) * 2 + (Kind.CART,) * 3 + (Kind.PURCHASE,)


def fact(rng: random.Random, item_id: str, offset: int, timestamp: int) -> Fact:
    """Return the fact of one click with a price."""
    kind, price = rng.choice(_KINDS), round(rng.uniform(1, 200), 2)
    bought = kind is Kind.PURCHASE
    return Fact(
        int(Source.CLICKS),
        offset,
        item_id,
        timestamp,
        int(kind),
        to_micros(price) if bought else None,
        int(bought),
        price,
        f"Title of {item_id}",
        "jazz",
    )


def facts(count: int, hot: float, seed: int = 11) -> Iterator[Fact]:
    """Yield facts, a share `hot` of them of one item, and the others of many alike."""
    rng = random.Random(seed)
    for number in range(count):
        item_id = HOT if rng.random() < hot else f"item-{rng.randrange(ITEMS):06d}"
        yield fact(rng, item_id, number, START_MS + number * STEP_MS)


async def publish_facts(settings: Settings, count: int, hot: float) -> dict[str, int]:
    """Make the topics, publish facts, and return the end of each partition (its number as text)."""
    await make_topics(settings)
    publisher = Publisher(settings)
    await publisher.start()
    ends: defaultdict[str, int] = defaultdict(int)
    waiting: defaultdict[tuple[int, int], list[Fact]] = defaultdict(list)
    try:
        for number, one in enumerate(facts(count, hot), 1):
            source = number % settings.partitions
            waiting[partition_of_key(one.item_id.encode(), settings.partitions), source].append(one)
            if number % AT_ONCE == 0 or number == count:
                for (place, source), some in waiting.items():
                    record = Outgoing(None, encode(FactBatch(source, "", some)))
                    sent: Any = await publisher.send(topic_name(settings, FACTS), place, [record])
                    await sent.acknowledged()
                    ends[str(place)] += 1
                waiting.clear()
    finally:
        await publisher.stop()
    return dict(ends)


def grown(rng: random.Random, count: int) -> ItemState:
    """Return an item with so many facts, evenly spread over 30 days: the worst case for tiles."""
    state = ItemState()
    for number in range(count):
        state.apply(fact(rng, "item", number, START_MS + number * SPREAD_MS // count), number % 4, "", number)
    return state
