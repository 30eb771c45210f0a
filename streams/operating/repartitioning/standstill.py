"""Whether the source stands still: no worker is in its group, and nothing of its inputs is left to be done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import aclosing
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.broker.connection import connection
from streams.broker.members import count_members
from streams.broker.reading import read_from, reading
from streams.broker.topics.log_ends import high_watermarks, log_bounds
from streams.exceptions import StateMismatchError, StreamsError
from streams.progress import Progress
from streams.settings import Settings

SESSION_SHARE: Final = 0.5
"""Of the longest wait for an answer: for so long this command may be silent, at least, as a busy machine must not cost
the whole copy. Not longer, since a broker may take a session to let the first member in, which is one request."""

_POLL_S: Final = 0.5
_GRACE_S: Final = 1.0


class NotStillError(StreamsError, RuntimeError):
    """What is to be copied still changes, or is not all there."""


def session_s(settings: Settings) -> float:
    """Return how long (s) a member of the group may be silent, be it a worker or this command."""
    return max(settings.session_timeout_s, SESSION_SHARE * settings.request_timeout_s)


async def check_no_workers(settings: Settings, group: str, progress: Progress) -> None:
    """Wait for those members to leave the group that were killed, for as long as the broker keeps them.

    Raises:
        NotStillError: a member is left.
        BrokerError: the broker cannot be used.
    """
    until = time.monotonic() + session_s(settings) + _GRACE_S
    told = False
    while members := await count_members(settings, group):
        if time.monotonic() > until:
            raise NotStillError(
                f"expected no worker in the group {group!r}, found {members}: stop every worker (SIGTERM), wait until "
                "it has ended, give up the place of each with an instance id by `wherewithal leave`, and run this again"
            )
        if not told:
            progress("waiting for the group's members to leave, as killed ones do", 0, 1)
        told = True
        await asyncio.sleep(_POLL_S)


async def committed_offsets(
    settings: Settings, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int | None]:
    """Return what a group has committed of these partitions; None where nothing is.

    Raises:
        BrokerError: the broker cannot be used.
    """
    # The consumer names the group only to read its offsets. Without a subscription it never joins the group.
    consumer = AIOKafkaConsumer(**connection(settings), group_id=group, enable_auto_commit=False)
    async with reading(settings, consumer):
        return {partition: await consumer.committed(partition) for partition in partitions}


async def check_drained(settings: Settings, group: str, inputs: Collection[TopicPartition]) -> None:
    """Check that a group has settled every record of its inputs.

    Raises:
        NotStillError: a record is left, or may be.
        StateMismatchError: an input was made anew.
        BrokerError: the broker cannot be used.
    """
    committed = await committed_offsets(settings, group, inputs)
    bounds = await log_bounds(settings, inputs)
    left: dict[TopicPartition, int] = {}
    for partition, log in bounds.items():
        reached = committed[partition] or 0
        if reached > log.end:
            raise StateMismatchError(
                f"{partition.topic}-{partition.partition} ends at offset {log.end}, but the group has committed "
                f"{reached}: the topic was made anew, and the states speak of the one before"
            )
        if log.stable < log.end:
            raise NotStillError(
                f"expected no transaction on {partition.topic}-{partition.partition}, found one that is open: stop its "
                "producer, let the workers settle what it has written, and run this again"
            )
        start = max(reached, log.start)
        if start < log.end:
            left[partition] = start
    waiting = await _with_records(settings, left)
    if waiting:
        total = sum(bounds[partition].end - left[partition] for partition in waiting)
        worst = max(waiting, key=lambda partition: bounds[partition].end - left[partition])
        raise NotStillError(
            f"expected a group {group!r} without lag, found {total:,} records to do in "
            f"{len(waiting)} partitions, most in {worst.topic}-{worst.partition} (offset {left[worst]} of "
            f"{bounds[worst].end}): stop the producers, let the workers settle the rest, stop them, and run this again"
        )


async def check_changelog(settings: Settings, group: str, name: str, inputs: Collection[TopicPartition]) -> None:
    """Check that a changelog is not one that was made anew: nothing would be copied from it, and nobody told.

    Args:
        settings: of the source.
        group: whose states the changelog holds.
        name: of the changelog on the broker.
        inputs: every partition that the group reads.

    Raises:
        StateMismatchError: it has a partition without a record, of whose inputs some were settled.
        BrokerError: the broker cannot be used.
    """
    committed = await committed_offsets(settings, group, inputs)
    ends = await high_watermarks(settings, [TopicPartition(name, tp.partition) for tp in inputs])
    for partition, offset in committed.items():
        if offset and not ends[TopicPartition(name, partition.partition)]:
            raise StateMismatchError(
                f"{name}-{partition.partition} is empty, but the group has committed {partition.topic}-"
                f"{partition.partition} up to offset {offset}: the changelog was deleted or made anew, and the state "
                "with it; start over from the input that is left (docs/operating.md, Start and stop)"
            )


async def _with_records(settings: Settings, starts: Mapping[TopicPartition, int]) -> list[TopicPartition]:
    """Return those partitions that have a record from an offset on: markers of transactions have offsets too."""
    found = []
    for partition, start in starts.items():
        async with aclosing(read_from(settings, {partition: start})) as batches:
            async for records in batches:
                if records:
                    found.append(partition)
                    break
    return found
