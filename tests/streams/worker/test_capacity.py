"""Capacity, published by a whole worker: beside the scores, off by default, and gone with the user either way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.artefacts import capacity_artefact
from support.encoders import HashEncoder
from support.oracle import assert_capacity
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import BASE, random_lines

from streams.broker.reading import read_topic
from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.counts import partition_counts
from streams.contract import CAPACITY, SCORES, topic_name
from streams.operating.erasing.erasing import erase
from streams.operating.read_back import served_capacity
from streams.records.events import Erasure
from streams.settings import Settings
from streams.worker.flow import Flow
from streams.worker.republishing.sweeping import Sweep

pytestmark = pytest.mark.usefixtures("broker")
USERS = [f"u{number}" for number in range(12)]
TRIES = 5
"""A machine that stands still for longer than a session costs a worker its partitions, and a test its premise."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "capacity"
    capacity_artefact(least_evidence=2).save(folder)
    return quick_settings(tmp_path, capacity_artefact=str(folder))


def purchase(user: str, number: int) -> dict[str, Any]:
    value = {"event_id": f"p{number}", "user_id": user, "item_id": "i", "action": "purchase", "price": 20 + number}
    return {"topic": "clicks", "value": value | {"timestamp": BASE + number, "order_id": f"o{number}"}}


def purchases(users: Sequence[str], each: int) -> list[dict[str, Any]]:
    return [purchase(user, number) for number in range(each) for user in users]


async def log_of(settings: Settings, topic: str) -> list[tuple[str, Any]]:
    """Every user and record of a topic, None for a tombstone, one partition after the other."""
    found = [record async for records in read_topic(settings, topic_name(settings, topic)) for record in records]
    found.sort(key=lambda record: (record.partition, record.offset))
    return [(record.key.decode(), record.value and orjson.loads(record.value)) for record in found]


async def test_the_last_record_of_every_user_is_the_artefacts_word_on_the_reference(settings: Settings) -> None:
    lines = random_lines(seed=17, events=400, users=12)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, lines)
        await assert_capacity(flow.settings, lines)
        scores, capacity = [dict(await log_of(flow.settings, topic)) for topic in (SCORES, CAPACITY)]
        served = served_capacity(flow.settings, sorted(capacity))
    assert scores.keys() == capacity.keys()
    rows = {row["user_id"]: row for row in served}
    for user, record in capacity.items():
        ranks = [
            [one[name] for name in ("life", "revision", "event_time", "emitted_at")] for one in (scores[user], record)
        ]
        assert ranks[0] == ranks[1]
        assert rows[user] == {name: record[name] for name in ("user_id", "capacity", "prediction", "band")} | {
            "scorer": record["model"]["scorer"],
            "encoder": record["model"]["encoder"],
            "evidence": record["evidence"],
            "revision": record["revision"],
        }
    assert {record["band"] for record in capacity.values()} > {"unknown"}, "some users have evidence, some have not"


async def test_switched_off_an_erasure_still_clears_what_was_published_before(settings: Settings) -> None:
    async with Flow(settings, encoder=HashEncoder()) as flow:
        broker = flow.settings.broker
        await work(flow, purchases(USERS, 3))
    off = settings.model_copy(update={"capacity_artefact": "", "broker": broker})
    async with Flow(off, encoder=HashEncoder()) as flow:
        before = await log_of(flow.settings, CAPACITY)
        await work(flow, purchases(USERS[:1], 4))
        assert await log_of(flow.settings, CAPACITY) == before, "nothing is published"
        assert served_capacity(flow.settings, USERS[:1])[0]["evidence"] == 3
        receipt = await erase(flow.settings, Erasure("u0", BASE + 10), PATIENCE_S)
        gone = await log_of(flow.settings, CAPACITY)
        left = served_capacity(flow.settings, USERS)
    assert receipt.verified
    assert receipt.removed[CAPACITY].facts == {"tombstone": True}
    assert "purchasing_capacity" in receipt.removed["online_store"].facts["views"]
    assert [entry.holds for entry in receipt.kept if entry.place == CAPACITY] == [
        "older estimates of the user's capacity",
        "the tombstone, which names the user",
    ]
    assert [entry for entry in gone if entry not in before] == [("u0", None)]
    assert [row["user_id"] for row in left] == sorted(USERS[1:], key=USERS.index)


