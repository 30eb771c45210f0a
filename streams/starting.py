"""Starting the Faust app of a worker: however long it takes, as long as it gets on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError

from streams.awaited import awaited
from streams.exceptions import BrokerError, StreamsError
from streams.standstill import Standstills

POLL_S: Final = 0.5


async def start_app(app: Any, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Join the group and recover the state.

    Args:
        app: a Faust app.
        patience_s: how long nothing may move.
        clock: seconds, monotonic, by which that is judged.

    Raises:
        KafkaError: the broker refuses something to the app.
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
        raise _start_error(app.crash_reason)
    await starting


def _start_error(reason: BaseException | None) -> StreamsError | KafkaError:
    if isinstance(reason, StreamsError | KafkaError):
        return reason
    return BrokerError(f"the worker could not join its group: {reason or 'the consumer ended'}")
