"""Where the capacity of users goes: to its topic, if capacity is estimated, or if the topic is there from before."""

from __future__ import annotations

import asyncio
from typing import Final

from streams.broker.lease import Lease
from streams.broker.topics.left_over import holds_partition
from streams.contract import CAPACITY, topic_name
from streams.exceptions import BrokerError
from streams.log import log
from streams.settings import Settings

RETRY_S: Final = 1.0


class CapacityTopic:
    """Finds the topic.

    Args:
        settings: of the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = topic_name(settings, CAPACITY)

    async def name(self, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of the topic for records of this partition; None if there is none.

        Where nothing is estimated, only erasures come here. The broker is then asked each time, for the topic may be
        deleted at any moment once nobody publishes to it.

        Raises:
            LeaseLostError: the partition may be somebody else's before the broker has answered.
        """
        if self._settings.capacity_artefact:
            return self._name
        told = False
        while True:
            try:
                return self._name if await holds_partition(self._settings, partition) else None
            except BrokerError as error:
                lease.check()
                if not told:
                    log.warning("cannot look for records of capacity to erase, trying again", error=str(error))
                told = True
                await asyncio.sleep(RETRY_S)
