"""Giving up the place in the group of a worker that does not come back, from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any, Final

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NoError, UnknownMemberIdError, for_code

from streams.broker.connection import new_client, reaching
from streams.broker.group_requests import LeaveInstances
from streams.exceptions import BrokerError
from streams.name_settings import group_name
from streams.settings import Settings

_RETRY_S: Final = 0.1


async def give_up(settings: Settings, instances: Collection[str]) -> list[str]:
    """Have instances leave the group, so that the other workers get their partitions at once.

    Args:
        settings: name the cluster and the group.
        instances: ids of workers that have ended.

    Returns:
        Those that have no place in the group.

    Raises:
        BrokerError: the broker refuses, or does not answer within `request_timeout_s`.
    """
    async with reaching(settings):
        client = await new_client(settings)
        try:
            answer = await _ask(client, LeaveInstances(group_name(settings), sorted(set(instances))), settings)
        except NotImplementedError:
            raise BrokerError(
                "expected a broker that knows static members (Apache Kafka 2.4 or later), found an older one: wait "
                "until the session of the worker has ended"
            ) from None
        finally:
            await client.close()
        absent = []
        for _, instance, code in answer.members:
            if for_code(code) is UnknownMemberIdError:
                absent.append(instance)
            elif code != NoError.errno:
                raise for_code(code)(instance)
        return absent


async def _ask(client: AIOKafkaClient, request: LeaveInstances, settings: Settings) -> Any:
    """Ask the group's coordinator, again while it moves."""
    group = group_name(settings)
    until = time.monotonic() + settings.request_timeout_s
    while True:
        try:
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
            if answer.error_code == NoError.errno:
                return answer
            raise for_code(answer.error_code)()
        except GroupAuthorizationFailedError:
            # The client names no group.
            raise GroupAuthorizationFailedError(group) from None
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
        await asyncio.sleep(_RETRY_S)
        await client.force_metadata_update()
