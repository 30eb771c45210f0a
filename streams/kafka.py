"""Connections to the broker, and the topics."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from streams.broker_errors import READ, Rights, explained
from streams.exceptions import BrokerError, ConfigurationError
from streams.settings import MAX_TOPIC_BYTES, Settings

REVIEWS: Final = "reviews"
SEARCHES: Final = "searches"
CLICKS: Final = "clicks"
ERASURES: Final = "erasures"
SCORES: Final = "purchasing-power"
DEAD_LETTERS: Final = "dead-letters"

INPUTS: Final = (REVIEWS, SEARCHES, CLICKS, ERASURES)
TEXTS: Final = (REVIEWS, SEARCHES)
EVENTS: Final = (REVIEWS, SEARCHES, CLICKS)
TOPICS: Final = (*INPUTS, SCORES, DEAD_LETTERS)

# A zombie's record must not be the only one that compaction leaves of a key: the newer owner needs this long
# to write after it.
_MIN_COMPACTION_LAG_MS: Final = 24 * 3600 * 1000

_HEADROOM: Final = 1 << 16
"""Room for key, headers and framing around the largest record."""


def topic_name(settings: Settings, topic: str) -> str:
    """The name on the broker of a topic of the contract."""
    return settings.topic_prefix + topic


def changelog_name(settings: Settings) -> str:
    """The name on the broker of the changelog of the user table."""
    return f"{settings.topic_prefix}{settings.group}-users-changelog"


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


def new_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """A producer that waits for every in-sync replica and takes the largest record a topic does."""
    return AIOKafkaProducer(
        **connection(settings), acks="all", max_request_size=MAX_TOPIC_BYTES + 2 * _HEADROOM, **options
    )


def new_consumer(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """A consumer outside of any group, for reading what is committed of a topic as it stands."""
    return AIOKafkaConsumer(
        **connection(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        **({"fetch_max_wait_ms": 100} | options),
    )


class Cluster(msgspec.Struct, frozen=True):
    """What state is bound to: the cluster's id, and the number of partitions of every topic there."""

    identity: str
    partitions: int


async def make_topics(settings: Settings) -> Cluster:
    """Make the topics that are missing, and check that all are co-partitioned.

    Returns:
        The cluster, with the number of partitions found: for topics made elsewhere it is not that of the settings.

    Raises:
        BrokerError: the broker cannot be reached, or the topics have unequal numbers of partitions.
    """
    plain = {"max.message.bytes": str(MAX_TOPIC_BYTES + _HEADROOM)}
    # A dead letter is the record it rejects, whatever its size, and its headers.
    letters = {"max.message.bytes": str(MAX_TOPIC_BYTES + 2 * _HEADROOM)}
    compacted = plain | {"cleanup.policy": "compact", "min.compaction.lag.ms": str(_MIN_COMPACTION_LAG_MS)}
    configs = {topic_name(settings, topic): plain for topic in INPUTS}
    configs[topic_name(settings, DEAD_LETTERS)] = letters
    configs[topic_name(settings, SCORES)] = compacted
    configs[changelog_name(settings)] = compacted
    admin = AIOKafkaAdminClient(**connection(settings))
    async with reaching(settings):
        await admin.start()
        try:
            known = set(await admin.list_topics())
            missing = [name for name in configs if name not in known]
            new = [
                NewTopic(name, settings.partitions, settings.replication, topic_configs=configs[name])
                for name in missing
            ]
            if new:
                # A worker beside this one may have been faster: that the topic exists is all that is asked.
                with suppress(TopicAlreadyExistsError):
                    await admin.create_topics(new)
            described = await admin.describe_topics(list(configs))
            identity = (await admin.describe_cluster())["cluster_id"]
        finally:
            await admin.close()
    return Cluster(identity or "", common_count({topic["topic"]: len(topic["partitions"]) for topic in described}))


def common_count(counts: Mapping[str, int]) -> int:
    """The one number of partitions that topics of these numbers have.

    Raises:
        BrokerError: they differ.
    """
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise BrokerError(f"expected all topics to have the same number of partitions, found {found}")
    return next(iter(counts.values()))


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
