"""Repartitioning: what is known of users and items goes from the topics of one deployment to another's, by key.

A run that was interrupted is run again: it claims the same topics, copies everything once more, and the later row of a
user replaces the earlier one, as it does in every compacted topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.broker.topics.counts import common_partitions
from streams.broker.topics.left_over import partitions_left
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import CAPACITY, ITEM_SIGNALS, published, topic_name
from streams.exceptions import ConfigurationError
from streams.operating.repartitioning.claim import check_unused, claim
from streams.operating.repartitioning.copying import Copied, Copying
from streams.operating.repartitioning.last_member import LastMember
from streams.operating.repartitioning.parts import Part, parts_of
from streams.operating.repartitioning.standstill import NotStillError, check_changelog, check_drained, check_no_workers
from streams.progress import Progress
from streams.settings import Settings


@dataclass(frozen=True)
class Repartitioned:
    """What was done.

    Attributes:
        source, target: settings of both deployments, with their numbers of partitions.
        tables: what was copied, in this order: states, scores, estimates of capacity if there are any,
            then items and their signals if items are kept.
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
        ConfigurationError: there are estimates of capacity or items, which the settings do not name.
        NotStillError: a worker runs, or an input is not drained.
        TakenTargetError: the topics of the copy hold something else.
        CopyMismatchError: what was read back is not what was copied.
        StateMismatchError: a topic of the source was made anew, or holds what this release does not read.
        StreamsError: the broker or the disk cannot be used.
    """
    await _check_all_named(settings)
    parts = parts_of(settings)
    topics = [name for part in parts for name in (*part.topics, *(table.name(settings) for table in part.tables))]
    source = settings.model_copy(update={"partitions": await common_partitions(settings, topics)})
    for part in parts:
        await check_no_workers(source, part.group, progress)
    await _check_drained(source, parts)
    for part in parts:
        await check_changelog(source, part.group, part.tables[0].name(source), part.inputs(source))
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(LastMember(source, part.group, part.inputs(source))) for part in parts
        ]

        async def copied() -> list[Copied]:
            await claim(source, target)
            before = await high_watermarks(source, [tp for part in parts for tp in part.outputs(source)])
            found = []
            for part, member in zip(parts, members, strict=True):
                copying = Copying(source, target, member.epoch, progress)
                found += [await copying.copy(table) for table in part.tables]
            await _check_drained(source, parts)
            await _check_unchanged(source, before)
            await check_unused(target)
            return found

        work = copied()
        for member in members:
            work = member.during(work)
        return Repartitioned(source, target, await work)


async def _check_all_named(settings: Settings) -> None:
    """Refuse to leave something behind that the settings do not name.

    Raises:
        ConfigurationError: there is such a topic.
        BrokerError: the broker cannot be used.
    """
    if CAPACITY not in published(settings) and await partitions_left(settings, CAPACITY) is not None:
        raise ConfigurationError(
            f"WHEREWITHAL_CAPACITY_ARTEFACT: expected the folder that the workers name, since there is a topic "
            f"{topic_name(settings, CAPACITY)!r}, found none: set it, or delete the topic if no worker estimates "
            "capacity any more"
        )
    if not settings.items and await partitions_left(settings, ITEM_SIGNALS) is not None:
        raise ConfigurationError(
            f"WHEREWITHAL_ITEMS: expected true, since there is a topic {topic_name(settings, ITEM_SIGNALS)!r}, found "
            "false: unset it, or delete the topic if no worker keeps items any more"
        )


async def _check_drained(source: Settings, parts: Sequence[Part]) -> None:
    for part in parts:
        await check_drained(source, part.group, part.inputs(source))


async def _check_unchanged(source: Settings, before: dict[TopicPartition, int]) -> None:
    for partition, end in (await high_watermarks(source, list(before))).items():
        if end != before[partition]:
            raise NotStillError(
                f"expected nothing new in {partition.topic}-{partition.partition}, found {end - before[partition]} "
                "records that came while it was copied: a worker was started; stop it, and run this again"
            )
