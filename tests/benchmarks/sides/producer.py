"""An open-loop producer: records come due at a constant rate, whether or not anyone keeps up.

Every record carries the instant it was due as its Kafka timestamp, so that a producer that is late, or a worker that
holds it up, makes latencies longer and not the load lighter.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from typing import Any, Final

import numpy as np
import orjson
from benchmarks.material.clicks import click, zipf_users
from benchmarks.material.texts import review, review_texts
from benchmarks.material.titles import titles

from streams.broker.connection import new_producer
from streams.contract import topic_name
from streams.records.ndjson import partition_of
from streams.settings import Settings, load_settings

TICK_S: Final = 0.01
DRAWN: Final = 50_000


class Source:
    """Records of one topic without end.

    Args:
        arguments: `topic` (`clicks` or `reviews`), `users`, `seed`, `hot` (share of events of one user, 0 for none),
            and of clicks `titles` (how many there are; 0 for clicks without, null for another one every time).
        partitions: of the topic.
    """

    def __init__(self, arguments: dict[str, Any], partitions: int) -> None:
        rng = np.random.default_rng(arguments["seed"])
        users = zipf_users(rng, DRAWN, arguments["users"])
        hot = rng.random(DRAWN) < arguments["hot"]
        # Beyond the range of the others, so that the hot user is nobody else's.
        self._users = cycle([arguments["users"] if is_hot else user for user, is_hot in zip(users, hot, strict=True)])
        self._texts = cycle(review_texts()) if arguments["topic"] == "reviews" else None
        self._titles = drawn_titles(arguments["titles"], arguments["seed"])
        self._numbers = count(arguments["seed"] * 100_000_000)
        self._partitions = partitions
        self._places: dict[int, int] = {}

    def next(self, due_ms: int) -> tuple[int, bytes, bytes]:
        """Return partition, key and value of the next record."""
        user, number = next(self._users), next(self._numbers)
        if self._texts is None:
            event = click(number, user, "view" if number % 20 else "purchase", 19.9, "jazz")
            if self._titles is not None:
                event["title"] = next(self._titles)
        else:
            event = review(number, user, next(self._texts))
        event["timestamp"] = due_ms
        key = event["user_id"].encode()
        place = self._places.get(user)
        if place is None:
            place = self._places[user] = partition_of(key, self._partitions, 0)
        return place, key, orjson.dumps(event)


def drawn_titles(number: int | None, seed: int) -> Iterator[str] | None:
    """Return the titles of clicks, one after another without end; None for clicks without."""
    if number == 0:
        return None
    return titles(seed) if number is None else cycle(list(islice(titles(seed), number)))


async def produce(settings: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
    """Publish for `seconds` at `rate` a second and return how late the latest tick was."""
    source = Source(arguments, settings.partitions)
    producer = new_producer(settings, max_batch_size=1 << 20)
    await producer.start()
    name = topic_name(settings, arguments["topic"])
    rate, seconds = arguments["rate"], arguments["seconds"]
    began, began_ms = time.monotonic(), time.time() * 1000
    sent, latest = 0, 0.0
    futures = []
    try:
        while (elapsed := time.monotonic() - began) < seconds:
            due = int(elapsed * rate)
            latest = max(latest, elapsed - sent / rate if due > sent else 0.0)
            batches: defaultdict[int, Any] = defaultdict(producer.create_batch)
            while sent < due:
                due_ms = int(began_ms + sent / rate * 1000)
                place, key, value = source.next(due_ms)
                batches[place].append(key=key, value=value, timestamp=due_ms)
                sent += 1
            futures += [await producer.send_batch(batch, name, partition=place) for place, batch in batches.items()]
            # The pace of the ticks: what is due is counted from the start, so a late one costs nothing.
            await asyncio.sleep(TICK_S)
        await asyncio.gather(*futures)
    finally:
        await producer.stop()
    return {"sent": sent, "latest_ms": latest * 1000}


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    arguments = json.loads(argv[0])
    settings = load_settings(
        broker=arguments["broker"], topic_prefix=arguments["prefix"], partitions=arguments["partitions"]
    )
    print(json.dumps(asyncio.run(produce(settings, arguments))))


if __name__ == "__main__":
    main(sys.argv[1:])
