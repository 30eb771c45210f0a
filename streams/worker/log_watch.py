"""Asking the broker where logs begin and end, beside the consumer: one that is stuck would not know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from aiokafka import TopicPartition
from faust.types import TP

from streams.broker.topics.log_ends import Bounds, LogEnds
from streams.exceptions import BrokerError, BrokerRefusalError, MissingLogError
from streams.log import log
from streams.settings import Settings
from streams.worker.lag import Behind, LagGauges

ANSWER_S: Final = 10.0
"""A broker that does not say within this time where its logs end is down."""


class Waiting(Protocol):
    """What waits for the broker.

    Attributes:
        settings: of the process.
        broker_silent: whether the broker answers nothing.
    """

    settings: Settings
    broker_silent: bool


class LogWatch:
    """Keeps the connections that ask, and tells who waits whether the broker answers.

    Args:
        waiting: told.
        lag: the gauges of what is shown.
        clock: seconds, monotonic.
    """

    def __init__(self, waiting: Waiting, lag: LagGauges, clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = waiting
        self._lag = lag
        self._clock = clock
        self._silent_since: float | None = None
        self._logs: LogEnds | None = None

    async def bounds(self, partitions: Sequence[TP]) -> dict[TP, Bounds]:
        """Return where these logs begin and end; nothing while the broker does not answer.

        Raises:
            BrokerRefusalError: a right is missing.
            MissingLogError: a partition is not there.
        """
        asked = {TopicPartition(tp.topic, tp.partition): tp for tp in partitions}
        if not asked:
            return {}
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._logs is None:
                    logs = LogEnds(self._waiting.settings)
                    await logs.open()
                    self._logs = logs
                bounds = await self._logs.bounds(list(asked))
        except (BrokerRefusalError, MissingLogError):
            await self.forget_broker()
            raise
        except (BrokerError, TimeoutError):
            if self._silent_since is None:
                self._silent_since = self._clock()
                log.warning("the broker does not answer, waiting for it")
            self._waiting.broker_silent = True
            await self.forget_broker()
            return {}
        if self._silent_since is not None:
            log.info("the broker answers again", after_s=round(self._clock() - self._silent_since, 1))
            self._silent_since = None
        self._waiting.broker_silent = False
        return {asked[tp]: found for tp, found in bounds.items()}

    async def show(self, topics: Mapping[str, str], found: Mapping[TP, Behind], delivered: Callable[[TP], int]) -> None:
        """Show the lag of partitions (see `LagGauges.show`); none while the broker is silent."""
        if self._logs is None:
            self._lag.clear()
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._lag.show(topics, found, delivered, self._logs)
        except (BrokerError, TimeoutError):
            await self.forget_broker()
            self._lag.clear()

    async def forget_broker(self) -> None:
        """Close the connections to the broker; a broker that comes back elsewhere is looked for anew."""
        logs, self._logs = self._logs, None
        if logs is not None:
            await logs.close()
