"""The error that a worker ends with, in our own words: those of a Kafka client say little."""

from __future__ import annotations

from aiokafka.errors import KafkaError

from streams.broker.connection import connection
from streams.broker.errors.explaining import explained
from streams.broker.rights import worker_rights
from streams.exceptions import BrokerError, StreamsError
from streams.settings import Settings


def as_ours(error: BaseException) -> StreamsError:
    """Return an error as one of ours; another one becomes the cause."""
    if isinstance(error, StreamsError):
        return error
    ours = StreamsError(f"{type(error).__name__}: {error}")
    ours.__cause__ = error
    return ours


async def explain(error: KafkaError, settings: Settings) -> BrokerError:
    """Return what an error of a client means, which may have to be asked of the broker."""
    explanation = await explained(error, connection(settings), worker_rights(settings))
    explanation.__cause__ = error
    return explanation


async def explain_start(reason: BaseException | None, settings: Settings) -> StreamsError:
    """Return what kept an app from starting, given what it crashed with."""
    if isinstance(reason, StreamsError):
        return reason
    if isinstance(reason, KafkaError):
        return await explain(reason, settings)
    return BrokerError(f"the worker could not join its group: {reason or 'the consumer ended'}")
