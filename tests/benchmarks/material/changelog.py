"""A changelog as a flow with so many users would have left it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.harness import say
from benchmarks.material.histories import simulated

from features.users.codec import encode
from features.users.state import NO_OFFSET
from streams.broker.publisher import Publisher
from streams.contract import changelog_name
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings

CHUNK: Final = 20_000
"""States that are under way at once."""

TOLD_EVERY: Final = 500_000


def simulated_states(lines: int) -> list[bytes]:
    """Return the bytes of the states of the simulator's shoppers, as an empty input topic allows them."""
    states = simulated(lines)
    for state in states:
        # A worker does not start on states that remember records which the input does not have.
        state.epoch, state.offsets = 1, [NO_OFFSET] * len(state.offsets)
    return [encode(state) for state in states]


async def fill(settings: Settings, states: int, kinds: Sequence[bytes]) -> tuple[int, float]:
    """Publish so many states of as many users, of these kinds in turn.

    Returns:
        The bytes of the batches, and how long it took (s).
    """
    publisher = Publisher(settings)
    await publisher.start()
    began, size = time.monotonic(), 0
    try:
        for first in range(0, states, CHUNK):
            size += await _publish(publisher, settings, range(first, min(first + CHUNK, states)), kinds)
            if first % TOLD_EVERY == 0:
                say(f"published {first:,} of {states:,} states")
    finally:
        await publisher.stop()
    return size, time.monotonic() - began


async def _publish(publisher: Publisher, settings: Settings, numbers: range, kinds: Sequence[bytes]) -> int:
    chunks: list[list[Outgoing]] = [[] for _ in range(settings.partitions)]
    for number in numbers:
        key = f"shopper-{number:09d}".encode()
        chunks[partition_of_key(key, settings.partitions)].append(Outgoing(key, kinds[number % len(kinds)]))
    name = changelog_name(settings)
    sent = [await publisher.send(name, partition, chunk) for partition, chunk in enumerate(chunks)]
    await asyncio.gather(*(one.acknowledged() for one in sent))
    return sum(batch.size for one in sent for batch in one.batches)
