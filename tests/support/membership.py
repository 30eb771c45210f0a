"""Who has which partitions of the group of a stage, as the broker tells it."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from streams.contract import topic_name
from streams.name_settings import group_name
from streams.settings import Settings
from streams.worker.stage_spec import StageSpec, specs_of
from support.patience import PATIENCE_S

POLL_S = 0.1


async def owners(settings: Settings, stage: StageSpec) -> dict[str, list[int]]:
    """Return the partitions of each member; the broker has the id of one with an instance id begin with that."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group_name(stage.own_settings(settings))])
    finally:
        await admin.close()
    ((_, _, _, _, _, members, *_),) = answer.groups
    name = topic_name(settings, stage.inputs[0])
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
    """Wait until just these instances have just these partitions, in the group of each stage."""
    async with asyncio.timeout(PATIENCE_S):
        for stage in specs_of(settings):
            while by_instance(await owners(settings, stage)) != wanted:
                await asyncio.sleep(POLL_S)
