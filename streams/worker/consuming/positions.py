"""Positions that a consumer has not, or that a log has not: which they are, and where their logs begin and end."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from streams.broker.topics.log_ends import Bounds, log_bounds
from streams.exceptions import BrokerError, BrokerRefusalError
from streams.settings import Settings


async def lacking(
    settings: Settings, consumer: Any, error: NoOffsetForPartitionError | OffsetOutOfRangeError
) -> list[tuple[TopicPartition, int | None, Bounds]]:
    """Return the partitions of an error that are assigned, each with its position and the bounds of its log.

    Args:
        settings: of the process.
        consumer: of aiokafka, which raised the error.
        error: says which positions.

    Returns:
        The position is None where there is none. Nothing while the broker does not answer: the consumer keeps what it
        has, and will raise the error again.

    Raises:
        BrokerRefusalError: the broker refuses to tell where a log begins.
    """
    if isinstance(error, NoOffsetForPartitionError):
        positions: dict[TopicPartition, int | None] = {error.args[0]: None}
    else:
        positions = dict(error.args[0])
    assigned = {tp: position for tp, position in positions.items() if tp in consumer.assignment()}
    try:
        bounds = await log_bounds(settings, list(assigned))
    except BrokerRefusalError:
        raise
    except BrokerError:
        return []
    # A rebalance may have taken some away while the broker was asked.
    return [(tp, position, bounds[tp]) for tp, position in assigned.items() if tp in consumer.assignment()]
