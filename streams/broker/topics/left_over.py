"""Topics that the settings name no more: whether they are there, since erasures and copies reach them all the same."""

from __future__ import annotations

from streams.broker.topics.admin import Admin
from streams.contract import CAPACITY, topic_name
from streams.settings import Settings


async def partitions_left(settings: Settings, topic: str) -> int | None:
    """Return the number of partitions of a topic of the contract; None if there is none that the login may see.

    A login without any right on it is of a deployment that never had one.

    Raises:
        BrokerError: no node answers.
    """
    name = topic_name(settings, topic)
    async with Admin(settings) as admin:
        if not await admin.seen([name]):
            return None
        found = (await admin.topics([name])).get(name)
    return None if found is None else found.partitions


async def capacity_partitions(settings: Settings) -> int | None:
    """Return the same of the topic of capacity."""
    return await partitions_left(settings, CAPACITY)


async def holds_partition(settings: Settings, partition: int) -> bool:
    """Return whether there is a topic of capacity with this partition: one with fewer was never this deployment's.

    Raises:
        BrokerError: no node answers.
    """
    found = await capacity_partitions(settings)
    return found is not None and partition < found
