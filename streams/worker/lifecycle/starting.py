"""Starting the Faust app of a worker: however long it takes, as long as it gets on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from streams.exceptions import BrokerError, StreamsError
from streams.worker.lifecycle.awaited import awaited
from streams.worker.lifecycle.standstill import Standstills

POLL_S: Final = 0.5


async def start_app(
    app: Any,
    patience_s: float,
    explained: Callable[[BaseException | None], Awaitable[StreamsError]],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Join the group and recover the state.

    Args:
        app: a Faust app.
        patience_s: how long nothing may move.
        explained: gives the error to raise for what an app crashed with.
        clock: seconds, monotonic, by which that is judged.

    Raises:
        StreamsError: the app crashed, or nothing moved for `patience_s`; the message says what was waited for.
    """
    starting = asyncio.create_task(app.start())
    crashed = asyncio.create_task(app._crashed.wait())
    still = Standstills(clock)
    try:
        while not (starting.done() or app.crashed):
            await asyncio.wait({starting, crashed}, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
            # Before it has a consumer it connects, which has a time limit of its own.
            what, position = awaited(app)
            if still.seconds("start", position) > patience_s:
                raise BrokerError(
                    f"expected {what}, found no progress for {patience_s:g} s: check the broker's log and the network, "
                    "then start the worker again"
                )
    finally:
        crashed.cancel()
        if not starting.done():
            starting.cancel()
    if app.crashed:
        raise await explained(app.crash_reason)
    await starting


async def start_equipped(
    app: Any,
    patience_s: float,
    explained: Callable[[BaseException | None], Awaitable[StreamsError]],
    equipping: asyncio.Task[None],
) -> None:
    """Join the group and recover the state, as `start_app` does, beside what the engine is still equipped with.

    Args:
        app: see `start_app`.
        patience_s: see `start_app`.
        explained: see `start_app`.
        equipping: done once partitions can be taken over. What it fails with is raised at once, because the app would
            wait for it for ever.

    Raises:
        StreamsError: one of the two failed.
    """
    starting = asyncio.create_task(start_app(app, patience_s, explained), name="start")
    try:
        await asyncio.wait({equipping, starting}, return_when=asyncio.FIRST_EXCEPTION)
        if equipping.done():
            equipping.result()
        await starting
    finally:
        equipping.cancel()
        starting.cancel()
