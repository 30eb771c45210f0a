"""The broker of a benchmark: embedded, or with BENCH_BROKER=kafka one node of Apache Kafka, found by KAFKA_HOME."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.servers.kafka import Kafka

from streams.broker.embedded import EmbeddedBroker

EMBEDDED, KAFKA = "embedded", "kafka"


def broker_kind() -> str:
    """Return `embedded` or `kafka`.

    Raises:
        SystemExit: another is asked for, or there is no Kafka.
    """
    kind = os.environ.get("BENCH_BROKER", EMBEDDED)
    if kind not in (EMBEDDED, KAFKA):
        raise SystemExit(f"BENCH_BROKER: expected {EMBEDDED} or {KAFKA}, found {kind!r}")
    if kind == KAFKA:
        kafka_home()
    return kind


def kafka_home() -> str:
    """Return the folder of Apache Kafka.

    Raises:
        SystemExit: none is named.
    """
    home = os.environ.get("KAFKA_HOME")
    if not home:
        raise SystemExit("KAFKA_HOME: expected the folder of an unpacked Apache Kafka, found none: set it")
    return home


@contextmanager
def fresh_broker() -> Iterator[str]:
    """Start a broker that holds nothing, and yield its URL."""
    if broker_kind() == EMBEDDED:
        with EmbeddedBroker() as broker:
            yield broker.url
        return
    with (
        tempfile.TemporaryDirectory(prefix="wherewithal-kafka-") as folder,
        Kafka(Path(folder), properties={"auto.create.topics.enable": "false"}) as kafka,
    ):
        yield kafka.url
