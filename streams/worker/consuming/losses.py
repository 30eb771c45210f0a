"""Input that was deleted before it was taken in: the retention of a topic has overtaken the group.

Every partition that a worker owns has a committed offset, from its first take-over on: without one, nobody could tell
a log that this group has never seen from one whose records it missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from streams.broker.topics.log_ends import log_bounds
from streams.contract import topic_name
from streams.exceptions import LostInputError, StateMismatchError
from streams.log import log
from streams.settings import LostInput, Settings
from streams.telemetry.metrics import Metrics
from streams.worker.consuming.first_start import first_offsets
from streams.worker.consuming.positions import lacking
from streams.worker.stage_spec import StageSpec

NO_POSITION: Final = (NoOffsetForPartitionError, OffsetOutOfRangeError)
"""Errors that a consumer raises where it has no position and may not choose one."""


class Losses:
    """Finds lost input, and refuses it or counts it, as the settings say.

    Args:
        settings: of the stage.
        spec: of the stage.
        metrics: where it is counted.
    """

    def __init__(self, settings: Settings, spec: StageSpec, metrics: Metrics) -> None:
        self._settings = settings
        self._spec = spec
        self._metrics = metrics
        self._inputs = {topic_name(settings, topic): topic for topic in spec.inputs}
        for topic in spec.inputs:
            metrics.lost_input.labels(topic)

    async def starts(
        self, applied: Mapping[int, Sequence[int]], committed: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Return where the group has to go on other than at a committed offset.

        That is the beginning of a log whose records it missed, and the setting's place in one it knows nothing of.

        Args:
            applied: for each assigned partition, of each input the greatest offset in any state; -1 for none.
            committed: committed offsets of the assigned input partitions, of those that have one.

        Raises:
            LostInputError: a log begins behind what was taken in of it.
            BrokerError: the broker cannot be used.
        """
        remembered = dict(self._remembered(applied))
        bounds = await log_bounds(self._settings, list(remembered))
        starts: dict[TopicPartition, int] = {}
        lost: dict[TopicPartition, tuple[int, int]] = {}
        for tp, state_reached in remembered.items():
            # Offsets of a group can expire, or be deleted: then the state is the one that remembers.
            reached, start = committed.get(tp, state_reached), bounds[tp].start
            if reached is not None and reached < start:
                lost[tp] = reached, start
            if tp not in committed or tp in lost:
                starts[tp] = start
        new = {tp: bounds[tp] for tp in starts if committed.get(tp, remembered[tp]) is None}
        starts |= await first_offsets(self._settings, new)
        self._judge(lost)
        return starts

    def _remembered(self, applied: Mapping[int, Sequence[int]]) -> Iterator[tuple[TopicPartition, int | None]]:
        """Yield how far the state is in each input partition; None where it knows nothing of it."""
        for number, offsets in applied.items():
            for topic, offset in zip(self._spec.inputs, offsets, strict=True):
                tp = TopicPartition(topic_name(self._settings, topic), number)
                yield tp, offset + 1 if offset >= 0 else None

    async def reposition(self, consumer: Any, error: NoOffsetForPartitionError | OffsetOutOfRangeError) -> None:
        """Give a consumer a position where it has none, or one that the log has not (any more).

        While the broker does not answer, the consumer keeps what it has, and will raise the error again.

        Args:
            consumer: of aiokafka, which raised the error.
            error: one of `NO_POSITION`.

        Raises:
            LostInputError: records of an input were deleted before they were fetched.
            StateMismatchError: an input ends before what was fetched of it.
            BrokerRefusalError: the broker refuses to tell where a log begins.
        """
        for tp, position, (start, end, _) in await lacking(self._settings, consumer, error):
            # The changelog is checked once it is recovered.
            if position is not None and tp.topic in self._inputs:
                if position >= start:
                    raise StateMismatchError(
                        f"{tp.topic}-{tp.partition} ends at offset {end}, but offset {position} was reached already: "
                        "the topic was made anew; set WHEREWITHAL_GROUP to a new name and WHEREWITHAL_STATE_DIR to a "
                        "new folder to start over"
                    )
                self._judge({tp: (position, start)})
            consumer.seek(tp, start)

    def _judge(self, lost: Mapping[TopicPartition, tuple[int, int]]) -> None:
        if not lost:
            return
        tp, (reached, start) = next(iter(lost.items()))
        records = sum(start - reached for reached, start in lost.values())
        if self._settings.lost_input is LostInput.REFUSE:
            others = f" (and {len(lost) - 1} more partitions)" if len(lost) > 1 else ""
            raise LostInputError(
                f"{tp.topic}-{tp.partition} begins at offset {start}, but the group has taken in only what is before "
                f"{reached}{others}: up to {records} records were deleted before they were read; lengthen retention.ms "
                "of the topic, and set WHEREWITHAL_LOST_INPUT=skip to go on without them"
            )
        log.warning(
            "input was deleted before it was read, going on without it",
            **{"topic": tp.topic, "partition": tp.partition, "from": reached, "to": start},
            partitions=len(lost),
            records=records,
        )
        for tp, (reached, start) in lost.items():
            self._metrics.lost_input.labels(self._inputs[tp.topic]).inc(start - reached)
