"""`wherewithal rekey`: a shop's own topics become events keyed by user in the inputs, until it is told to stop."""

from __future__ import annotations

import argparse
from typing import Any

from streams.cli.common.arguments import load_cluster_settings
from streams.cli.common.serving import STOP_S, serve
from streams.cli.common.stopping import Stopper
from streams.encodings.encoding import Encoding
from streams.rekeying.flow import Flow
from streams.rekeying.monitor import STOPPING, Monitor
from streams.rekeying.sources import check_sources
from streams.settings import Settings
from streams.sources.shape import Format
from streams.telemetry.server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rekey`; what is not given comes from the environment."""
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="TOPIC[=INPUT]",
        help="topics to read; `=INPUT` if its records are bare events of that input",
    )
    parser.add_argument("--format", choices=[one.value for one in Format], help="shape of the events")
    parser.add_argument("--encoding", choices=[one.value for one in Encoding], help="encoding of the values")
    parser.add_argument("--group", metavar="NAME", help="exact name of its consumer group")


def run(arguments: argparse.Namespace) -> int:
    """Re-key until SIGTERM or SIGINT, then wait for what is sent, commit and leave."""
    given: dict[str, Any] = {
        "rekey_sources": ",".join(arguments.sources) or None,
        "rekey_format": arguments.format,
        "rekey_encoding": arguments.encoding,
        "rekey_group_id": arguments.group,
    }
    settings = load_cluster_settings("to read from", **{name: value for name, value in given.items() if value})
    check_sources(settings)
    with Stopper("rekey", STOP_S) as stopper:
        stopper.run(_work(settings, stopper))
    return 0


async def _work(settings: Settings, stopper: Stopper) -> None:
    flow = Flow(settings, progress=lambda step: monitor.begin(step))
    monitor = Monitor(flow)
    server = Server(settings, flow.metrics, monitor.live, monitor.ready)
    watchers = (monitor.run, lambda: monitor.tell(settings.status_interval_s))
    await serve(settings, flow, server, watchers, stopper, lambda: monitor.begin(STOPPING))
