"""A login on a secured node that may do what a test gives it: its settings, its environment, its rights one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streams.broker.rights import Operation, Right
from streams.broker.topics.provisioning import make_topics
from streams.settings import Settings, load_settings
from support.runs import quick_settings
from support.servers.secured_kafka import SecuredKafka

LOGIN: Final = "least"
PASSWORD: Final = "least-secret"


def least_settings(node: SecuredKafka, folder: Path, *, topics: bool = True) -> Settings:
    """Return settings of the login, with topics of its own, which the administrator has made unless told not to."""
    administrator = quick_settings(folder, broker=node.url, topic_prefix=f"{folder.name[-6:]}-", partitions=1)
    if topics:
        asyncio.run(make_topics(administrator))
    return load_settings(**(administrator.model_dump(exclude_none=True) | node.login(LOGIN, PASSWORD)))


def administrators(settings: Settings, node: SecuredKafka) -> Settings:
    """Return the same settings for the administrator."""
    return settings.model_copy(update={"broker": node.url, "broker_username": None, "broker_password": None})


def environment(settings: Settings, node: SecuredKafka, *, administrator: bool = False) -> dict[str, str | None]:
    """Return the environment of a command with these settings."""
    chosen = {
        "WHEREWITHAL_BROKER": node.url if administrator else node.guarded_url,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_PARTITIONS": "1",
        "WHEREWITHAL_STATE_DIR": str(settings.state_dir),
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_REQUEST_TIMEOUT_S": "10",
    }
    login = {"WHEREWITHAL_BROKER_USERNAME": LOGIN, "WHEREWITHAL_BROKER_PASSWORD": PASSWORD}
    return chosen if administrator else chosen | login


def without_each(rights: list[Right]) -> Iterator[tuple[Right, Operation, list[Right]]]:
    """Yield every single operation of some rights, and the rights that are left without it."""
    for right in rights:
        for operation in sorted(right.operations):
            left = right._replace(operations=right.operations - {operation})
            yield right, operation, [left if one == right else one for one in rights]
