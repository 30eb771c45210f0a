"""Counting the partitions of topics. Asking never makes a topic."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka import TopicPartition

from streams.broker.topics.admin import Admin
from streams.exceptions import BrokerError
from streams.settings import Settings


async def partition_counts(settings: Settings, names: Collection[str]) -> dict[str, int]:
    """Return the number of partitions of those topics that exist.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    async with Admin(settings) as admin:
        return {name: topic.partitions for name, topic in (await admin.topics(names)).items()}


async def common_partitions(settings: Settings, names: Collection[str]) -> int:
    """Return the number of partitions that all of these topics have.

    Raises:
        BrokerError: the broker cannot be reached, a topic is missing, or their numbers of partitions differ.
    """
    counts = await partition_counts(settings, names)
    for name in names:
        if name not in counts:
            raise BrokerError(
                f"expected a topic {name!r}, found none: start a worker once, which makes it, "
                "or check WHEREWITHAL_TOPIC_PREFIX and WHEREWITHAL_GROUP"
            )
    return common_count(counts)


async def partitions_of(settings: Settings, name: str) -> list[TopicPartition]:
    """Return the partitions of a topic.

    Raises:
        BrokerError: there is no such topic, or the broker cannot be reached.
    """
    return [TopicPartition(name, number) for number in range(await common_partitions(settings, [name]))]


def common_count(counts: Mapping[str, int]) -> int:
    """Return the number of partitions that all topics of a mapping share.

    Raises:
        BrokerError: they differ.
    """
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise BrokerError(
            f"expected all topics to have the same number of partitions, found {found}: Kafka takes none away, so add "
            "some where nothing was published yet, or name a new WHEREWITHAL_TOPIC_PREFIX"
        )
    return next(iter(counts.values()))
