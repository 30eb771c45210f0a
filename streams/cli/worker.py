"""`wherewithal worker`: a worker against a real cluster, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from streams.exceptions import ConfigurationError
from streams.flow import Flow
from streams.log import log
from streams.monitor import Monitor
from streams.republish_endpoint import RepublishEndpoint
from streams.republish_progress import PATH
from streams.server import Server
from streams.settings import Settings, load_settings
from streams.tasks import Tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `worker`: there are none, its settings come from the environment."""


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT, then drain and leave."""
    settings = load_settings()
    if settings.embedded:
        raise ConfigurationError("WHEREWITHAL_BROKER: expected kafka://host:port, found no broker to work against")
    asyncio.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    flow = Flow(settings, progress=lambda what: log.info("starting", what=what))
    loop.add_signal_handler(signal.SIGHUP, flow.reload)
    monitor = Monitor(flow, settings.stall_s)
    republish = RepublishEndpoint(
        asyncio.get_running_loop(), lambda: flow.production.republisher if flow.started else None
    )
    server = Server(settings, flow.metrics, monitor.live, monitor.ready, {PATH: republish})
    server.start()
    log.info("serving metrics and health", host=settings.metrics_host, port=server.port)
    watching = Tasks("monitor", flow.fail)
    watching.begin(monitor.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        running = asyncio.create_task(_run(flow, stopping))
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not flow.started:
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        watching.cancel()
        stopping.cancel()
        server.stop()
    log.info("left")


async def _run(flow: Flow, stopping: asyncio.Task[bool]) -> None:
    async with flow:
        log.info("ready")
        failing = asyncio.create_task(flow.wait())
        await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            failing.result()
        failing.cancel()
        log.info("stopping, settling what is applied")
