"""Connections to the broker: the options that all clients share, and clients made with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from streams.broker.errors.explaining import READ, Rights, explained
from streams.broker.login.connecting import Patience, log_in_afresh
from streams.broker.login.options import login_options
from streams.broker.throttling import Throttle
from streams.settings import MAX_TOPIC_BYTES, Settings

HEADROOM_BYTES: Final = 1 << 16
"""Room for key, headers and framing around the largest record."""

# Every client of this process, Faust's included, asks about its topics again and again. Asking must not make a topic
# that an operator has deleted: the broker would give it its default partitions and settings.
aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
log_in_afresh()


def connection(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client of these settings shares.

    Raises:
        ConfigurationError: settings of the login that do not go together, or a file of it that cannot be read.
    """
    options = {
        "bootstrap_servers": settings.bootstrap_servers,
        "request_timeout_ms": Patience.of(settings.request_timeout_s, settings.connect_timeout_s),
    }
    return options | login_options(settings)


async def new_client(settings: Settings, **options: Any) -> AIOKafkaClient:
    """Return a plain client that is connected to the cluster; a client that cannot connect is closed.

    Raises:
        KafkaError: no node can be reached.
    """
    client = AIOKafkaClient(**connection(settings) | options)
    try:
        await client.bootstrap()
    except BaseException:
        await client.close()
        raise
    return client


def new_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """Return a producer that waits for every in-sync replica and takes the largest record that a topic takes."""
    return AIOKafkaProducer(
        **connection(settings), acks="all", max_request_size=MAX_TOPIC_BYTES + 2 * HEADROOM_BYTES, **options
    )


def new_consumer(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """Return a consumer without a group, for reading the committed records that a topic holds now."""
    consumer = AIOKafkaConsumer(
        **connection(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        **({"fetch_max_wait_ms": 100} | options),
    )
    Throttle().hold_consumer(consumer)
    return consumer


@asynccontextmanager
async def reaching(settings: Settings, rights: Rights = READ, topic: str | None = None) -> AsyncIterator[None]:
    """Turn an error of the broker into one line that names the broker and says what to check.

    Args:
        settings: of the cluster.
        rights: the rights that the enclosed code needs of topics.
        topic: the only topic it uses, by its name on the broker.

    Raises:
        BrokerError: the broker could not be used.
    """
    try:
        yield
    except KafkaError as error:
        raise await explained(error, connection(settings), rights, topic) from error
