"""Apache Kafka on three nodes that are killed, stopped and restarted, and workers that come and go."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from chaos.harness import Cluster
from support.patience import PATIENCE_S
from support.servers.brokers import fresh_prefix
from support.servers.kafka import Kafka
from support.shoppers import random_lines

from streams.broker.connection import connection

pytestmark = pytest.mark.chaos

STARTS = 10
"""A worker whose broker is out of reach may end, and is started again; not for ever."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    durable = {
        "auto.create.topics.enable": "false",
        "default.replication.factor": 3,
        "min.insync.replicas": 2,
        # A node that hangs is given up after 3 s: the tests need not wait longer for it.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "replica.lag.time.max.ms": 3000,
    }
    with Kafka(tmp_path_factory.mktemp("nodes"), nodes=3, properties=durable) as started:
        yield started


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, nodes: Kafka) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, nodes.url, replication=3, topic_prefix=fresh_prefix()).open()
    await in_sync(opened)
    yield opened
    await opened.close()


async def in_sync(cluster: Cluster) -> None:
    """Wait until every partition has all of its replicas in sync again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                admin = AIOKafkaAdminClient(**connection(cluster.settings))
                try:
                    await admin.start()
                    topics = await admin.describe_topics()
                finally:
                    await admin.close()
            except KafkaError:
                topics = []
            partitions = [partition for topic in topics for partition in topic["partitions"]]
            if partitions and all(len(partition["isr"]) == len(partition["replicas"]) for partition in partitions):
                return
            await asyncio.sleep(0.2)


async def survived(cluster: Cluster, lines: Sequence[dict[str, Any]], faults: Callable[[], Awaitable[None]]) -> None:
    """Feed lines while faults strike, with a supervised worker; then all of it is as if nothing had been."""
    worker = asyncio.create_task(cluster.supervise("one", STARTS))
    feeding = asyncio.create_task(cluster.feed(lines, 0.2))
    try:
        await faults()
        await feeding
        await cluster.drained()
        assert not worker.done(), worker.exception()
        await cluster.check(lines)
    finally:
        for task in (worker, feeding):
            task.cancel()
        await asyncio.gather(worker, feeding, return_exceptions=True)


async def test_nodes_that_are_killed_in_turn_lose_and_double_nothing(cluster: Cluster, nodes: Kafka) -> None:
    async def faults() -> None:
        for node in nodes.nodes:
            nodes.kill(node)
            # The length of the outage is the point of the test: long enough for others to lead.
            await asyncio.sleep(4)
            nodes.launch(node)
            await asyncio.to_thread(nodes.listening, node)
            await in_sync(cluster)

    await survived(cluster, random_lines(seed=111, events=4000, users=150), faults)


async def test_a_node_that_hangs_and_comes_back_loses_and_doubles_nothing(cluster: Cluster, nodes: Kafka) -> None:
    async def faults() -> None:
        for node in nodes.nodes:
            nodes.suspend(node)
            # Beyond its session with the controller, so that it comes back to find others lead.
            await asyncio.sleep(6)
            nodes.resume(node)
            await in_sync(cluster)

    await survived(cluster, random_lines(seed=112, events=4000, users=150), faults)


async def test_a_rolling_restart_loses_and_doubles_nothing(cluster: Cluster, nodes: Kafka) -> None:
    async def faults() -> None:
        for node in nodes.nodes:
            await asyncio.to_thread(nodes.stop, node)
            nodes.launch(node)
            await asyncio.to_thread(nodes.listening, node)
            await in_sync(cluster)

    await survived(cluster, random_lines(seed=113, events=3000, users=150), faults)


async def test_a_storm_of_workers_that_join_leave_and_are_killed_loses_and_doubles_nothing(cluster: Cluster) -> None:
    lines = random_lines(seed=114, events=6000, users=200)
    rng = random.Random(114)
    feeding = asyncio.create_task(cluster.feed(lines, 0.5))
    running = {name: cluster.start(name) for name in ("one", "two", "three")}
    await running["one"].ready()
    for _ in range(12):
        # The instant is the point of the test: some of them have not even joined.
        await asyncio.sleep(rng.uniform(0.2, 2.5))
        name = rng.choice(sorted(running))
        if rng.random() < 0.5:
            running[name].kill()
        else:
            await running[name].stop()
        running[name] = cluster.start(name)
    await feeding
    await cluster.drained()
    await cluster.check(lines)
