"""Both stages in one worker, each alone, and what keeps them from starting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.brokers import Broker
from support.shoppers import random_lines

from streams.broker.publisher import Publisher
from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.provisioning import make_topics
from streams.contract import FACTS, items_changelog_name, topic_name
from streams.exceptions import BrokerError, LocalStateError, StateMismatchError
from streams.item_settings import Stages
from streams.operating.read_back import known_items, served_items
from streams.records.outgoing import Outgoing
from streams.settings import Settings, StateStore
from streams.worker.flow import Flow


def shop(events: int = 300, users: int = 12, items: int = 9) -> list[dict[str, Any]]:
    """Events of several items."""
    lines = random_lines(seed=7, events=events, users=users)
    for number, line in enumerate(lines):
        if "item_id" in line["value"]:
            line["value"]["item_id"] = f"item-{number % items}"
    return lines


def settings_of(folder: Path, broker: Broker, **changes: Any) -> Settings:
    return quick_settings(folder, broker=broker.url, items=True, **changes)


def views(flow: Flow) -> dict[str, Any]:
    served = served_items(flow.settings, known_items(flow))
    return {row.pop("item_id"): row for row in served}


async def test_both_stages_in_one_worker_apply_every_fact_once(tmp_path: Path, broker: Broker) -> None:
    lines = shop()
    async with Flow(settings_of(tmp_path, broker), encoder=HashEncoder()) as flow:
        await work(flow, lines)
        tally = flow.tally
        assert tally.facts_sent == tally.facts_applied > 200
        first = await asyncio.to_thread(views, flow)
        assert first.keys() == {f"item-{number}" for number in range(9)}
        assert sum(row["revision"] for row in first.values()) == tally.facts_applied
        assert all(any(row["title_vector"]) for row in first.values() if row["title"] == "Blue Train, 180 g vinyl")
    async with Flow(settings_of(tmp_path, broker), encoder=HashEncoder()) as again:
        await work(again, lines[:1])
        assert await asyncio.to_thread(views, again) == first, "recovered from the changelog, and from nothing twice"


async def test_a_stage_alone_takes_up_what_the_other_left(tmp_path: Path, broker: Broker) -> None:
    settings = settings_of(tmp_path, broker, stages=Stages.USERS)
    lines = shop(events=60)
    async with Flow(settings, encoder=HashEncoder()) as users:
        await work(users, lines)
        sent = users.tally.facts_sent
        assert users.items is None
        assert sent > 0
    later = settings.model_copy(update={"stages": Stages.ITEMS, "start_from": "latest"})
    async with asyncio.timeout(PATIENCE_S), Flow(later, encoder=HashEncoder()) as items:
        while items.tally.facts_applied < sent:
            assert items.failed_with is None
            await asyncio.sleep(0.05)
        assert items.republishers[0] is None
        with pytest.raises(LookupError, match="found one of items alone"):
            _ = items.engine
        assert items.tally.facts_applied == sent, "whatever WHEREWITHAL_START_FROM says"


async def test_a_state_folder_serves_one_worker_of_each_stage_and_no_second_one(tmp_path: Path, broker: Broker) -> None:
    kept = settings_of(tmp_path / "state", broker, state_store=StateStore.ROCKSDB)
    alone = kept.model_copy(update={"stages": Stages.ITEMS})
    users = Flow(kept.model_copy(update={"stages": Stages.USERS}), encoder=HashEncoder())
    async with users, Flow(alone, encoder=HashEncoder()):
        with pytest.raises(LocalStateError, match=r"state/items in use by another"):
            await Flow(alone, encoder=HashEncoder()).__aenter__()
        with pytest.raises(LocalStateError, match=r"state in use by another"):
            await Flow(kept, encoder=HashEncoder()).__aenter__()


async def test_facts_with_another_number_of_partitions_are_refused(tmp_path: Path, broker: Broker) -> None:
    settings = settings_of(tmp_path, broker)
    await make_topics(settings.model_copy(update={"items": False}))
    async with Admin(settings) as admin:
        await admin.create([Made(topic_name(settings, FACTS), settings.partitions + 2, 1, {})])
    for stages in Stages:
        with pytest.raises((BrokerError, StateMismatchError), match=topic_name(settings, FACTS)) as refused:
            await Flow(settings.model_copy(update={"stages": stages}), encoder=HashEncoder()).__aenter__()
        assert "\n" not in str(refused.value)


async def test_without_items_nothing_is_sent_and_no_topic_made(tmp_path: Path, broker: Broker) -> None:
    settings = quick_settings(tmp_path, broker=broker.url, items=False)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, shop(events=30))
        assert flow.tally.facts_sent == 0
        assert len(flow.stages) == 1
    names = [topic_name(settings, FACTS), items_changelog_name(settings)]
    assert await partition_counts(settings, names) == {}


async def test_a_message_of_a_newer_release_ends_the_worker_in_one_line(tmp_path: Path, broker: Broker) -> None:
    settings = settings_of(tmp_path, broker)
    async with asyncio.timeout(PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
        publisher = Publisher(flow.settings)
        await publisher.start()
        sent = await publisher.send(topic_name(settings, FACTS), 0, [Outgoing(None, b"\xfenewer")])
        await sent.acknowledged()
        await publisher.stop()
        with pytest.raises(StateMismatchError, match="upgrade the workers of the item stage") as refused:
            await flow.wait()
    assert "\n" not in str(refused.value)
