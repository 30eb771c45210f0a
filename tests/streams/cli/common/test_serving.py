"""Serving a flow: it ends when told or when it fails, and its health is told for as long as it works."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Self
from urllib.request import urlopen

import pytest
from support.patience import PATIENCE_S

from streams.cli.common.serving import serve
from streams.cli.common.stopping import Stopper
from streams.exceptions import BrokerError
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.server import Server


class Work:
    """A flow that does nothing, and tells what is done with it."""

    def __init__(self, *, starts: bool = True) -> None:
        self.starts = starts
        self.started = False
        self.told: list[str] = []
        self.failure: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        self.failure = asyncio.get_running_loop().create_future()
        self.told.append("starting")
        if not self.starts:
            await asyncio.Event().wait()
        self.started = True
        return self

    async def __aexit__(self, *reason: Any) -> None:
        self.told.append("ended")

    async def wait(self) -> None:
        await self.failure

    def fail(self, error: BaseException) -> None:
        self.failure.set_exception(error)


def served(work: Work, act: Callable[[Server], None]) -> Server:
    """Serve a flow, with a watcher that acts once the flow has got so far as it gets."""
    settings = load_settings(metrics_port=0)
    server = Server(settings, Metrics(), lambda: None, lambda: None)

    async def watch() -> None:
        while not work.told or (work.starts and not work.started):
            await asyncio.sleep(0)
        act(server)

    with Stopper("test", PATIENCE_S, end=lambda code: None) as stopper:
        stopper.run(serve(settings, work, server, [watch], stopper, lambda: work.told.append("stopping")))
    return server


def told_to_stop(_: Server) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def refuses(server: Server) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", server.port)) != 0


def test_a_flow_ends_in_order_when_it_is_told() -> None:
    answers: list[int] = []

    def act(server: Server) -> None:
        with urlopen(f"http://127.0.0.1:{server.port}/livez", timeout=PATIENCE_S) as answer:
            answers.append(answer.status)
        told_to_stop(server)

    work = Work()
    server = served(work, act)
    assert work.told == ["starting", "stopping", "ended"]
    assert answers == [200]
    assert refuses(server)


def test_a_start_that_is_under_way_is_given_up() -> None:
    work = Work(starts=False)
    served(work, told_to_stop)
    assert work.told == ["starting"]


def test_what_ends_a_flow_is_raised_when_it_has_ended() -> None:
    work = Work()
    with pytest.raises(BrokerError, match="gone"):
        served(work, lambda server: work.fail(BrokerError("gone")))
    assert work.told == ["starting", "ended"]


def test_what_ends_a_watcher_ends_the_flow() -> None:
    def act(_: Server) -> None:
        raise BrokerError("not seen any more")

    work = Work()
    with pytest.raises(BrokerError, match="not seen any more"):
        served(work, act)
    assert work.told == ["starting", "ended"]
