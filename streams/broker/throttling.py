"""Client quotas. A broker that throttles a client answers at once with a time, and reads nothing until it is over.

A request that is sent meanwhile waits unread, runs into its timeout, and looks like one that the broker lost. So the
next request is held back here for the time that the broker has asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from aiokafka.client import ConnectionGroup
from prometheus_client import Counter

from streams.log import log

LATELY_S: Final = 5.0
"""Seconds for which a client still counts as throttled after a wait: the broker takes one request between two waits."""

NEWS_S: Final = 60.0
"""Seconds between two log lines about a quota."""


class ThrottleCounts(Protocol):
    """Counts the seconds of waiting that brokers ask for."""

    throttled_seconds: Counter


class Throttle:
    """The waits that the broker asks of clients that belong together.

    Args:
        metrics: count the seconds of waiting that the broker asks for.
    """

    def __init__(self, metrics: ThrottleCounts | None = None) -> None:
        self._metrics = metrics
        self._until = 0.0
        self._told_at = float("-inf")

    @property
    def active(self) -> bool:
        """Whether the broker throttles now, or did a moment ago. Work that stands still meanwhile is not stuck."""
        return time.monotonic() < self._until + LATELY_S

    def hold_consumer(self, consumer: Any) -> None:
        """Make a consumer wait as long as the broker asks."""
        connections = _Connections(self)
        send = connections.listen(consumer._client)

        async def send_in_time(node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
            await connections.passed(node_id, group)
            return await send(node_id, request, group=group)

        consumer._client.send = send_in_time

    def hold_producer(self, producer: Any) -> None:
        """Make a producer wait as long as the broker asks, before any other check that allows a request."""
        connections = _Connections(self)
        producer.client.send = connections.listen(producer.client)
        sender = producer._sender
        send = sender._send_produce_req

        async def send_in_time(node_id: int, batches: Mapping[Any, Any]) -> None:
            waited = await connections.passed(node_id, ConnectionGroup.DEFAULT)
            for batch in batches.values():
                # The delivery timeout of a batch does not run while the batch is held back.
                batch._ttl += waited
            await send(node_id, batches)

        sender._send_produce_req = send_in_time

    def asked(self, seconds: float) -> None:
        """Note that the broker asks to wait."""
        now = time.monotonic()
        self._until = max(self._until, now + seconds)
        if self._metrics is not None:
            self._metrics.throttled_seconds.inc(seconds)
        if now - self._told_at > NEWS_S:
            self._told_at = now
            log.warning("the broker throttles this client by a quota, which is waited out", seconds=round(seconds, 1))


class _Connections:
    """The monotonic times until which the broker does not read the connections of one client."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._until: dict[tuple[int, Any], float] = {}

    async def passed(self, node_id: int, group: Any) -> float:
        """Wait until the broker reads a connection again; return the seconds of waiting."""
        seconds = self._until.get((node_id, group), 0.0) - time.monotonic()
        if seconds <= 0:
            return 0.0
        await asyncio.sleep(seconds)
        return seconds

    def listen(self, client: Any) -> Any:
        """Return the client's `send`, which also notes the waits that the broker asks for in its answers."""
        send = client.send

        async def send_and_listen(node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
            response = await send(node_id, request, group=group)
            seconds = getattr(response, "throttle_time_ms", 0) / 1000
            if seconds > 0:
                self._until[node_id, group] = time.monotonic() + seconds
                self._throttle.asked(seconds)
            return response

        return send_and_listen
