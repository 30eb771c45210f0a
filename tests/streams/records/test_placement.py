"""Where keys belong, and that users who lie elsewhere are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import faust
import orjson
import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st
from support.encoders import HashEncoder
from support.runs import quick_settings, work
from support.shoppers import BASE, random_lines

from features.users.codec import encode
from features.users.state import UserState
from streams.broker.connection import new_producer
from streams.contract import CLICKS, ERASURES, topic_name
from streams.records.placement import MisplacedKeyError, check_record, check_state, murmur2, partition_of_key
from streams.settings import Settings
from streams.telemetry.tally import Fate
from streams.worker.applying import partition as partition_module
from streams.worker.flow import Flow
from streams.worker.stage_spec import USERS
from streams.worker.state.state_table import StateTable

PARTITIONS = 3


@given(st.binary(max_size=300))
def test_the_hash_is_that_of_kafkas_own_clients(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_aiokafka(key)


@pytest.mark.parametrize("partitions", [1, 3, 64])
def test_a_key_is_taken_in_its_own_partition_only(partitions: int) -> None:
    for key in (f"u{number}".encode() for number in range(100)):
        for number in range(partitions):
            if number == partition_of_key(key, partitions):
                check_record(key, number, partitions, "clicks-0, offset 1")
                check_state(key, number, partitions, "changelog")
            else:
                with pytest.raises(MisplacedKeyError):
                    check_record(key, number, partitions, "clicks-0, offset 1")
                with pytest.raises(MisplacedKeyError):
                    check_state(key, number, partitions, "changelog")


def test_the_refusal_says_what_is_left_to_do_and_nothing_of_the_user() -> None:
    elsewhere = (partition_of_key(b"somebody", 8) + 1) % 8
    for check, place in ((check_record, "clicks-5, offset 17"), (check_state, "users-changelog")):
        with pytest.raises(MisplacedKeyError) as refused:
            check(b"somebody", elsewhere, 8, place)
        line = str(refused.value)
        assert line.startswith(place)
        assert "start over behind a new WHEREWITHAL_TOPIC_PREFIX" in line
        assert "somebody" not in line
        assert "\n" not in line


def click(user: str, number: int) -> bytes:
    event = {"event_id": f"c{number}", "user_id": user, "item_id": "i", "action": "view", "timestamp": BASE}
    return orjson.dumps(event)


async def send(settings: Settings, topic: str, partition: int, user: str, value: bytes) -> None:
    producer = new_producer(settings)
    await producer.start()
    try:
        await producer.send_and_wait(topic_name(settings, topic), value, key=user.encode(), partition=partition)
    finally:
        await producer.stop()


@pytest.mark.parametrize("topic", [CLICKS, ERASURES])
async def test_a_record_in_a_partition_that_is_not_its_keys_ends_the_worker_uncommitted(
    tmp_path: Path, topic: str
) -> None:
    async with Flow(quick_settings(tmp_path, partitions=PARTITIONS), encoder=HashEncoder()) as flow:
        elsewhere = (partition_of_key(b"u", PARTITIONS) + 1) % PARTITIONS
        value = click("u", 1) if topic == CLICKS else orjson.dumps({"user_id": "u", "timestamp": BASE})
        await send(flow.settings, topic, elsewhere, "u", value)
        with pytest.raises(MisplacedKeyError, match=f"^{topic}-{elsewhere}, offset 0: expected a key of partition"):
            await flow.wait()
        assert flow.tally.fates[Fate.APPLIED] == 0


async def test_a_state_in_a_partition_that_is_not_its_users_ends_the_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = faust.App("placement-test", broker="memory://", datadir=tmp_path)
    settings = quick_settings(tmp_path, partitions=PARTITIONS)
    table = StateTable(app, settings, USERS, on_recovered=lambda _: None, on_erased=lambda *_: None)
    record = SimpleNamespace(key=b"u", value=encode(UserState()))

    def batch(number: int) -> SimpleNamespace:
        return SimpleNamespace(topic="c", partition=number, value=[record], offset=0)

    own = partition_of_key(b"u", PARTITIONS)
    table.take_in(batch(own))
    assert table.states.read(own, b"u") == record.value
    elsewhere = (own + 1) % PARTITIONS
    with pytest.raises(MisplacedKeyError, match=f"-users-changelog-{elsewhere}: .* found one of partition {own}"):
        table.take_in(batch(elsewhere))


async def test_the_place_of_a_user_is_looked_at_once_while_the_user_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []

    def look(key: bytes, partitions: int) -> int:
        looked.append(key)
        return partition_of_key(key, partitions)

    monkeypatch.setattr(partition_module, "partition_of_key", look)
    async with Flow(quick_settings(tmp_path, partitions=PARTITIONS), encoder=HashEncoder()) as flow:
        await work(flow, random_lines(seed=1, events=200, users=20))
        assert flow.tally.fates[Fate.APPLIED] == 200
    assert len(looked) == len(set(looked)) > 0
