"""Who has which partitions of a worker's group, as the broker tells it."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from streams.contract import CLICKS, topic_name
from streams.name_settings import group_name
from streams.settings import Settings


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
    return {
        member: sorted(
            number
            for topic, numbers in ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment
            for number in numbers
            if topic == name
        )
        for member, _, _, _, assignment in members
    }
