"""Publishing lines at a steady rate, so that the latency measured is that of the flow and not of a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Line = tuple[int, bytes]


async def paced(
    feed: Callable[[Sequence[Line]], Awaitable[None]],
    lines: Sequence[Line],
    per_second: float,
    *,
    now: Callable[[], float] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Publish numbered lines, each when it is due. What falls due while others are published goes together.

    Args:
        feed: publishes some lines and waits until the broker has them.
        lines: in their order.
        per_second: lines per second, above 0.
        now: a clock in seconds; that of the event loop by default.
        sleep: waits for seconds.
    """
    clock = asyncio.get_running_loop().time if now is None else now
    begun, sent = clock(), 0
    while sent < len(lines):
        due = min(len(lines), 1 + int((clock() - begun) * per_second))
        if due > sent:
            await feed(lines[sent:due])
            sent = due
        else:
            await sleep(begun + sent / per_second - clock())
