"""Who has which partitions of a worker's group, as the broker tells it."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from streams.contract import CLICKS, topic_name
from streams.name_settings import group_name
from streams.settings import Settings
from support.patience import PATIENCE_S

POLL_S = 0.1


async def owners(settings: Settings) -> dict[str, list[int]]:
    """Return the partitions of each member; the broker has the id of one with an instance id begin with that."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group_name(settings)])
    finally:
        await admin.close()
    ((_, _, _, _, _, members, *_),) = answer.groups
    name = topic_name(settings, CLICKS)
    # A member has no assignment while the group is on its way to one.
    return {
        member: sorted(
            number
            for topic, numbers in ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment
            for number in numbers
            if topic == name
        )
        for member, _, _, _, assignment in members
        if assignment
    }


def by_instance(found: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return the partitions by instance id, of members that have one without a hyphen."""
    return {member.partition("-")[0]: numbers for member, numbers in found.items()}


async def wait_for_owners(settings: Settings, wanted: dict[str, list[int]]) -> None:
    """Wait until just these instances have just these partitions."""
    async with asyncio.timeout(PATIENCE_S):
        while by_instance(await owners(settings)) != wanted:
            await asyncio.sleep(POLL_S)
