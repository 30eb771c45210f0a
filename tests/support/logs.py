"""Doing to logs what their owners do: deleting their first records, and writing to them in transactions."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.kafka import connection
from streams.settings import Settings


async def delete_before(settings: Settings, offsets: Mapping[TopicPartition, int]) -> None:
    """Have the broker delete the records before an offset of each log, as retention does."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset) for tp, offset in offsets.items()})
    finally:
        await admin.close()
