"""Workers with an instance id on Apache Kafka: restarted one after another, taken for each other, leaving for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chaos.harness import Cluster, Worker, until
from support.command import run
from support.membership import by_instance, owners, wait_for_owners
from support.patience import PATIENCE_S
from support.servers.brokers import fresh_prefix
from support.servers.kafka import Kafka
from support.shoppers import random_lines

NAMES = ("w1", "w2", "w3")

SESSION_S = PATIENCE_S * 4
"""Nothing in these tests waits for the end of a session."""


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, kafka: Kafka) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, kafka.url, topic_prefix=fresh_prefix(), session_timeout_s=SESSION_S).open()
    yield opened
    await opened.close()


async def started(cluster: Cluster, name: str, **settings: object) -> Worker:
    """Start a worker under its name, and wait until it works."""
    return await cluster.start(name, group_instance_id=name, **settings).ready()


async def leave(cluster: Cluster, name: str) -> tuple[int, str, str]:
    """Have a worker leave, as an operator does; return exit code, output and errors."""
    settings = cluster.settings
    where = {"WHEREWITHAL_BROKER": settings.broker, "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix}
    return await asyncio.to_thread(run, "leave", name, **where)


def takeovers(worker: Worker) -> int:
    """How often a worker has been given partitions."""
    return sum(entry["message"] == "state is recovered" for entry in worker.entries())


@pytest.mark.parametrize("how", ["stop", pytest.param("kill", marks=pytest.mark.chaos)])
async def test_three_workers_restarted_one_after_another_move_no_partition(cluster: Cluster, how: str) -> None:
    workers = {name: await started(cluster, name) for name in NAMES}
    before = await owners(cluster.settings)
    assert sorted(map(len, before.values())) == [1, 1, 1]
    lines = random_lines(seed=51, events=1500, users=80)
    feeding = asyncio.create_task(cluster.feed(lines, 0.5))
    for name in NAMES:
        others = {other: takeovers(workers[other]) for other in NAMES if other != name}
        if how == "stop":
            await workers[name].stop()
        else:
            workers[name].kill()
        assert by_instance(await owners(cluster.settings)) == by_instance(before)
        workers[name] = await started(cluster, name)
        assert by_instance(await owners(cluster.settings)) == by_instance(before)
        # They were told of no rebalance: each would have had to take its partitions over anew.
        assert {other: takeovers(workers[other]) for other in others} == others
    await feeding
    await cluster.drained()
    await cluster.check(lines)


@pytest.mark.parametrize(
    "point",
    [
        "before-changelog",
        *(
            pytest.param(point, marks=pytest.mark.chaos)
            for point in ("after-changelog", "before-score", "before-commit")
        ),
    ],
)
async def test_a_worker_whose_place_a_namesake_has_taken_ends_and_nothing_is_lost_or_doubled(
    cluster: Cluster, point: str
) -> None:
    lines = random_lines(seed=52, events=1500, users=40)
    await started(cluster, "w2")
    first = await started(cluster, "w1", chaos_suspend=f"{point}:5")
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    # In the midst of its work, and with a lease that is good for long: it goes on before it hears of the namesake.
    await first.suspended()
    second = await cluster.start("copy", group_instance_id="w1").ready()
    await cluster.drained(cluster.ends())
    first.resume()
    assert await first.ended() == 1
    (line,) = first.plain_lines()
    assert line.startswith("wherewithal worker: expected to be the only worker with the instance id 'w1'")
    assert "give each worker a WHEREWITHAL_GROUP_INSTANCE_ID of its own" in line
    await feeding
    await cluster.drained()
    await cluster.corrected()
    await cluster.check(lines)
    assert second.process.poll() is None


async def test_a_running_worker_whose_namesake_starts_ends_and_takes_nothing_back(cluster: Cluster) -> None:
    lines = random_lines(seed=53, events=900, users=40)
    first = await started(cluster, "w1")
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    second = await cluster.start("copy", group_instance_id="w1").ready()
    assert await first.ended() == 1
    (line,) = first.plain_lines()
    assert "found that another one has taken its place" in line
    taken = takeovers(second)
    await feeding
    await cluster.drained()
    await cluster.check(lines)
    assert (second.process.poll(), takeovers(second)) == (None, taken)


async def test_a_worker_told_to_leave_for_good_gives_its_partitions_up_at_once(cluster: Cluster) -> None:
    lines = random_lines(seed=54, events=600, users=40)
    leaving = await started(cluster, "w1", leave_group="always")
    await started(cluster, "w2")
    await cluster.feed(lines)
    await leaving.stop()
    await wait_for_owners(cluster.settings, {"w2": [0, 1, 2]})
    await cluster.drained()
    await cluster.check(lines)


async def test_a_stopped_worker_keeps_its_place_until_an_operator_gives_it_up(cluster: Cluster) -> None:
    lines = random_lines(seed=55, events=600, users=40)
    stopped = await started(cluster, "w1")
    await started(cluster, "w2")
    await cluster.feed(lines)
    await stopped.stop()
    assert set(by_instance(await owners(cluster.settings))) == {"w1", "w2"}
    code, out, said = await leave(cluster, "w1")
    assert (code, said) == (0, "")
    assert out.startswith("w1 has left the group")
    await wait_for_owners(cluster.settings, {"w2": [0, 1, 2]})
    await cluster.drained()
    await cluster.check(lines)
    code, out, said = await leave(cluster, "w1")
    assert (code, out) == (1, "")
    assert said.startswith("wherewithal leave: expected a place of w1 in the group")


async def test_a_running_worker_that_an_operator_has_leave_joins_again_and_nothing_is_lost(cluster: Cluster) -> None:
    lines = random_lines(seed=56, events=1500, users=40)
    worker = await started(cluster, "w1")
    await started(cluster, "w2")
    before = takeovers(worker)
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    code, _, said = await leave(cluster, "w1")
    assert (code, said) == (0, "")
    await until(lambda: takeovers(worker) > before, PATIENCE_S, "it has partitions again")
    await feeding
    await cluster.drained()
    await cluster.check(lines)
    assert worker.process.poll() is None


async def test_a_place_that_is_one_for_other_topics_is_refused_until_it_is_given_up(cluster: Cluster) -> None:
    await (await started(cluster, "w1")).stop()
    others = {"topic_clicks": f"{cluster.settings.topic_prefix}taps"}
    refused = cluster.start("w1", group_instance_id="w1", **others)
    assert await refused.ended() == 1
    (line,) = refused.plain_lines()
    assert line.startswith("wherewithal worker: expected the place of the instance id 'w1' in the group")
    assert "give it up by `wherewithal leave w1`" in line
    assert (await leave(cluster, "w1"))[0] == 0
    await started(cluster, "w1", **others)


async def test_a_worker_stopped_past_its_session_joins_anew_under_its_id(cluster: Cluster) -> None:
    lines = random_lines(seed=57, events=1500, users=40)
    brief = {"session_timeout_s": 3}
    first = await started(cluster, "w1", chaos_suspend="before-changelog:5", **brief)
    await started(cluster, "w2", **brief)
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    await first.suspended()
    await wait_for_owners(cluster.settings, {"w2": [0, 1, 2]})
    before = takeovers(first)
    first.resume()
    await until(lambda: takeovers(first) > before, PATIENCE_S, "it has partitions again")
    await feeding
    await cluster.drained()
    await cluster.check(lines)
    assert first.process.poll() is None
