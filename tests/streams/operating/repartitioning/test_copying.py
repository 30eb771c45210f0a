"""What is copied, and what becomes of a run that cannot end."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from rocksdb.errors import RocksIOError
from support.command import here, refused
from support.deployments import (
    assert_copied,
    copy_of,
    deployment,
    environment_of,
    filled,
    silent,
    state_of,
    write,
)
from support.servers.brokers import Broker

from features.users.codec import moved
from streams.broker.publisher import Publisher, Sent
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import changelog_name
from streams.exceptions import StateMismatchError
from streams.operating.repartitioning import copying
from streams.operating.repartitioning.copying import CopyMismatchError
from streams.operating.repartitioning.newest import Newest
from streams.operating.repartitioning.repartitioning import Repartitioned, repartition
from streams.operating.repartitioning.tables import States
from streams.records.outgoing import Outgoing


def test_of_each_user_the_newest_state_and_record_are_copied_and_tombstones_are_obeyed(
    broker: Broker, tmp_path: Path
) -> None:
    old = deployment(broker, tmp_path, "old", 3)
    new = copy_of(old, "new", 4)

    async def copied() -> Repartitioned:
        await filled(old, 200)
        done = await repartition(old, new, silent)
        await assert_copied(old, new)
        ends = await high_watermarks(new, [TopicPartition(changelog_name(new), number) for number in range(4)])
        assert sum(ends.values()) == 201, "each user once, and the claim"
        return done

    done = asyncio.run(copied())
    assert [(table.what, table.digest.rows) for table in done.tables] == [("states", 200), ("scores", 180)]


class Failing:
    """Has a publisher fail once it has sent so often."""

    def __init__(self, sends: int, error: Exception) -> None:
        self.sends = sends
        self._error = error
        self._send = Publisher.send

    def install(self, patch: pytest.MonkeyPatch) -> None:
        async def send(publisher: Publisher, topic: str, partition: int, records: Sequence[Outgoing]) -> Sent:
            self.sends -= 1
            if self.sends < 0:
                raise self._error
            return await self._send(publisher, topic, partition, records)

        patch.setattr(Publisher, "send", send)


@pytest.mark.parametrize("sends", [0, 3, 5], ids=["nothing", "states", "scores"])
def test_a_run_that_loses_the_broker_says_so_in_a_line_and_the_next_one_ends_well(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sends: int
) -> None:
    monkeypatch.setattr(copying, "_SLICE_ROWS", 50)
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    asyncio.run(filled(old, 60))
    words = ("repartition", "--partitions", 3, "--to-prefix", new.topic_prefix)
    with pytest.MonkeyPatch.context() as patch:
        Failing(sends, KafkaConnectionError()).install(patch)
        assert "broker" in refused(1, *words, **environment_of(old))
    # In between the old workers went on.
    asyncio.run(write(old, changelog_name(old), [("user-1", state_of(1, 9)), ("somebody-new", state_of(2, 4))]))
    code, out, err = here(*words, "--json", **environment_of(old))
    assert code == 0, err
    assert json.loads(out)["states"]["count"] == 61
    asyncio.run(assert_copied(old, new))


def test_a_disk_without_room_is_told_in_a_line_and_nothing_is_left_there(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    asyncio.run(filled(old, 20))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ("repartition", "--partitions", 3, "--to-prefix", f"{old.topic_prefix}new-")

    def full(*_: object) -> None:
        raise RocksIOError(b"IO error: No space left on device: While appending: No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Newest, "_write", full)
        assert "found No space left on device" in refused(1, *words, **environment_of(old))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert "found No such file or directory" in refused(1, *words, **environment_of(old))
    assert not list(tmp_path.glob("wherewithal-*"))


async def test_what_is_no_state_is_named_by_its_place(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 1)
    await filled(old, 5)
    await write(old, changelog_name(old), [("user-1", b"\x63damaged")])
    with pytest.raises(StateMismatchError, match=rf"^{changelog_name(old)}-0, offset 10: expected"):
        await repartition(old, copy_of(old, "new", 3), silent)


async def test_a_copy_that_differs_is_found_out(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment(broker, tmp_path, "old", 1)
    await filled(old, 5)
    monkeypatch.setattr(States, "moved", lambda _self, value, epoch: moved(state_of(1, 8), epoch))
    with pytest.raises(CopyMismatchError, match=r"expected 5 states with the digest .*, found 5 with"):
        await repartition(old, copy_of(old, "new", 3), silent)