async def test_where_none_was_ever_estimated_there_is_no_topic_and_no_word_of_it(settings: Settings) -> None:
    async with Flow(settings.model_copy(update={"capacity_artefact": ""}), encoder=HashEncoder()) as flow:
        await work(flow, purchases(USERS[:1], 1))
        receipt = await erase(flow.settings, Erasure("u0", BASE + 10), PATIENCE_S)
        assert await partition_counts(flow.settings, [topic_name(settings, CAPACITY)]) == {}
    assert receipt.verified
    assert CAPACITY not in receipt.removed
    assert CAPACITY not in {entry.place for entry in receipt.kept}


async def test_a_topic_that_somebody_else_made_with_fewer_partitions_holds_up_no_erasure(settings: Settings) -> None:
    async with Flow(settings.model_copy(update={"capacity_artefact": ""}), encoder=HashEncoder()) as flow:
        async with Admin(flow.settings) as admin:
            await admin.create([Made(topic_name(settings, CAPACITY), 1, 1, {})])
        await work(flow, purchases(USERS, 1))
        receipts = [await erase(flow.settings, Erasure(user, BASE + 10), PATIENCE_S) for user in USERS]
        log = await log_of(flow.settings, CAPACITY)
    assert all(receipt.verified for receipt in receipts)
    assert {value for _, value in log} == {None}
    assert {user for user, _ in log} == {receipt.request.user_id for receipt in receipts if CAPACITY in receipt.removed}


async def test_a_changed_artefact_is_taken_on_and_everybody_is_estimated_anew(settings: Settings) -> None:
    changed = capacity_artefact(intercept=2.0, least_evidence=1)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, purchases(USERS, 1))
        assert {record["band"] for _, record in await log_of(flow.settings, CAPACITY)} == {"unknown"}
        changed.save(Path(settings.capacity_artefact))
        flow.reload()
        async with asyncio.timeout(PATIENCE_S):
            while {row["scorer"] for row in served_capacity(flow.settings, USERS)} != {changed.version}:
                await asyncio.sleep(0.05)
        # A row may be stored before the broker has its record.
        await flow.engine.held.settle()
        replace(changed, encoder_identity="another@0123456789ab").save(Path(settings.capacity_artefact))
        flow.reload()
        refused = flow.metrics.artefact_refused.labels("capacity")._value
        async with asyncio.timeout(PATIENCE_S):
            while not refused.get():
                await asyncio.sleep(0.05)
        assert flow.engine.equipment.emitter.estimating is not None
        assert flow.engine.equipment.emitter.estimating.version == changed.version
        last = dict(await log_of(flow.settings, CAPACITY))
    assert {record["model"]["scorer"] for record in last.values()} == {changed.version}
    assert {record["evidence"] for record in last.values()} == {1}
    assert not {record["band"] for record in last.values()} & {"unknown"}


async def published_again(flow: Flow) -> bool:
    """Publish everybody again; return whether the worker kept its partitions meanwhile."""
    sweep = Sweep(lambda: flow.engine.partitions, None, lambda _: None, erased=True)
    return all([await sweep.everybody(partition) for partition in list(flow.engine.partitions.values())])


async def test_publishing_everybody_again_covers_capacity(settings: Settings) -> None:
    for attempt in range(TRIES):
        own = {"topic_prefix": f"{settings.topic_prefix}{attempt}-", "state_dir": settings.state_dir / str(attempt)}
        async with Flow(settings.model_copy(update=own), encoder=HashEncoder()) as flow:
            serial = flow.engine.assignment.serial
            await work(flow, purchases(USERS, 2))
            before = len(await log_of(flow.settings, CAPACITY))
            kept = await published_again(flow)
            records = await log_of(flow.settings, CAPACITY)
            if kept and flow.engine.assignment.serial == serial:
                break
    else:
        pytest.fail(f"the worker lost partitions in each of {TRIES} attempts")
    assert len(records) == before + len(USERS)
    assert {user for user, _ in records} == set(USERS)
