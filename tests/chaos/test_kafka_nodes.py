"""Apache Kafka on three nodes with every fault that nodes have, and workers that come and go.

Every test publishes at least 10,000 events while its fault lasts. The run ends with a table of what each fault cost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from chaos.account import Account
from chaos.harness import SCRIPT, Cluster
from chaos.node_operator import Operator
from chaos.trial import Trial
from support.servers.brokers import fresh_prefix
from support.servers.kafka import Kafka
from support.servers.proxy import Proxy
from support.shoppers import random_lines

from streams.contract import REVIEWS, topic_name

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

DURABLE: Final = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    # A node that hangs is given up after 3 s: the tests need not wait longer for it.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 3000,
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("nodes"), nodes=3, properties=DURABLE) as started:
        yield started


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, nodes: Kafka) -> AsyncIterator[Cluster]:
    async with on(nodes, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def on(nodes: Kafka, folder: Path) -> AsyncIterator[Cluster]:
    settings = {"items": True, "replication": 3, "topic_prefix": fresh_prefix(), "request_timeout_s": 10}
    # How long a start takes is a part of what a fault costs.
    opened = await Cluster(folder, nodes.url, script=SCRIPT, **settings).open()
    try:
        await Operator(nodes, opened).in_sync()
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def operator(nodes: Kafka, cluster: Cluster) -> Operator:
    return Operator(nodes, cluster)


@pytest.fixture
def trial(account: Callable[[Account], None]) -> Trial:
    return Trial(account)


async def back(nodes: Kafka, operator: Operator, node: int, environment: dict[str, str] | None = None) -> None:
    """Start a node, and wait until nothing tells that it was away."""
    nodes.launch(node, environment)
    await asyncio.to_thread(nodes.listening, node)
    await operator.in_sync()


async def test_nodes_that_are_killed(trial: Trial, cluster: Cluster, nodes: Kafka, operator: Operator) -> None:
    async def act() -> None:
        for node in nodes.nodes:
            nodes.kill(node)
            # The length of the outage is the point of the test: long enough for others to lead.
            await asyncio.sleep(4)
            await back(nodes, operator, node)

    await trial.of("SIGKILL of each node in turn, started again after 4 s", cluster, act)


async def test_a_node_that_hangs(trial: Trial, cluster: Cluster, nodes: Kafka, operator: Operator) -> None:
    async def act() -> None:
        node = await operator.coordinator()
        nodes.suspend(node)
        # Beyond every session and every request: the others lead, and it comes back to find that.
        await asyncio.sleep(30)
        nodes.resume(node)
        await operator.in_sync()

    await trial.of("SIGSTOP of the group's coordinator for 30 s", cluster, act)


async def test_nodes_that_are_restarted_in_turn(
    trial: Trial, cluster: Cluster, nodes: Kafka, operator: Operator
) -> None:
    async def act() -> None:
        for node in nodes.nodes:
            await asyncio.to_thread(nodes.stop, node)
            await back(nodes, operator, node)

    await trial.of("rolling restart of the nodes", cluster, act)


async def test_workers_that_are_restarted_in_turn(trial: Trial, cluster: Cluster) -> None:
    names = ("one", "two", "three")
    running = {name: cluster.start(name) for name in names}

    async def act() -> None:
        for name in names:
            await running[name].stop()
            assert running[name].process.returncode == 0, running[name].last_lines()
            running[name] = await cluster.start(name).ready()

    for worker in running.values():
        await worker.ready()
    await trial.beside("rolling upgrade of three workers", cluster, act)


async def test_leaders_that_are_moved(trial: Trial, cluster: Cluster, operator: Operator) -> None:
    async def act() -> None:
        for _ in range(3):
            await operator.reassign(lambda replicas: [*replicas[1:], replicas[0]])
            await operator.elect()

    await trial.of("every partition's leader moved by the operator, three times", cluster, act)


async def test_partitions_that_are_reassigned(trial: Trial, cluster: Cluster, operator: Operator) -> None:
    async def act() -> None:
        everywhere = (1, 2, 3)
        # Two replicas each, then one of them elsewhere, which copies the log and leads; then all three again.
        await operator.reassign(lambda replicas: list(replicas[:2]))
        await operator.reassign(lambda replicas: [*set(everywhere).difference(replicas), replicas[1]])
        await operator.elect()
        await operator.reassign(lambda replicas: [*replicas, *set(everywhere).difference(replicas)])

    await trial.of("every partition reassigned to other nodes and back", cluster, act)


async def test_a_disk_that_is_lost(trial: Trial, cluster: Cluster, nodes: Kafka, operator: Operator) -> None:
    async def act() -> None:
        node = await operator.leader(topic_name(cluster.settings, REVIEWS))
        nodes.kill(node)
        await asyncio.to_thread(nodes.lose_disk, node)
        await back(nodes, operator, node)

    await trial.of("a node killed and its disk lost, replication 3", cluster, act)


async def test_a_node_that_nobody_reaches(trial: Trial, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy())
        nodes = Kafka(tmp_path / "nodes", 3, DURABLE, advertised={3: proxy.port})
        proxy.upstream = nodes.port(3)
        stack.enter_context(nodes)
        cluster = await stack.enter_async_context(on(nodes, tmp_path))

        async def act() -> None:
            operator = Operator(nodes, cluster)
            # It goes on to speak to the controller, which so leaves it the lead.
            proxy.stall()
            await asyncio.sleep(60)
            proxy.restore()
            await operator.in_sync()

        await trial.of("a node's port swallows everything for 60 s", cluster, act)


async def test_a_node_whose_clock_is_ahead(
    trial: Trial, cluster: Cluster, nodes: Kafka, operator: Operator, an_hour_ahead: dict[str, str]
) -> None:
    async def act() -> None:
        node = await operator.coordinator()
        for environment in (an_hour_ahead, {}):
            await asyncio.to_thread(nodes.stop, node)
            await back(nodes, operator, node, environment)
            await operator.elect()
            # Long enough for what it leads, coordinates and times.
            await asyncio.sleep(10)

    await trial.of("the clock of the group's coordinator an hour ahead, and back", cluster, act)
    # It stamps what is appended to the partitions that it leads.
    assert any(worker.said("times ahead of this worker's clock") for worker in cluster.workers)


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
