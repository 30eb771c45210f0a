"""`wherewithal worker`: a worker against a real cluster, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal

from streams.cli.common.arguments import load_cluster_settings
from streams.cli.common.serving import STOP_S, serve
from streams.cli.common.stopping import Stopper
from streams.log import log
from streams.operating.checking.worker import findings
from streams.settings import Settings
from streams.telemetry.server import Server
from streams.terminal import shown
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor
from streams.worker.readiness import STOPPING, Readiness
from streams.worker.republishing.endpoint import RepublishEndpoint
from streams.worker.republishing.progress import PATH
from streams.worker.status_log import StatusLog


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
    readiness = Readiness()

    def begin(step: str) -> None:
        readiness.begin(step)
        log.info("starting", what=step)

    flow = Flow(settings, progress=begin)
    stopper.hear(signal.SIGHUP, flow.reload)
    monitor = Monitor(flow, settings.stall_s, readiness=readiness)
    republish = RepublishEndpoint(asyncio.get_running_loop(), lambda: flow.republishers)
    server = Server(settings, flow.metrics, monitor.live, monitor.ready, {PATH: republish})
    watchers = (monitor.run, lambda: StatusLog(flow, readiness).run(settings.status_interval_s))

    def stopping() -> None:
        readiness.begin(STOPPING)
        log.info("stopping, settling what is applied")

    await serve(settings, flow, server, watchers, stopper, stopping)
