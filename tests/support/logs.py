"""Doing to logs what their owners do: deleting their first records or their topics, and changing their settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.broker.connection import connection
from streams.broker.topics.admin import Admin
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.topic_settings import wanted
from streams.settings import Settings
from support.patience import PATIENCE_S


async def delete_before(settings: Settings, offsets: Mapping[TopicPartition, int]) -> None:
    """Have the broker delete the records before an offset of each log, as retention does."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset) for tp, offset in offsets.items()})
    finally:
        await admin.close()


async def delete_topic(settings: Settings, name: str) -> None:
    """Delete a topic, and wait until the broker tells of it no more."""
    async with Admin(settings) as admin:
        await admin.delete([name])
    async with asyncio.timeout(PATIENCE_S):
        while await partition_counts(settings, [name]):
            await asyncio.sleep(0.05)


async def configs_of(settings: Settings, name: str) -> dict[str, str]:
    """The settings of a topic."""
    async with Admin(settings) as admin:
        return (await admin.configs([name]))[name]


async def alter(settings: Settings, name: str, **configs: str) -> None:
    """Change settings of a topic that we made, as an operator does, and wait until the broker says so."""
    chosen = wanted(settings)[name] | {key.replace("_", "."): value for key, value in configs.items()}
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, chosen)])
    finally:
        await admin.close()
    assert [resource[0] for resource in answer.resources] == [0], answer
    async with asyncio.timeout(PATIENCE_S):
        while not chosen.items() <= (await configs_of(settings, name)).items():
            await asyncio.sleep(0.05)
