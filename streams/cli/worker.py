"""`wherewithal worker`: a worker against a real cluster, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from typing import Final

from streams.cli.common.arguments import load_cluster_settings
from streams.cli.common.stopping import Stopper
from streams.log import log
from streams.operating.checking.worker import findings
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.server import Server
from streams.terminal import shown
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor
from streams.worker.readiness import STOPPING, Readiness
from streams.worker.republishing.endpoint import RepublishEndpoint
from streams.worker.republishing.progress import PATH
from streams.worker.status_log import StatusLog

STOP_S: Final = 15.0
"""Seconds that a worker may take to end: more than its parts may take together (`streams.worker.flow`), and less than
the 30 s after which Kubernetes kills it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `worker`; its settings come from the environment."""
    parser.add_argument(
        "--check", action="store_true", help="look whether a worker could start and work here, and start none"
    )


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT, then drain and leave; with `--check`, return 1 if something is not well."""
    settings = load_cluster_settings("to work against")
    if arguments.check:
        return asyncio.run(_check(settings))
    with Stopper("worker", STOP_S) as stopper:
        stopper.run(_work(settings, stopper))
    return 0


async def _check(settings: Settings) -> int:
    well = True
    async for finding in findings(settings):
        print(f"{finding.verdict:8} {shown(f'{finding.what}: {finding.said}')}", flush=True)
        well &= finding.well
    return 0 if well else 1


async def _work(settings: Settings, stopper: Stopper) -> None:
    stop = asyncio.Event()
    stopper.ask(stop.set)
    readiness = Readiness()

    def begin(step: str) -> None:
        readiness.begin(step)
        log.info("starting", what=step)

    flow = Flow(settings, progress=begin)
    stopper.hear(signal.SIGHUP, flow.reload)
    monitor = Monitor(flow, settings.stall_s, readiness=readiness)
    republish = RepublishEndpoint(
        asyncio.get_running_loop(), lambda: flow.production.republisher if flow.started else None
    )
    server = Server(settings, flow.metrics, monitor.live, monitor.ready, {PATH: republish})
    server.start()
    log.info("serving metrics and health", host=settings.metrics_host, port=server.port)
    watching = Tasks("monitor", flow.fail)
    watching.begin(monitor.run())
    watching.begin(StatusLog(flow, readiness).run(settings.status_interval_s))
    stopping = asyncio.create_task(stop.wait())
    try:
        running = asyncio.create_task(_run(flow, readiness, stopping, stopper))
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


async def _run(flow: Flow, readiness: Readiness, stopping: asyncio.Task[bool], stopper: Stopper) -> None:
    async with flow:
        log.info("ready")
        failing = asyncio.create_task(flow.wait())
        await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            stopper.begin(str(failing.exception()))
            failing.result()
        failing.cancel()
        readiness.begin(STOPPING)
        log.info("stopping, settling what is applied")
