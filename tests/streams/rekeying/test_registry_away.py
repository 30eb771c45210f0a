"""A schema registry that goes away while a topic in the wire format is re-keyed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.encoded import avro_bytes, framed
from support.patience import PATIENCE_S
from support.servers.brokers import Broker
from support.servers.fake_registry import FakeRegistry
from support.servers.registry import Registry
from support.shop_topics import behind, letters_of, numbers_taken, publish, rekey_settings, rekeyed, rekeying
from support.shoppers import BASE

from streams.exceptions import RegistryAwayError
from streams.rekeying.flow import Flow
from streams.rekeying.monitor import Monitor
from streams.settings import Settings

AWAY = 503, b"<html>not now</html>"

FIELDS = [
    *({"name": name, "type": "string"} for name in ("event_id", "user_id", "item_id", "action")),
    {"name": "timestamp", "type": "long"},
]
FIRST: dict[str, Any] = {"type": "record", "name": "shop.Click", "fields": FIELDS}
SECOND = FIRST | {"fields": [*FIELDS, {"name": "price", "type": "double"}]}


class Clock:
    """Stands still until it is set on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started


@pytest.fixture
def shop(broker: Broker) -> str:
    return f"{broker.topic_prefix}avro"


@pytest.fixture
def settings(broker: Broker, shop: str, registry: FakeRegistry, tmp_path: Path, session: dict[str, float]) -> Settings:
    return rekey_settings(tmp_path, [f"{shop}=clicks"], broker=broker.url, schema_registry_url=registry.url, **session)


def values(schema: dict[str, Any], schema_id: int, numbers: range) -> list[bytes]:
    common = {"user_id": "u", "item_id": "i", "action": "view", "price": 2.0}
    clicks = [common | {"event_id": str(number), "timestamp": BASE + number} for number in numbers]
    return [framed(schema_id, avro_bytes(schema, click)) for click in clicks]


@asynccontextmanager
async def watched(settings: Settings, clock: Clock) -> AsyncIterator[tuple[Flow, Monitor]]:
    """A running process and its monitor, which looks when it is told to."""
    async with rekeying(settings) as flow:
        monitor = Monitor(flow, clock)
        try:
            yield flow, monitor
        finally:
            await monitor._logs.forget_broker()


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.02)


async def test_what_needs_a_new_schema_waits_and_is_not_taken_for_stuck_once_it_is_back(
    settings: Settings, shop: str, registry: FakeRegistry
) -> None:
    clock = Clock()
    known, new = registry.add(json.dumps(FIRST)), registry.add(json.dumps(SECOND))
    await publish(settings, shop, values(FIRST, known, range(30)))
    async with watched(settings, clock) as (flow, monitor):
        await rekeyed(settings, shop)
        registry.answer = AWAY
        await publish(settings, shop, values(SECOND, new, range(30, 60)))
        await until(lambda: flow.values.waited_s)
        await monitor.look()
        # By now it waits for longer than passes for a moment, and than anything may stand still.
        await until(lambda: monitor._waits_for_registry)
        for _ in range(3):
            clock.now += 2 * settings.stall_s
            await monitor.look()
        assert "waiting for the schema registry" in monitor._look_what_is_missing()
        # Known schemas need no registry.
        assert await behind(settings, shop) == 30
        registry.answer = None
        await until(lambda: not flow.values.waited_s)
        await monitor.look()
        await rekeyed(settings, shop)
        assert flow.failed_with is None
    assert await numbers_taken(settings) == list(range(60))
    assert not await letters_of(settings)


async def test_one_that_stays_away_ends_it_with_nothing_lost_or_refused(
    settings: Settings, shop: str, registry: FakeRegistry
) -> None:
    schema_id = registry.add(json.dumps(SECOND))
    registry.answer = AWAY
    await publish(settings, shop, values(SECOND, schema_id, range(30)))
    hasty = settings.model_copy(update={"schema_registry_patience_s": 1.0})
    async with rekeying(hasty) as flow:
        with pytest.raises(RegistryAwayError, match="answered 503: look into its log, for 1 s; start again"):
            await asyncio.wait_for(flow.wait(), PATIENCE_S)
    assert await behind(settings, shop) == 30
    assert not await letters_of(settings)
    registry.answer = None
    async with rekeying(settings):
        await rekeyed(settings, shop)
    assert await numbers_taken(settings) == list(range(30))


async def test_a_real_registry_that_hangs_is_waited_for(
    broker: Broker, shop: str, schema_registry: Registry, tmp_path: Path
) -> None:
    settings = rekey_settings(
        tmp_path,
        [f"{shop}=clicks"],
        broker=broker.url,
        schema_registry_url=schema_registry.url,
        schema_registry_timeout_s=0.5,
    )
    known = schema_registry.add(f"{shop}-known", json.dumps(FIRST))
    new = schema_registry.add(f"{shop}-new", json.dumps(SECOND))
    await publish(settings, shop, values(FIRST, known, range(30)))
    async with rekeying(settings) as flow:
        await rekeyed(settings, shop)
        with schema_registry.hanging():
            await publish(settings, shop, [*values(SECOND, new, range(30, 60)), *values(FIRST, known, range(60, 63))])
            await until(lambda: flow.values.waited_s > 1)
            assert await behind(settings, shop) == 33
        await rekeyed(settings, shop)
        assert flow.failed_with is None
    assert await numbers_taken(settings) == list(range(63))
    assert not await letters_of(settings)
