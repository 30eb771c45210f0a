"""The members of a consumer group, as its coordinator tells them."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NoError, for_code

from streams.broker.connection import connection, reaching
from streams.settings import Settings

_RETRY_S: Final = 0.2
_SETTLED: Final = ("", "Dead", "Empty", "Stable")
"""What a group is called that is not handing out partitions right now."""


async def count_members(settings: Settings, group: str) -> int:
    """Return how many members a group has that own partitions, or are about to.

    A member of which the broker tells no assignment in a settled group is not counted: the embedded broker lists those
    that have left, and tells no assignment of any.

    Raises:
        BrokerError: the broker cannot be reached, or does not let the login ask.
    """
    until = time.monotonic() + settings.request_timeout_s
    async with reaching(settings):
        admin = AIOKafkaAdminClient(**connection(settings))
        try:
            await admin.start()
            while True:
                try:
                    return await _count(admin, group)
                except GroupAuthorizationFailedError as error:
                    # The client does not name the group.
                    raise GroupAuthorizationFailedError(group) from error
                except KafkaError as error:
                    # A coordinator that is just being elected, or that is down, is another one soon.
                    if not error.retriable or time.monotonic() > until:
                        raise
                await asyncio.sleep(_RETRY_S)
        finally:
            await admin.close()


async def _count(admin: AIOKafkaAdminClient, group: str) -> int:
    (answer,) = await admin.describe_consumer_groups([group])
    ((code, _, state, _, _, members, *_),) = answer.groups
    error = for_code(code)
    if error is not NoError:
        raise error(group)
    return sum(bool(assignment) or state not in _SETTLED for *_, assignment in members)
