"""A request to workers, by a record: published, waited for, and what is said of it where the rest fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from features.exceptions import FeaturesError
from streams.broker.connection import connection, new_producer, reaching
from streams.broker.errors.explaining import WRITE, explained
from streams.exceptions import BrokerError, BrokerRefusalError, DrainTimeoutError, StreamsError
from streams.progress import Progress
from streams.settings import Settings

POLL_S: Final = 0.2
"""Seconds between two questions to the group for its progress: a fifth of its default commit interval."""


class Place(NamedTuple):
    """The place of a record: the name of its topic on the broker, its partition and offset."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@contextmanager
def obeyed_all_the_same(place: Place, again: str) -> Iterator[None]:
    """Add to every error inside that the request was published.

    Args:
        place: of the request.
        again: the verb of what is to be done for a receipt.

    Raises:
        StreamsError: the enclosed code failed.
    """
    try:
        yield
    except (StreamsError, FeaturesError) as error:
        kind = type(error) if isinstance(error, StreamsError) else StreamsError
        raise kind(
            f"{error}; the request was published ({place}): it stays in the topic and will be obeyed; {again} again "
            "for a receipt"
        ) from error


async def publish(settings: Settings, target: TopicPartition, key: bytes, value: bytes, again: str) -> Place:
    """Append a request to a partition; return its place.

    Raises:
        BrokerError: it may or may not be published.
    """
    producer = new_producer(settings)
    async with reaching(settings):
        await producer.start()
        try:
            sent = await producer.send_and_wait(target.topic, value, key=key, partition=target.partition)
        except KafkaError as error:
            why = await explained(error, connection(settings), WRITE, target.topic)
            if isinstance(why, BrokerRefusalError):
                raise why from error
            raise BrokerError(f"{why}; the request may have been published all the same: {again} again") from error
        finally:
            await producer.stop()
    return Place(target.topic, target.partition, sent.offset)


async def settled(
    settings: Settings, group: str, place: Place, timeout_s: float, progress: Progress, workers: str = "its workers run"
) -> None:
    """Wait until a group has committed past a request.

    Args:
        settings: of the cluster.
        group: by its name on the broker.
        place: of the request.
        timeout_s: how long the group may take.
        progress: told for how long it has been waited for.
        workers: what is to be looked at where the group does not.

    Raises:
        BrokerError: the broker cannot be used.
        DrainTimeoutError: the group did not within the time.
    """
    began = time.monotonic()
    # The consumer names the group only to read its offsets. Without a subscription it never joins the group.
    consumer = AIOKafkaConsumer(**connection(settings), group_id=group, enable_auto_commit=False)
    committed = 0
    async with reaching(settings):
        await consumer.start()
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    committed = await consumer.committed(TopicPartition(place.topic, place.partition)) or 0
                    if committed > place.offset:
                        return
                    progress("seconds waited for the workers", int(time.monotonic() - began), None)
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise DrainTimeoutError(
                f"the request {place} was not settled within {timeout_s:g} s: expected the group {group!r} to commit "
                f"offset {place.offset + 1} there, found {committed}; check that {workers} and are ready, and "
                "that WHEREWITHAL_GROUP and WHEREWITHAL_TOPIC_PREFIX are theirs"
            ) from error
        finally:
            await consumer.stop()
