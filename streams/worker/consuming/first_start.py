"""Where a group begins to read an input that it knows nothing of."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from streams.broker.connection import new_consumer
from streams.broker.reading import reading
from streams.broker.topics.log_ends import Bounds
from streams.settings import EARLIEST, Settings


async def first_offsets(settings: Settings, bounds: Mapping[TopicPartition, Bounds]) -> dict[TopicPartition, int]:
    """Return the offset to begin at in each log, as the setting `start_from` has it.

    Args:
        settings: of the worker.
        bounds: of the logs.

    Raises:
        BrokerError: the broker cannot be used.
    """
    if settings.start_from == EARLIEST:
        return {tp: log.start for tp, log in bounds.items()}
    # Records of a transaction that is still open are not old ones, so they are not passed.
    offsets = {tp: log.stable for tp, log in bounds.items()}
    instant = settings.start_from_ms
    if instant is not None and bounds:
        consumer = new_consumer(settings)
        async with reading(settings, consumer):
            consumer.assign(list(bounds))
            found = await consumer.offsets_for_times(dict.fromkeys(bounds, instant))
        # A log without a record from then on begins at its end.
        offsets |= {tp: at.offset for tp, at in found.items() if at is not None}
    return offsets
