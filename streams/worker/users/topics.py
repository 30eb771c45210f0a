"""Where scores and capacity go; the latter if it is estimated, or if its topic is there from before."""

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


class UserTopics:
    """Finds the topics of what is published of users.

    Args:
        settings: of the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of a topic of the contract, for records of this partition; None for nowhere.

        Where no capacity is estimated, only erasures bring records of it. The broker is then asked each time, for the
        topic may be deleted at any moment once nobody publishes to it.

        Raises:
            LeaseLostError: the partition may be somebody else's before the broker has answered.
        """
        name = topic_name(self._settings, topic)
        if topic != CAPACITY or self._settings.capacity_artefact:
            return name
        told = False
        while True:
            try:
                return name if await holds_partition(self._settings, partition) else None
            except BrokerError as error:
                lease.check()
                if not told:
                    log.warning("cannot look for records of capacity to erase, trying again", error=str(error))
                told = True
                await asyncio.sleep(RETRY_S)
