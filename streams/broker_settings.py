"""Settings of the broker and of talking to it, a part of `streams.settings.Settings`."""

from __future__ import annotations

import re
from typing import Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from streams.quantities import Count, Seconds

EMBEDDED: Final = "embedded"
"""The value of `broker` that starts a broker of its own."""

_SERVER: Final = re.compile(r"(?:kafka://)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@?#\[\]]+):([0-9]{1,5})")


class BrokerSettings(BaseSettings):
    """Where the broker is, what is made there, and how long is waited for it."""

    broker: str = Field(EMBEDDED, description="`embedded`, or `kafka://host:port[,host:port...]`")
    partitions: Count = Field(4, description="partitions of every topic made by this program")
    replication: int = Field(
        -1, ge=-1, description="replicas of every topic made by this program; -1: the broker's own"
    )

    session_timeout_s: Seconds = Field(10.0, description="a worker silent for so long loses its partitions")
    heartbeat_interval_s: Seconds = Field(1.0, description="how often a worker shows that it lives")
    request_timeout_s: Seconds = Field(30.0, description="longest wait for an answer of the broker")
    connect_timeout_s: Seconds = Field(10.0, description="the same in each step of a new connection to the broker")
    commit_interval_s: Seconds = Field(1.0, description="how often offsets are committed")

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        servers = [_SERVER.fullmatch(server) for server in value.split(",")]
        known = value.startswith("kafka://") and all(found and 0 < int(found[1]) < 65_536 for found in servers)
        if value != EMBEDDED and not known:
            raise ValueError(
                "expected `embedded` or `kafka://host:port[,host:port...]`, found something else "
                "(credentials go in WHEREWITHAL_BROKER_USERNAME and WHEREWITHAL_BROKER_PASSWORD)"
            )
        return value

    @field_validator("replication")
    @classmethod
    def _some_replicas(cls, value: int) -> int:
        if value == 0:
            raise ValueError("expected a number of replicas, or -1 for the broker's own, found 0")
        return value

    @field_validator("heartbeat_interval_s")
    @classmethod
    def _several_per_session(cls, value: float, info: ValidationInfo) -> float:
        session = info.data.get("session_timeout_s")
        if session is not None and value >= session:
            raise ValueError(f"expected less than WHEREWITHAL_SESSION_TIMEOUT_S ({session:g}), found {value:g}")
        return value

    @property
    def embedded(self) -> bool:
        """Whether this process starts a broker of its own."""
        return self.broker == EMBEDDED

    @property
    def bootstrap_servers(self) -> list[str]:
        """The `host:port` pairs of `broker`."""
        hosts = self.broker.removeprefix("kafka://").split(",")
        return [host.removeprefix("kafka://") for host in hosts]
