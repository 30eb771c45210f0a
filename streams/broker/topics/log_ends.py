"""The beginning and end of logs, read from the broker's fetch responses without keeping their records.

A consumer could tell too. But it holds every batch that it has fetched and not handed out in a reference cycle. Asked
every few seconds, it would leak memory until the cycle collector runs.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record import MemoryRecords

from streams.broker.connection import new_client, reaching
from streams.exceptions import BrokerError, MissingLogError
from streams.settings import Settings

_EARLIEST: Final = -2
_LATEST: Final = -1
_CONSUMER: Final = -1
_UNCOMMITTED: Final = 0
_COMMITTED: Final = 1

_LEAST_BYTES: Final = 1
"""Bytes asked for, all partitions together. A broker still answers with one whole batch, but with no more."""

_WAIT_MS: Final = 10
"""Milliseconds for which a broker may hold a fetch that finds no record. At 0 the embedded broker leaves out every
partition."""

_RETRY_S: Final = 0.1

MISSING_S: Final = 5.0
"""Seconds for which a partition may be unknown to the broker: one that was just made is, for a moment."""

_ATTEMPTS: Final = 3
_AT_ONCE_S: Final = 1.0
"""A connection that is cut or refused within these seconds is tried again, so that it does not end a take-over."""

_Offsets = Mapping[TopicPartition, int]


class Bounds(NamedTuple):
    """Offsets between which a log can be read.

    Attributes:
        start: of the first record that may still be there; records before it are deleted.
        end: the high watermark, which is the offset of the next record. Not every offset before it is a record:
            transactions leave markers, and compaction leaves gaps.
        stable: the end for a reader of committed records; it lies before `end` while a transaction is open.
    """

    start: int
    end: int
    stable: int


async def high_watermarks(settings: Settings, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the end of each log: the offset of its next record.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    return {tp: bounds.end for tp, bounds in (await log_bounds(settings, partitions)).items()}


async def stable_ends(settings: Settings, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset up to which each log can be read now: its end, or the first open transaction.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    return {tp: bounds.stable for tp, bounds in (await log_bounds(settings, partitions)).items()}


async def log_bounds(settings: Settings, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
    """Return the beginning and end of each log.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    if not partitions:
        return {}
    async with LogEnds(settings) as logs:
        return await logs.bounds(partitions)


