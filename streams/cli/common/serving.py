"""A flow that works until it is told to stop, with its metrics and health beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Protocol, Self

from streams.cli.common.stopping import Stopper
from streams.log import log
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.server import Server

STOP_S: Final = 15.0
"""Seconds that a flow may take to end: more than its parts may take together (`STOP_S` of `streams.worker.flow` and of
`streams.rekeying.flow`), and less than the 30 s after which Kubernetes kills it."""


class Serving(Protocol):
    """What works until it is told to stop; a context manager that starts and ends it.

    Attributes:
        started: whether its start is over, and its end has not begun.
    """

    started: bool

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *reason: Any) -> None: ...

    async def wait(self) -> None:
        """Wait until something fails, and raise it."""

    def fail(self, error: BaseException) -> None:
        """End by this error."""


async def serve(
    settings: Settings,
    flow: Serving,
    server: Server,
    watchers: Iterable[Callable[[], Coroutine[Any, Any, None]]],
    stopper: Stopper,
    stopping: Callable[[], None],
) -> None:
    """Run a flow until a signal comes or it fails; a start that is still under way then is given up.

    Args:
        settings: of the flow.
        flow: not started yet.
        server: shows its metrics and health; it is up before the flow starts, and until the flow has ended.
        watchers: run beside it for as long.
        stopper: hears the signal, and is told if a failure begins the end.
        stopping: called when the end of a started flow begins.
    """
    stop = asyncio.Event()
    stopper.ask(stop.set)
    server.start()
    log.info("serving metrics and health", host=settings.metrics_host, port=server.port)
    watching = Tasks("monitor", flow.fail)
    for watcher in watchers:
        watching.begin(watcher())
    told = asyncio.create_task(stop.wait())
    try:
        running = asyncio.create_task(_run(flow, told, stopper, stopping))
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not flow.started:
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        watching.cancel()
        told.cancel()
        server.stop()
    log.info("left")


async def _run(flow: Serving, told: asyncio.Task[bool], stopper: Stopper, stopping: Callable[[], None]) -> None:
    async with flow:
        log.info("ready")
        failing = asyncio.create_task(flow.wait())
        await asyncio.wait({failing, told}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            stopper.begin(str(failing.exception()))
            failing.result()
        failing.cancel()
        stopping()
