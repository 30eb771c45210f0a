"""Following a topic on a terminal: a broker that stops answering is told on standard error, and waited for."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

from streams.exceptions import BrokerError
from streams.operating.record_stream import follow_records
from streams.settings import Settings
from streams.terminal import shown


def following(command: str, settings: Settings, topic: str) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
    """Yield what `follow_records` yields.

    Args:
        command: that follows, as its words on standard error name it.
        settings: of the cluster.
        topic: of the contract.
    """

    def warn(error: BrokerError) -> None:
        print(f"wherewithal {command}: {shown(error)}; waiting for it", file=sys.stderr, flush=True)

    return follow_records(settings, topic, warn)
