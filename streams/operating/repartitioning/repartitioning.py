"""Repartitioning: what is known of the users goes from the topics of one deployment to those of another, by key.

A run that was interrupted is run again: it claims the same topics, copies everything once more, and the later row of a
user replaces the earlier one, as it does in every compacted topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.broker.topics.counts import common_partitions
from streams.broker.topics.left_over import capacity_partitions
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import CAPACITY, INPUTS, changelog_name, published, topic_name
from streams.exceptions import ConfigurationError
from streams.operating.repartitioning.claim import check_unused, claim
from streams.operating.repartitioning.copying import Copied, Copying
from streams.operating.repartitioning.last_member import LastMember
from streams.operating.repartitioning.standstill import NotStillError, check_changelog, check_drained, check_no_workers
from streams.operating.repartitioning.tables import Records, States, Table
from streams.progress import Progress
from streams.settings import Settings


@dataclass(frozen=True)
class Repartitioned:
    """What was done.

    Attributes:
        source, target: settings of both deployments, with their numbers of partitions.
        tables: what was copied, in this order: states, scores, estimates of capacity if there are any.
    """

    source: Settings
    target: Settings
    tables: Sequence[Copied]


async def repartition(settings: Settings, target: Settings, progress: Progress) -> Repartitioned:
    """Copy states and records, while nothing changes at either end, and compare the copies.

    Args:
        settings: of the source.
        target: of the copy (`settings_behind`).
        progress: told how far each step is.

    Raises:
        ConfigurationError: there are estimates of capacity, which the settings do not name.
        NotStillError: a worker runs, or an input is not drained.
        TakenTargetError: the topics of the copy hold something else.
        CopyMismatchError: what was read back is not what was copied.
        StateMismatchError: a topic of the source was made anew, or holds what this release does not read.
        StreamsError: the broker or the disk cannot be used.
    """
    names = [topic_name(settings, topic) for topic in INPUTS]
    topics = published(settings)
    if CAPACITY not in topics and await capacity_partitions(settings) is not None:
        raise ConfigurationError(
            f"WHEREWITHAL_CAPACITY_ARTEFACT: expected the folder that the workers name, since there is a topic "
            f"{topic_name(settings, CAPACITY)!r}, found none: set it, or delete the topic if no worker estimates "
            "capacity any more"
        )
    tables = [changelog_name(settings), *(topic_name(settings, topic) for topic in topics)]
    count = await common_partitions(settings, [*names, *tables])
    source = settings.model_copy(update={"partitions": count})
    inputs = [TopicPartition(name, number) for name in names for number in range(count)]
    outputs = [TopicPartition(name, number) for name in tables for number in range(count)]
    await check_no_workers(source, progress)
    await check_drained(source, inputs)
    await check_changelog(source, inputs)
    async with LastMember(source, inputs) as member:

        async def copied() -> list[Copied]:
            await claim(source, target)
            before = await high_watermarks(source, outputs)
            copying = Copying(source, target, member.epoch, progress)
            everything: list[Table] = [States(), *map(Records, topics)]
            found = [await copying.copy(table) for table in everything]
            await check_drained(source, inputs)
            await _check_unchanged(source, before)
            await check_unused(target)
            return found

        return Repartitioned(source, target, await member.during(copied()))


async def _check_unchanged(source: Settings, before: dict[TopicPartition, int]) -> None:
    for partition, end in (await high_watermarks(source, list(before))).items():
        if end != before[partition]:
            raise NotStillError(
                f"expected nothing new in {partition.topic}-{partition.partition}, found {end - before[partition]} "
                "records that came while it was copied: a worker was started; stop it, and run this again"
            )
