"""Nothing is copied while the source changes, or over what somebody else has written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from support.command import refused
from support.deployments import (
    assert_copied,
    copy_of,
    deployment,
    environment_of,
    filled,
    silent,
    state_of,
    states_of,
    write,
)
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.servers.brokers import Broker

from streams.broker.topics.counts import partition_counts
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, SEARCHES, changelog_name, topic_name
from streams.exceptions import BrokerError, StateMismatchError
from streams.name_settings import group_name, name_of
from streams.operating.repartitioning import standstill
from streams.operating.repartitioning.claim import TakenTargetError
from streams.operating.repartitioning.copying import Copied, Copying
from streams.operating.repartitioning.repartitioning import repartition
from streams.operating.repartitioning.standstill import NotStillError
from streams.operating.repartitioning.tables import States, Table
from streams.worker.flow import Flow


def test_nothing_is_copied_while_records_are_left_to_do(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    asyncio.run(filled(old, 5))
    asyncio.run(write(old, topic_name(old, SEARCHES), [("user-1", b"{}"), ("user-1", b"{}")]))
    words = ("repartition", "--partitions", 3, "--to-prefix", f"{old.topic_prefix}new-")
    line = refused(1, *words, **environment_of(old))
    assert "found 2 records to do" in line
    assert topic_name(old, SEARCHES) in line
    names = [changelog_name(copy_of(old, "new", 3))]
    assert asyncio.run(partition_counts(old, names)) == {}


async def test_nothing_is_copied_while_a_worker_runs(
    broker: Broker, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.config.getoption("broker") != "kafka":
        pytest.skip("the embedded broker does not tell who is in a group")
    monkeypatch.setattr(standstill, "SESSION_SHARE", 0.0)
    old = deployment(broker, tmp_path, "old", 2)
    # Patient with the worker alone: the command waits a session of its own settings for members to leave.
    patient = old.model_copy(update={"session_timeout_s": PATIENCE_S})
    async with Flow(patient, encoder=HashEncoder()) as flow:
        with pytest.raises(NotStillError, match="expected no worker in the group"):
            await repartition(old, copy_of(old, "new", 3), silent)
        assert flow.engine.partitions.keys() == {0, 1}


async def test_a_worker_cannot_start_in_the_middle(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 20)
    reached, goes_on, copy = asyncio.Event(), asyncio.Event(), Copying.copy

    async def held(copying: Copying, table: Table) -> Copied:
        reached.set()
        await goes_on.wait()
        return await copy(copying, table)

    monkeypatch.setattr(Copying, "copy", held)
    copies = asyncio.create_task(repartition(old, new, silent))
    await asyncio.wait({asyncio.create_task(reached.wait()), copies}, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(BrokerError, match="wait until a `repartition` that is under way has ended"):
        async with Flow(old, encoder=HashEncoder()):
            pass
    goes_on.set()
    await copies
    await assert_copied(old, new)


async def test_a_record_that_comes_in_the_middle_ends_the_copying(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    await filled(old, 20)

    copy = Copying.copy

    async def publishing(copying: Copying, table: Table) -> Copied:
        await write(old, topic_name(old, CLICKS), [("user-1", b"{}")])
        return await copy(copying, table)

    monkeypatch.setattr(Copying, "copy", publishing)
    # Whoever watches meanwhile finds it, or the look at its end does.
    with pytest.raises(NotStillError):
        await repartition(old, copy_of(old, "new", 3), silent)


async def test_a_worker_that_goes_on_from_half_a_copy_is_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 20)
    copy = Copying.copy

    async def behind_a_worker(copying: Copying, table: Table) -> Copied:
        if isinstance(table, States):
            async with Flow(new, encoder=HashEncoder()):
                pass
        return await copy(copying, table)

    monkeypatch.setattr(Copying, "copy", behind_a_worker)
    with pytest.raises(TakenTargetError, match=r"expected (a group .* that has never read|no worker in the group)"):
        await repartition(old, new, silent)


@pytest.mark.parametrize("holding", ["users-changelog", "purchasing-power", "clicks", "dead-letters"])
async def test_topics_that_hold_something_else_are_left_as_they_are(
    broker: Broker, tmp_path: Path, holding: str
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await make_topics(new)
    await write(new, name_of(new, holding), [("somebody", state_of(1))])
    with pytest.raises(TakenTargetError, match="to be empty"):
        await repartition(old, new, silent)
    assert len(await states_of(new)) == (1 if holding == "users-changelog" else 0)


async def test_a_copy_of_another_deployment_is_something_else(broker: Broker, tmp_path: Path) -> None:
    old, other = deployment(broker, tmp_path, "old", 2), deployment(broker, tmp_path, "other", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await filled(other, 7)
    await repartition(other, new, silent)
    with pytest.raises(TakenTargetError, match="found other records"):
        await repartition(old, new, silent)
    assert len(await states_of(new)) == 7


async def test_a_copy_that_workers_have_gone_on_from_is_left_as_it_is(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await repartition(old, new, silent)
    async with Flow(new, encoder=HashEncoder()):
        pass
    with pytest.raises(TakenTargetError, match=r"expected (a group .* that has never read|no worker in the group)"):
        await repartition(old, new, silent)


async def test_topics_with_another_number_of_partitions_are_left_as_they_are(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await make_topics(new.model_copy(update={"partitions": 5}))
    with pytest.raises(TakenTargetError, match=r"expected 3 partitions of .*, found 5"):
        await repartition(old, new, silent)


@pytest.mark.parametrize(
    ("states", "settled", "said"),
    [(0, 1, "is empty, but the group has committed"), (1, 5, "the topic was made anew")],
    ids=["changelog", "input"],
)
async def test_a_source_of_which_a_topic_was_made_anew_is_not_copied(
    broker: Broker, tmp_path: Path, states: int, settled: int, said: str
) -> None:
    old = deployment(broker, tmp_path, "old", 1)
    await make_topics(old)
    await write(old, topic_name(old, CLICKS), [("user-1", b"{}")])
    await write(old, changelog_name(old), [("user-1", state_of(1))] * states)
    clicks = TopicPartition(topic_name(old, CLICKS), 0)
    group = AIOKafkaConsumer(
        bootstrap_servers=old.bootstrap_servers, group_id=group_name(old), enable_auto_commit=False
    )
    group.assign([clicks])
    await group.start()
    await group.commit({clicks: settled})
    await group.stop()
    with pytest.raises(StateMismatchError, match=said):
        await repartition(old, copy_of(old, "new", 2), silent)
