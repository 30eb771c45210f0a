"""The places that are read back: a partition's tail, the online store, and the settings of topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from features.entity import Entity, State
from features.exceptions import OnlineStoreError
from features.online.address import SqliteAddress, parse
from features.online.opening import open_online_store
from features.online.views import Serving
from streams.broker.connection import connection
from streams.broker.reading import read_from
from streams.operating.erasing.receipt import StoreReading
from streams.operating.erasing.requests import Place
from streams.settings import Settings

READINGS: Final = 3
"""How often an unclean place is read at most: a user who returns meanwhile, or an item that facts come for, changes one
place after the other."""

_PROBE: Final = (0, 0, 0)
"""A fence below every fence of a worker."""

_PROBE_TTL_S: Final = 1

S = TypeVar("S", bound=State)


async def records_since(settings: Settings, tail: TopicPartition, start: int, key: bytes) -> list[ConsumerRecord]:
    """Return the records of a key in a partition from an offset on.

    Raises:
        BrokerError: the broker cannot be used.
    """
    batches = read_from(settings, {tail: start})
    return [record async for records in batches for record in records if record.key == key]


async def newest_state(
    settings: Settings, entity: Entity[S], changelog: TopicPartition, start: int, key: bytes
) -> tuple[S, Place | None]:
    """Return the newest state of a key in a partition of a changelog from an offset on, and the place of its record.

    Without such a record it is the state of a key that nothing is known of, and no place.

    Raises:
        BrokerError: the broker cannot be used.
        StateFormatError: a state was written by a newer release.
    """
    states = [record for record in await records_since(settings, changelog, start, key) if record.value]
    newest = max(states, key=lambda record: entity.order(record.value), default=None)
    if newest is None:
        return entity.new(), None
    return entity.decode(newest.value), Place(newest.topic, newest.partition, newest.offset)


def look_up(url: str, key: str, serving: Serving[Any]) -> StoreReading:
    """Return the record of an online store about a user or an item.

    Args:
        url: of the store.
        key: user id or item id.
        serving: the entity.

    Raises:
        OnlineStoreURLError: the URL names no store that this program knows.
    """
    address = parse(url)
    if isinstance(address, SqliteAddress) and not address.path.exists():
        return StoreReading(str(address.path), trouble="expected the file that the workers write, found none")
    where = str(address.path if isinstance(address, SqliteAddress) else address)
    try:
        store = open_online_store(url, serving=serving)
        try:
            serves = store.has(key)
            # An erasure below every fence changes nothing if the key has a fence, and soon expires if there is none.
            probed = store.delete({key: _PROBE}, _PROBE_TTL_S)
        finally:
            store.close()
    except OnlineStoreError as error:
        return StoreReading(where, trouble=str(error))
    return StoreReading(where, serves, probed.fenced == 1)


async def configs_of(settings: Settings, names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the settings of topics by place, as far as the broker tells them.

    Args:
        settings: of the cluster.
        names: the place of each topic, by its name on the broker.
    """
    admin = AIOKafkaAdminClient(**connection(settings))
    try:
        await admin.start()
        try:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
        finally:
            await admin.close()
    except KafkaError:
        # A broker or its access rules may refuse this. The receipt then says that the settings are unknown.
        return {}
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        for _, _, _, name, entries in answer.resources:
            found[names[name]] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found
