"""The floor: aiokafka fetches clicks, orjson decodes them, a dictionary counts. Nothing is kept, nothing is safe."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from aiokafka import TopicPartition

from streams.broker.connection import new_consumer
from streams.contract import CLICKS, topic_name
from streams.settings import load_settings


async def run(arguments: dict[str, Any]) -> dict[str, Any]:
    """Consume what is there and return what was measured."""
    settings = load_settings(broker=arguments["broker"], topic_prefix=arguments["prefix"])
    consumer = new_consumer(settings)
    name = topic_name(settings, CLICKS)
    consumer.assign([TopicPartition(name, int(number)) for number in arguments["ends"]])
    await consumer.start()
    events, counts = sum(arguments["ends"].values()), Counter[str]()
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        while counts.total() < events:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=4000)).values():
                counts.update(orjson.loads(record.value)["user_id"] for record in records)
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    finally:
        await consumer.stop()
    return {"events_per_second": events / seconds, "cpu_us_per_event": cpu / events * 1e6}


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    print(json.dumps(asyncio.run(run(json.loads(argv[0])))))


if __name__ == "__main__":
    main(sys.argv[1:])
