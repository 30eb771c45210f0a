"""Commands of Kafka's own tools, as lines of a shell."""

from __future__ import annotations

import shlex

from streams.settings import Settings


def tool_line(tool: str, servers: str, *words: str) -> str:
    """Return the command that calls a tool, such as `kafka-topics.sh`, at a broker."""
    return shlex.join([tool, "--bootstrap-server", servers, *words])


def servers_of(settings: Settings) -> str:
    """Return the `host:port[,host:port...]` to name in commands; a placeholder where the settings name none."""
    return "BROKER:9092" if settings.embedded else ",".join(settings.bootstrap_servers)
