"""Processes that are killed, told to stop, and joined by others, under load: nothing is lost, nothing counts twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.command import forked
from support.inputs import ends_of_inputs
from support.oracle import assert_reference
from support.patience import PATIENCE_S
from support.servers.brokers import Broker
from support.shop_topics import (
    as_call,
    behind,
    publish,
    rekey_settings,
    rekeyed,
    shop_lines,
    worked_off,
)

from streams.settings import Settings

USERS = 200
"""So many that none has more events in what is sent again than a worker recognises."""


class Process:
    """`wherewithal rekey` in a process of its own; its log is a file of JSON lines."""

    def __init__(self, log: Path, settings: Settings, **environment: object) -> None:
        chosen = {
            "broker": settings.broker,
            "topic_prefix": settings.topic_prefix,
            "rekey_sources": settings.rekey_sources,
            "partitions": settings.partitions,
            "session_timeout_s": 3,
            "heartbeat_interval_s": 0.3,
            "batch_records": 200,
            "metrics_port": 0,
        }
        given = {f"WHEREWITHAL_{name.upper()}": str(value) for name, value in (chosen | environment).items()}
        self._log = log
        self.process = forked("rekey", errors=log, **given)

    def said(self, message: str) -> bool:
        """Whether the log has an entry with that message."""
        lines = self._log.read_text(errors="replace").splitlines()
        return any(json.loads(line)["message"] == message for line in lines if line.startswith("{"))

    async def until(self, what: str) -> None:
        """Wait for a message in the log."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.said(what):
                assert self.process.poll() is None, self._log.read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; return the exit code."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, PATIENCE_S)


@pytest.fixture
def shop(broker: Broker) -> str:
    return f"{broker.topic_prefix}shop"


@pytest.fixture
def settings(broker: Broker, shop: str, tmp_path: Path) -> Settings:
    return rekey_settings(tmp_path / "worker", [shop], broker=broker.url)


@pytest.fixture
async def start(settings: Settings, tmp_path: Path) -> AsyncIterator[Any]:
    """Starts processes, and ends those that a test leaves."""
    started: list[Process] = []

    def begin(**environment: object) -> Process:
        started.append(Process(tmp_path / f"rekey-{len(started)}.log", settings, **environment))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.wait()


async def publish_calls(settings: Settings, shop: str, lines: list[dict[str, Any]], pause_s: float) -> None:
    """Publish in chunks, so that processes come and go under load."""
    for first in range(0, len(lines), 300):
        calls = [as_call(line) for line in lines[first : first + 300]]
        await publish(settings, shop, calls, compression_type="gzip")
        await asyncio.sleep(pause_s)


async def killed_at_random(settings: Settings, shop: str, start: Any, events: int, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    lines = shop_lines(seed, events, USERS)
    # A process that finds no topic ends at once.
    await publish(settings, shop, [])
    publishing = asyncio.create_task(publish_calls(settings, shop, lines, 0.3))
    for _ in range(kills):
        process = start()
        await process.until("ready")
        await asyncio.sleep(rng.uniform(0, 1.5))
        await process.end(signal.SIGKILL)
    await publishing
    last = start()
    await last.until("ready")
    await rekeyed(settings, shop)
    assert await last.end(signal.SIGTERM) == 0
    assert sum((await ends_of_inputs(settings)).values()) >= len(lines)
    run = await worked_off(settings)
    assert not run.letters
    assert_reference(run, lines)


async def test_killed_at_random(settings: Settings, shop: str, start: Any) -> None:
    await killed_at_random(settings, shop, start, 4000, 3, 5)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
async def test_killed_at_random_at_length(settings: Settings, shop: str, start: Any, seed: int) -> None:
    await killed_at_random(settings, shop, start, 12_000, 8, seed)


async def test_two_processes_share_a_topic_and_one_leaves_under_load(
    settings: Settings, shop: str, start: Any, session: dict[str, float]
) -> None:
    lines = shop_lines(8, 6000, USERS)
    await publish(settings, shop, [])
    publishing = asyncio.create_task(publish_calls(settings, shop, lines, 0.5))
    # What a process that is too busy to be heard of sends is sent again by the other.
    patient = {"session_timeout_s": 10} | session
    first = start(**patient)
    await first.until("ready")
    second = start(**patient, status_interval_s=1)
    await second.until("ready")
    await second.until("status")
    assert await first.end(signal.SIGTERM) == 0
    await publishing
    await rekeyed(settings, shop)
    assert await second.end(signal.SIGTERM) == 0
    assert await behind(settings, shop) == 0
    run = await worked_off(settings)
    assert_reference(run, lines)
    # Nobody was killed, so nothing was sent twice.
    assert sum((await ends_of_inputs(settings)).values()) == len(lines)


async def test_stopped_by_a_signal_it_has_committed_what_it_sent(
    settings: Settings, shop: str, start: Any, session: dict[str, float]
) -> None:
    lines = shop_lines(9, 8000, USERS)
    await publish(settings, shop, [as_call(line) for line in lines])
    process = start(**session)
    async with asyncio.timeout(PATIENCE_S):
        await process.until("ready")
        while not sum((await ends_of_inputs(settings)).values()):
            await asyncio.sleep(0.01)
    assert await process.end(signal.SIGTERM) == 0
    assert process.said("left")
    left = await behind(settings, shop)
    assert sum((await ends_of_inputs(settings)).values()) == len(lines) - left
