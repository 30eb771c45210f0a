"""Workers with an instance id on Apache Kafka: restarted one after another, taken for each other, leaving for good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from chaos.harness import Cluster, Worker, until
from chaos.zombies import stopped_at_work
from support.command import run
from support.membership import by_instance, owners, wait_for_owners
from support.patience import PATIENCE_S
from support.servers.brokers import fresh_prefix
from support.servers.kafka import Kafka
from support.shoppers import random_lines

from streams.name_settings import group_name, items_group_name
from streams.settings import Settings
from streams.worker.stage_spec import specs_of

NAMES = ("w1", "w2", "w3")

SESSION_S = PATIENCE_S * 4
"""Nothing in these tests waits for the end of a session."""


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, kafka: Kafka) -> AsyncIterator[Cluster]:
    further = {"items": True, "topic_prefix": fresh_prefix(), "session_timeout_s": SESSION_S}
    opened = await Cluster(tmp_path, kafka.url, **further).open()
    yield opened
    await opened.close()


async def started(cluster: Cluster, name: str, **settings: object) -> Worker:
    """Start a worker under its name, and wait until it works."""
    return await cluster.start(name, group_instance_id=name, **settings).ready()


async def leave(cluster: Cluster, name: str) -> tuple[int, str, str]:
    """Have a worker leave, as an operator does; return exit code, output and errors."""
    settings = cluster.settings
    where = {
        "WHEREWITHAL_BROKER": settings.broker,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_ITEMS": str(settings.items),
    }
    return await asyncio.to_thread(run, "leave", name, **where)


def takeovers(worker: Worker) -> Counter[str]:
    """How often each stage of a worker has been given partitions."""
    return Counter(entry["stage"] for entry in worker.entries() if entry["message"] == "state is recovered")


async def taken_over_again(worker: Worker, before: Counter[str]) -> None:
    """Wait until every stage of a worker has been given partitions since."""

    def again() -> bool:
        now = takeovers(worker)
        return all(now[stage] > number for stage, number in before.items())

    await until(again, PATIENCE_S, "it has partitions again")


async def all_started(cluster: Cluster, *names: str) -> dict[str, Worker]:
    """Start workers one after another, each once those before it have taken over what the one before it left."""
    workers: dict[str, Worker] = {}
    for name in names:
        before = [(other, takeovers(other)) for other in workers.values()]
        workers[name] = await started(cluster, name)
        for other, taken in before:
            await taken_over_again(other, taken)
    return workers


async def places(cluster: Cluster) -> list[dict[str, list[int]]]:
    """Who has which partitions, in the group of each stage."""
    return [by_instance(await owners(cluster.settings, stage)) for stage in specs_of(cluster.settings)]


@pytest.mark.parametrize("how", ["stop", pytest.param("kill", marks=pytest.mark.chaos)])
async def test_three_workers_restarted_one_after_another_move_no_partition(cluster: Cluster, how: str) -> None:
    workers = await all_started(cluster, *NAMES)
    before = await places(cluster)
    assert [sorted(map(len, of_stage.values())) for of_stage in before] == [[1, 1, 1]] * 2
    lines = random_lines(seed=51, events=1500, users=80)
    feeding = asyncio.create_task(cluster.feed(lines, 0.5))
    for name in NAMES:
        others = {other: takeovers(workers[other]) for other in NAMES if other != name}
        if how == "stop":
            await workers[name].stop()
        else:
            workers[name].kill()
        assert await places(cluster) == before
        workers[name] = await started(cluster, name)
        assert await places(cluster) == before
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
            for point in (
                *("before-facts", "after-facts", "after-changelog", "before-score", "before-commit"),
                *("before-item-changelog", "after-item-changelog", "before-item-signal", "before-item-commit"),
            )
        ),
    ],
)
async def test_a_worker_whose_place_a_namesake_has_taken_ends_and_nothing_is_lost_or_doubled(
    cluster: Cluster, point: str
) -> None:
    lines = random_lines(seed=52, events=1500, users=40)
    await started(cluster, "w2")
    first = await started(cluster, "w1", chaos_suspend=f"{point}:5")
    # In the midst of its work, and with a lease that is good for long: it goes on before it hears of the namesake.
    feeding = await stopped_at_work(cluster, lines, first)
    second = await cluster.start("copy", group_instance_id="w1").ready()
    await cluster.drained(cluster.ends())
    first.resume()
    assert await first.ended() == 1
    (line,) = first.plain_lines()
    # Each stage has a place of its own, and the first that asks after its own ends the worker.
    groups = [group_name(cluster.settings), items_group_name(cluster.settings)]
    assert line.removeprefix("wherewithal worker: expected to be the only worker with the instance id 'w1' ") in [
        f"in the group {group!r}, found that another one has taken its place: if that is no successor of this one, "
        "give each worker a WHEREWITHAL_GROUP_INSTANCE_ID of its own"
        for group in groups
    ]
    await feeding
    await cluster.drained()
    await cluster.corrected()
    await cluster.check(lines)
    assert second.process.poll() is None


@pytest.mark.chaos
async def test_an_item_worker_whose_place_a_namesake_has_taken_names_the_group_of_items(cluster: Cluster) -> None:
    lines = random_lines(seed=58, events=900, users=40)
    await started(cluster, "users", stages="users")
    first = await started(cluster, "w1", stages="items")
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    second = await cluster.start("copy", group_instance_id="w1", stages="items").ready()
    assert await first.ended() == 1
    (line,) = first.plain_lines()
    assert f"in the group {items_group_name(cluster.settings)!r}, found that another one has taken its place" in line
    await feeding
    await cluster.drained()
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
    assert [set(of_stage) for of_stage in await places(cluster)] == [{"w1", "w2"}] * 2
    code, out, said = await leave(cluster, "w1")
    assert (code, said) == (0, "")
    groups = [group_name(cluster.settings), items_group_name(cluster.settings)]
    assert out.splitlines() == [
        f"w1 has left the group {group}: its partitions go to the other workers" for group in groups
    ]
    await wait_for_owners(cluster.settings, {"w2": [0, 1, 2]})
    await cluster.drained()
    await cluster.check(lines)
    code, out, said = await leave(cluster, "w1")
    assert (code, out) == (1, "")
    assert said.startswith(f"wherewithal leave: expected a place of w1 in the group {groups[0]!r} or {groups[1]!r}, ")


async def test_a_running_worker_that_an_operator_has_leave_joins_again_and_nothing_is_lost(cluster: Cluster) -> None:
    lines = random_lines(seed=56, events=1500, users=40)
    worker, _ = (await all_started(cluster, "w1", "w2")).values()
    before = takeovers(worker)
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    code, _, said = await leave(cluster, "w1")
    assert (code, said) == (0, "")
    await taken_over_again(worker, before)
    await feeding
    await cluster.drained()
    await cluster.check(lines)
    assert worker.process.poll() is None


@pytest.mark.parametrize(("topic", "group"), [("topic_clicks", group_name), ("topic_item_facts", items_group_name)])
async def test_a_place_that_is_one_for_other_topics_is_refused_until_it_is_given_up(
    cluster: Cluster, topic: str, group: Callable[[Settings], str]
) -> None:
    await (await started(cluster, "w1")).stop()
    others = {topic: f"{cluster.settings.topic_prefix}others"}
    refused = cluster.start("w1", group_instance_id="w1", **others)
    assert await refused.ended() == 1
    (line,) = refused.plain_lines()
    place = f"expected the place of the instance id 'w1' in the group {group(cluster.settings)!r} to be one for "
    assert line.startswith(f"wherewithal worker: {place}")
    assert "give it up by `wherewithal leave w1`" in line
    assert (await leave(cluster, "w1"))[0] == 0
    await started(cluster, "w1", **others)


async def test_a_worker_stopped_past_its_session_joins_anew_under_its_id(cluster: Cluster) -> None:
    lines = random_lines(seed=57, events=1500, users=40)
    brief = {"session_timeout_s": 3}
    first = await started(cluster, "w1", chaos_suspend="before-changelog:5", **brief)
    feeding = await stopped_at_work(cluster, lines, first)
    # Not before: the other one could have taken its work away.
    await started(cluster, "w2", **brief)
    await wait_for_owners(cluster.settings, {"w2": [0, 1, 2]})
    before = takeovers(first)
    first.resume()
    await taken_over_again(first, before)
    await feeding
    await cluster.drained()
    await cluster.corrected()
    await cluster.check(lines)
    assert first.process.poll() is None
