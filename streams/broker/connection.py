"""Connections to the broker, and the names of the topics."""

from __future__ import annotations

import ssl
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
from streams.broker.throttling import Throttle
from streams.exceptions import ConfigurationError
from streams.settings import MAX_TOPIC_BYTES, Settings

HEADROOM_BYTES: Final = 1 << 16
"""Room for key, headers and framing around the largest record."""

# Every client of this process, Faust's included, asks about its topics again and again. To ask for one that an
# operator has deleted would make it, with the partitions and settings that the broker gives any topic.
aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


def connection(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client of these settings shares.

    Raises:
        ConfigurationError: the CA file cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "request_timeout_ms": int(settings.request_timeout_s * 1000),
    }
    protocol = "PLAINTEXT"
    if settings.broker_tls:
        protocol = "SSL"
        options["ssl_context"] = ssl_context(settings)
    if settings.broker_username is not None and settings.broker_password is not None:
        protocol = "SASL_" + protocol
        options |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.broker_username,
            "sasl_plain_password": settings.broker_password.get_secret_value(),
        }
    return options | {"security_protocol": protocol}


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """The TLS context of the settings.

    Raises:
        ConfigurationError: the CA file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=settings.broker_ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_BROKER_CA_FILE: expected CA certificates in PEM, found {error.strerror or error}"
        ) from error


async def new_client(settings: Settings, **options: Any) -> AIOKafkaClient:
    """A plain client that has met the cluster; one that cannot is closed.

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
    """A producer that waits for every in-sync replica and takes the largest record a topic does."""
    return AIOKafkaProducer(
        **connection(settings), acks="all", max_request_size=MAX_TOPIC_BYTES + 2 * HEADROOM_BYTES, **options
    )


def new_consumer(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """A consumer outside of any group, for reading what is committed of a topic as it stands."""
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
    """Turn an error of the broker into one line that says which broker, and what to check.

    Args:
        settings: of the cluster.
        rights: what is done with topics meanwhile.
        topic: the only one, by its name on the broker.

    Raises:
        BrokerError: the broker could not be used.
    """
    try:
        yield
    except KafkaError as error:
        raise await explained(error, connection(settings), rights, topic) from error
