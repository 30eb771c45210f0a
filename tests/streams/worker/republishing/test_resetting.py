"""A clock that was ahead, and is right again: consumers take the right records, and nobody else is touched."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from support.artefacts import capacity_artefact
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.plain_feast import served_features
from support.runs import quick_settings
from support.shoppers import arriving

from features.tiles import HOUR, MINUTE
from streams.broker.embedded import EmbeddedBroker
from streams.cli.replay import feed
from streams.contract import CAPACITY
from streams.operating.drain import Drain
from streams.operating.read_back import last_records, last_scores
from streams.settings import StateStore, WindowEdge
from streams.worker.applying.clock_steps import TOLERANCE_MS
from streams.worker.flow import Flow
from streams.worker.republishing import resetting

USERS = ("a", "b", "c")


class Clock:
    """A clock that runs as the machine's does, but ahead of it."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms

    def __call__(self) -> int:
        return int(time.time() * 1000) + self.ahead_ms


class Stamps:
    """The time module, as the machine of a publisher has it whose clock is ahead."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def time(self) -> float:
        return self._clock() / 1000


def view(number: int, user: str, timestamp: int) -> dict[str, Any]:
    value = {"event_id": str(number), "user_id": user, "item_id": "i", "action": "view", "timestamp": timestamp}
    return {"topic": "clicks", "value": value}


async def put_through(flow: Flow, events: list[dict[str, Any]]) -> None:
    drain = Drain(flow, 100)
    feeder = await feed(flow, drain, arriving(events))
    await drain.drained(feeder.ends)


def resets(flow: Flow) -> float:
    return flow.metrics.registry.get_sample_value("wherewithal_reset_keys_total", {"stage": "users"}) or 0.0


async def until_reset(flow: Flow, users: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while resets(flow) < users:
            await asyncio.sleep(0.02)


async def looked(flow: Flow) -> None:
    """Wait until the partitions that were taken over have been looked at."""
    async with asyncio.timeout(PATIENCE_S):
        while not flow.engine._resetter.looked:
            await asyncio.sleep(0.02)


async def test_a_successor_resets_whoever_was_published_by_a_clock_ahead(tmp_path, monkeypatch, caplog):
    clock = Clock(20 * MINUTE)
    right = Clock()
    began = right()
    with EmbeddedBroker() as broker:
        settings = quick_settings(
            tmp_path,
            broker=broker.url,
            partitions=2,
            window_edge=WindowEdge.CLOCK,
            state_store=StateStore.ROCKSDB,
            capacity_artefact=str(tmp_path / "capacity"),
        )
        capacity_artefact().save(tmp_path / "capacity")
        with monkeypatch.context() as patch:
            patch.setattr("streams.worker.publishing.emission.time", Stamps(clock))
            async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
                await put_through(flow, [view(0, user, began) for user in USERS])
        wrong = await last_scores(settings)
        assert all(score["emitted_at"] > right() + TOLERANCE_MS for score in wrong.values())
        with caplog.at_level(logging.WARNING, logger="wherewithal"):
            async with Flow(settings, encoder=HashEncoder(), clock=right) as flow:
                await until_reset(flow, len(USERS))
                scores, capacity = await last_scores(settings), await last_records(settings, CAPACITY)
                served = served_features(settings, tmp_path / "feast", USERS)
        assert {row["event_time"] <= right() for row in served} == {True}, "the rows are the successor's too"
        assert set(scores) == set(capacity) == set(USERS)
        for score in (*scores.values(), *capacity.values()):
            assert began <= score["event_time"] <= right()
            assert began <= score["emitted_at"] <= right()
        assert "ahead of this worker's clock" in caplog.text
        async with Flow(settings, encoder=HashEncoder(), clock=right) as flow:
            await looked(flow)
            assert resets(flow) == 0, "the second successor finds nothing"


async def test_an_event_ahead_is_no_reason_for_a_reset(tmp_path):
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url, window_edge=WindowEdge.CLOCK, partitions=1)
        ahead = int(time.time() * 1000) + 23 * HOUR
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await put_through(flow, [view(0, "u", ahead)])
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await looked(flow)
            assert resets(flow) == 0
            assert (await last_scores(settings))["u"]["event_time"] == ahead


async def test_a_clock_set_back_while_a_worker_runs_takes_its_instants_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(resetting, "POLL_S", 0.05)
    clock = Clock()
    settings = quick_settings(tmp_path, window_edge=WindowEdge.CLOCK, partitions=1)
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        await looked(flow)
        await put_through(flow, [view(0, "before", clock())])
        clock.ahead_ms = HOUR
        await put_through(flow, [view(1, "meanwhile", int(time.time() * 1000))])
        assert (await last_scores(flow.settings))["meanwhile"]["event_time"] > time.time() * 1000 + HOUR / 2
        clock.ahead_ms = 0
        await until_reset(flow, 1)
        scores = await last_scores(flow.settings)
        assert set(scores) == {"before", "meanwhile"}
        assert scores["meanwhile"]["event_time"] <= time.time() * 1000
        assert resets(flow) == 1


async def test_what_is_published_while_the_broker_lets_wait_is_not_ahead(tmp_path, monkeypatch):
    published = asyncio.Event()
    ask = resetting.high_watermarks

    async def late(*arguments: Any) -> Any:
        await published.wait()
        return await ask(*arguments)

    monkeypatch.setattr(resetting, "high_watermarks", late)
    monkeypatch.setattr(resetting, "TOLERANCE_MS", 0)
    async with Flow(quick_settings(tmp_path, partitions=1), encoder=HashEncoder()) as flow:
        await put_through(flow, [view(0, "u", int(time.time() * 1000) - HOUR)])
        published.set()
        await looked(flow)
        assert resets(flow) == 0


async def test_a_broker_that_does_not_answer_is_asked_again(tmp_path, monkeypatch):
    asked = []

    async def find(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) < 3:
            raise resetting.BrokerError("the broker is away")
        return {}

    monkeypatch.setattr(resetting, "RETRY_S", 0.01)
    monkeypatch.setattr(resetting, "find_ahead", find)
    async with Flow(quick_settings(tmp_path, partitions=1), encoder=HashEncoder()) as flow:
        await looked(flow)
        assert len(asked) == 3
