"""Where `rekey` begins in a source, and what becomes of records that were deleted before they were read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from streams.broker.topics.log_ends import Bounds, log_bounds
from streams.exceptions import LostInputError, StateMismatchError
from streams.log import log
from streams.settings import LostInput, Settings
from streams.telemetry.rekey_metrics import RekeyMetrics
from streams.worker.consuming.first_start import first_offsets
from streams.worker.consuming.positions import lacking


class Beginnings:
    """Finds the offsets to begin at, and refuses lost records or counts them, as the settings say.

    Args:
        settings: of the process.
        metrics: where they are counted.
    """

    def __init__(self, settings: Settings, metrics: RekeyMetrics) -> None:
        self._settings = settings
        self._metrics = metrics

    async def starts(
        self,
        assigned: Collection[TopicPartition],
        partitions: Collection[TopicPartition],
        committed: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        """Return where the group has to go on other than at a committed offset.

        Of a topic that it knows nothing of, that is a place in every partition, other processes' too: one of theirs
        without an offset would be taken for one that was added to a topic that is known.

        Args:
            assigned: partitions of sources.
            partitions: all of these sources.
            committed: offsets of those among them that have one.

        Raises:
            LostInputError: a log begins behind what was read of it.
            StateMismatchError: a log ends before what was read of it.
            BrokerError: the broker cannot be used.
        """
        known = {tp.topic for tp in committed}
        unknown = [tp for tp in partitions if tp.topic not in known]
        bounds = await log_bounds(self._settings, list({*assigned, *unknown}))
        starts: dict[TopicPartition, int] = {}
        for tp in assigned:
            if tp in committed:
                self._check(tp, committed[tp], bounds[tp])
                if committed[tp] < bounds[tp].start:
                    starts[tp] = bounds[tp].start
        # A partition that was added since is read from its first record: the setting is for topics that are new.
        starts |= {tp: bounds[tp].start for tp in assigned if tp not in committed and tp.topic in known}
        return starts | await first_offsets(self._settings, {tp: bounds[tp] for tp in unknown})

    async def reposition(self, consumer: Any, error: NoOffsetForPartitionError | OffsetOutOfRangeError) -> None:
        """Give a consumer a position where it has none, or one that the log has not (any more).

        While the broker does not answer, the consumer keeps what it has, and will raise the error again.

        Args:
            consumer: of aiokafka, which raised the error.
            error: says which positions.

        Raises:
            LostInputError: records were deleted before they were read.
            StateMismatchError: a log ends before what was read of it.
            BrokerRefusalError: the broker refuses to tell where a log begins.
        """
        for tp, position, bounds in await lacking(self._settings, consumer, error):
            if position is not None:
                self._check(tp, position, bounds)
            consumer.seek(tp, max(bounds.start, position or 0))

    def _check(self, tp: TopicPartition, reached: int, bounds: Bounds) -> None:
        """Check that a log still has what is to be read next."""
        if reached > bounds.end:
            raise StateMismatchError(
                f"{tp.topic}-{tp.partition} ends at offset {bounds.end}, but offset {reached} was reached already: the "
                "topic was made anew; set WHEREWITHAL_REKEY_GROUP_ID to a new name to start over"
            )
        lost = bounds.start - reached
        if lost <= 0:
            return
        if self._settings.lost_input is LostInput.REFUSE:
            raise LostInputError(
                f"{tp.topic}-{tp.partition} begins at offset {bounds.start}, but only what is before {reached} was "
                f"read: up to {lost} records were deleted before they were read; lengthen retention.ms of the topic, "
                "and set WHEREWITHAL_LOST_INPUT=skip to go on without them"
            )
        log.warning(
            "records were deleted before they were read, going on without them",
            **{"topic": tp.topic, "partition": tp.partition, "from": reached, "to": bounds.start},
        )
        self._metrics.lost_input.labels(tp.topic).inc(lost)