class LogEnds:
    """Asks the leaders of partitions for the bounds of their logs, as an asynchronous context manager.

    Ends are taken from fetch responses. A broker may answer ListOffsets with the offset after the first record of its
    last batch. A recovery that relied on it would stop early and lose state.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._missing_s = min(MISSING_S, settings.request_timeout_s / 2)
        self._client: AIOKafkaClient
        self._troubled_by: KafkaError | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerError: the broker cannot be reached.
        """
        async with reaching(self._settings):
            for attempt in range(1, _ATTEMPTS + 1):
                began = time.monotonic()
                try:
                    self._client = await new_client(self._settings)
                    return
                except KafkaConnectionError:
                    if attempt == _ATTEMPTS or time.monotonic() - began > _AT_ONCE_S:
                        raise
                await asyncio.sleep(_RETRY_S * attempt)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end of each log: the offset of its next record.

        Raises:
            BrokerError: the broker cannot be reached or does not answer.
        """
        return {tp: bounds.end for tp, bounds in (await self.bounds(partitions)).items()}

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """Return the bounds of each log.

        Raises:
            MissingLogError: the broker knows no such partition.
            BrokerError: the broker cannot be reached or does not answer.
        """
        try:
            async with reaching(self._settings), asyncio.timeout(self._settings.request_timeout_s):
                return await self._bounds(partitions)
        except TimeoutError as error:
            async with reaching(self._settings):
                if self._troubled_by is not None:
                    raise self._troubled_by from error
            raise BrokerError("the broker did not say in time where its logs end: check its log") from error

    async def written_at(self, tp: TopicPartition, offset: int) -> int | None:
        """Return the Kafka timestamp (ms) of the first record at or after an offset; None if there is none to be read.

        Raises:
            BrokerError: the broker cannot be reached or does not answer.
        """

        def request(topics: list[Any]) -> Any:
            return FetchRequest(_WAIT_MS, _LEAST_BYTES, _LEAST_BYTES, _COMMITTED, topics)

        async with reaching(self._settings):
            answers = await self._ask({tp: (offset, _LEAST_BYTES)}, request)
        records = MemoryRecords(answers[tp][-1])
        while records.has_next():
            batch = records.next_batch()
            if not batch.is_control_batch:
                for record in batch:
                    if record.offset >= offset:
                        return int(record.timestamp)
        return None

    async def _bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """Return the bounds. While leaders are being elected it asks again, until the caller gives up."""
        self._troubled_by = None
        informed = await self._client.set_topics({tp.topic for tp in partitions})
        missing_since: float | None = None
        while True:
            try:
                first = await self._offsets(partitions, _EARLIEST)
                last = await self._offsets(partitions, _LATEST)
                return await self._fetched(first, {tp: max(first[tp], last[tp] - 1) for tp in partitions})
            except KafkaError as error:
                # Records may be deleted between the question for the first offset and the fetch.
                if not (error.retriable or isinstance(error, OffsetOutOfRangeError)):
                    raise
                now = time.monotonic()
                missing = isinstance(error, UnknownTopicOrPartitionError)
                # A broker that does not answer has not said that it knows no such partition.
                self._troubled_by = KafkaConnectionError() if missing and not informed else error
                missing_since = (missing_since or now) if missing and informed else None
                if missing_since is not None and now - missing_since > self._missing_s:
                    raise MissingLogError(
                        f"expected the topic partition {error.args[0]}, found none: it was deleted, or made anew with "
                        "fewer partitions; set WHEREWITHAL_GROUP to a new name and WHEREWITHAL_STATE_DIR to a new "
                        "folder to start over, and leave topics as they are while workers run"
                    ) from error
                await asyncio.sleep(_RETRY_S)
                informed = await self._client.force_metadata_update()

    async def _offsets(self, partitions: Collection[TopicPartition], instant: int) -> dict[TopicPartition, int]:
        def request(topics: list[Any]) -> Any:
            return OffsetRequest(_CONSUMER, _UNCOMMITTED, topics)

        answers = await self._ask(dict.fromkeys(partitions, (instant,)), request)
        # After the error code come a timestamp and the offset.
        return {tp: answer[1] for tp, answer in answers.items()}

    async def _fetched(self, first: _Offsets, at: _Offsets) -> dict[TopicPartition, Bounds]:
        def request(topics: list[Any]) -> Any:
            # A broker tells the last stable offset only to a reader of committed records.
            return FetchRequest(_WAIT_MS, _LEAST_BYTES, _LEAST_BYTES, _COMMITTED, topics)

        answers = await self._ask({tp: (offset, _LEAST_BYTES) for tp, offset in at.items()}, request)
        # After the error code come the high watermark, the last stable offset and, among others, the records.
        return {tp: Bounds(first[tp], answer[0], answer[1]) for tp, answer in answers.items()}

    async def _ask(
        self, arguments: Mapping[TopicPartition, tuple[int, ...]], request: Any
    ) -> dict[TopicPartition, list[Any]]:
        """Ask each leader about its partitions; return the fields of each answer after the error code."""
        by_leader: defaultdict[int, defaultdict[str, list[tuple[int, ...]]]]
        by_leader = defaultdict(lambda: defaultdict(list))
        for tp, of_partition in arguments.items():
            by_leader[self._leader(tp)][tp.topic].append((tp.partition, *of_partition))
        responses = await asyncio.gather(
            *(self._client.send(leader, request(list(topics.items()))) for leader, topics in by_leader.items())
        )
        answers: dict[TopicPartition, list[Any]] = {}
        for response in responses:
            for topic, answered in response.topics:
                for partition, code, *answer in answered:
                    if code:
                        raise for_code(code)(topic)
                    answers[TopicPartition(topic, partition)] = answer
        if missing := arguments.keys() - answers.keys():
            raise LeaderNotAvailableError(f"no answer about {len(missing)} partitions")
        return answers

    def _leader(self, tp: TopicPartition) -> int:
        cluster = self._client.cluster
        if tp.topic in cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(tp.topic)
        if tp.partition not in (cluster.partitions_for_topic(tp.topic) or ()):
            raise UnknownTopicOrPartitionError(f"{tp.topic}-{tp.partition}")
        leader = cluster.leader_for_partition(tp)
        if leader is None or leader == -1:
            raise LeaderNotAvailableError(f"{tp.topic}-{tp.partition}")
        return int(leader)
