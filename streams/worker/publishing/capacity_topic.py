"""Where the capacity of users goes: to its topic, if capacity is estimated, or if the topic is there from before."""

from __future__ import annotations

import asyncio
from typing import Final

from streams.broker.lease import Lease
from streams.broker.topics.left_over import capacity_partitions
from streams.contract import CAPACITY, topic_name
from streams.exceptions import BrokerError, StateMismatchError
from streams.settings import Settings

RETRY_S: Final = 1.0


class CapacityTopic:
    """Finds the topic.

    Args:
        settings: with the number of partitions found at the start.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = topic_name(settings, CAPACITY)

    async def name(self, lease: Lease) -> str | None:
        """Return the name of the topic on the broker; None where nothing is estimated and there is no such topic.

        Where nothing is estimated, only erasures come here. The broker is then asked each time, for the topic may be
        deleted at any moment once nobody publishes to it.

        Raises:
            LeaseLostError: the partitions may be somebody else's before the broker has answered.
            StateMismatchError: the topic has another number of partitions.
        """
        if self._settings.capacity_artefact:
            return self._name
        while True:
            try:
                return await self._left_over()
            except BrokerError:
                lease.check()
                await asyncio.sleep(RETRY_S)

    async def _left_over(self) -> str | None:
        found, expected = await capacity_partitions(self._settings), self._settings.partitions
        if found is None:
            return None
        if found != expected:
            raise StateMismatchError(
                f"expected {expected} partitions of {self._name!r}, found {found}: delete it, since nothing is "
                "published there, or name another by WHEREWITHAL_TOPIC_CAPACITY"
            )
        return self._name
