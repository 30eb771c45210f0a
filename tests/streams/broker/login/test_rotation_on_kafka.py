"""A password that is rotated under load costs no event and no restart, on a node of Apache Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.encoders import HashEncoder
from support.oracle import assert_reference
from support.patience import PATIENCE_S
from support.runs import quick_settings, read_back
from support.servers.kafka import kafka_libraries
from support.servers.login_kafka import SESSION_MS, LoginKafka
from support.shoppers import encoded, random_lines

from streams.broker.publisher import Publisher
from streams.cli.replay import LEAD_RECORDS
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.operating.summary import summarise
from streams.settings import load_settings
from streams.sources.reading import numbered
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor

SHARE = 400
PAUSE_S = 0.02


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LoginKafka]:
    kafka_libraries()
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    with LoginKafka(tmp_path / "kafka", keys, "kafka") as started:
        started.set_password("shop", "first-secret")
        yield started


async def test_a_password_that_is_rotated_under_load_costs_no_event(node: LoginKafka, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first-secret")
    login = {"broker_sasl_mechanism": "SCRAM-SHA-512", "broker_username": "shop", "broker_password_file": file}
    settings = quick_settings(tmp_path / "state", broker=node.door("SCRAM"), topic_prefix="rotated-", **login)
    lines = random_lines(seed=16, events=3 * SHARE, users=40)[: 3 * SHARE]
    arrivals = list(numbered(encoded(lines)))
    # Sessions end by themselves: each login after the change of the node is with the new password, or is refused.
    session_s = SESSION_MS / 1000
    async with Flow(settings, encoder=HashEncoder(), keep_latencies=True) as flow:
        watching = asyncio.create_task(Monitor(flow, settings.stall_s).run())
        publisher = Publisher(load_settings(broker=node.url, topic_prefix="rotated-"))
        await publisher.start()
        feeder = Feeder(load_settings(broker=node.url, topic_prefix="rotated-", partitions=3), publisher)

        async def load(part: int, at_least_s: float) -> None:
            began = time.monotonic()
            for start in range(part * SHARE, (part + 1) * SHARE, 10):
                await feeder.feed(arrivals[start : start + 10])
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(max(0.0, began + at_least_s - time.monotonic()))

        try:
            await load(0, session_s)
            await asyncio.to_thread(node.set_password, "shop", "second-secret")
            await load(1, 1.5 * session_s)
            file.write_text("second-secret")
            await load(2, 2 * session_s)
            await asyncio.wait_for(Drain(flow, LEAD_RECORDS).drained(feeder.ends), PATIENCE_S)
            assert flow.failed_with is None
            run = await read_back(flow, summarise(flow, feeder, 1.0))
        finally:
            await publisher.stop()
            watching.cancel()
    assert_reference(run, lines)
    assert run.summary.complete
