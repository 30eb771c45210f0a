"""Another number of partitions: the copy goes on where the old topics ended, and nobody sees a step."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from rocksdb.errors import RocksIOError
from support.command import here, refused
from support.encoders import HashEncoder
from support.oracle import assert_same
from support.plain_feast import served_features
from support.runs import quick_settings, work
from support.servers.brokers import Broker
from support.shop import shop
from support.shoppers import BASE

from features.codec import decode, encode, moved, order, substance
from features.observation import Kind, Observation, Source
from features.state import NO_OFFSET, UserState
from streams.broker.publisher import Publisher, Sent
from streams.broker.reading import read_topic
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, SCORES, SEARCHES, changelog_name, topic_name
from streams.exceptions import BrokerError, StateMismatchError
from streams.name_settings import name_of
from streams.operating.read_back import Scores, known_users, last_scores
from streams.operating.repartitioning import copying
from streams.operating.repartitioning.claim import TakenTargetError
from streams.operating.repartitioning.copying import Copied, Copying, CopyMismatchError
from streams.operating.repartitioning.newest import Newest
from streams.operating.repartitioning.repartitioning import Repartitioned, repartition
from streams.operating.repartitioning.standstill import NotStillError
from streams.operating.repartitioning.tables import States, Table
from streams.operating.repartitioning.target import settings_behind
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings
from streams.worker.flow import Flow

USERS, DAYS = 40, 60


def silent(what: str, done: int, of: int | None) -> None:
    """Nobody looks at the progress."""


def deployment(broker: Broker, folder: Path, name: str, partitions: int) -> Settings:
    return quick_settings(
        folder / name,
        broker=broker.url,
        topic_prefix=f"{broker.topic_prefix}{name}-",
        partitions=partitions,
        online_store=f"sqlite:///{folder / name}.db",
    )


def copy_of(settings: Settings, name: str, partitions: int) -> Settings:
    """The settings of a copy, as an operator has them: other names, another folder, the same online store."""
    target = settings_behind(settings, f"{settings.topic_prefix}{name}-", {}, partitions)
    return target.model_copy(update={"state_dir": settings.state_dir.with_name(f"{settings.state_dir.name}-{name}")})


def history() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of a shop before and after a cut, with erasures before it and repeated events after it."""
    lines = list(shop(USERS, DAYS, seed=5, visits_per_month=4))
    cut = len(lines) // 2
    newest = lines[cut - 1]["value"]["timestamp"]
    erasures = [
        {"topic": "erasures", "value": {"user_id": user, "timestamp": newest}}
        for user in sorted({line["value"]["user_id"] for line in lines[:cut]})[:5]
    ]
    return lines[:cut] + erasures, lines[cut - 50 : cut] + lines[cut:]


async def worked(settings: Settings, *parts: list[dict[str, Any]]) -> list[str]:
    """Have a worker apply parts of a history, then end; return the users it knows."""
    async with Flow(settings, encoder=HashEncoder()) as flow:
        for part in parts:
            await work(flow, part)
        return known_users(flow)


@dataclass(frozen=True)
class Shown:
    """What readers see of users."""

    features: dict[str, dict[str, Any]]
    scores: Scores

    @property
    def lives(self) -> dict[str, int]:
        return {user: score["life"] for user, score in self.scores.items()}


async def shown(settings: Settings, users: list[str]) -> Shown:
    rows = await asyncio.to_thread(served_features, settings, settings.state_dir / "feast", users)
    return Shown({row["user_id"]: row for row in rows}, await last_scores(settings))


async def states(settings: Settings) -> dict[bytes, tuple[int, bytes]]:
    """The partition and the newest state of each user in a changelog."""
    found: dict[bytes, tuple[int, bytes]] = {}
    async for records in read_topic(settings, changelog_name(settings)):
        for record in records:
            if record.value is not None:
                known = found.get(record.key)
                if known is None or order(record.value) >= order(known[1]):
                    found[record.key] = record.partition, record.value
    return found


@pytest.mark.parametrize(("before", "after"), [(4, 12), (4, 2)])
def test_the_copy_goes_on_as_if_it_had_had_its_partitions_from_the_start(
    broker: Broker, tmp_path: Path, before: int, after: int
) -> None:
    first, second = history()
    old = deployment(broker, tmp_path, "old", before)
    new = copy_of(old, "new", after)
    other = deployment(broker, tmp_path, "other", after)

    async def both() -> None:
        await worked(old, first)
        done = await repartition(old, new, silent)
        assert {table.what: table.digest.rows for table in done.tables} == {
            "states": len(await states(old)),
            "scores": len(await last_scores(old)),
        }
        users = await worked(new, second)
        assert users == await worked(other, first, second)
        one, another = await shown(new, users), await shown(other, users)
        assert_same(one, another)
        assert one.lives == another.lives

    asyncio.run(both())


def test_readers_of_scores_find_everybody_before_a_worker_runs(broker: Broker, tmp_path: Path) -> None:
    first, _ = history()
    old = deployment(broker, tmp_path, "old", 4)
    new = copy_of(old, "new", 7)

    async def read() -> tuple[Scores, Scores]:
        await worked(old, first)
        await repartition(old, new, silent)
        return await last_scores(old), await last_scores(new)

    before, after = asyncio.run(read())
    assert len(before) > USERS // 2
    assert after == before


def test_states_lie_by_key_above_every_epoch_before_and_have_applied_nothing(broker: Broker, tmp_path: Path) -> None:
    first, _ = history()
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 5)

    async def copied() -> tuple[list[int], dict[bytes, tuple[int, bytes]], dict[bytes, tuple[int, bytes]]]:
        await worked(old, first)
        # Owners that write no state, but may have written rows.
        async with Flow(old, encoder=HashEncoder()):
            pass
        async with Flow(old, encoder=HashEncoder()) as flow:
            epochs = [partition.epoch for partition in flow.engine.partitions.values()]
        await repartition(old, new, silent)
        return epochs, await states(old), await states(new)

    epochs, before, after = asyncio.run(copied())
    assert after.keys() == before.keys()
    for key, (number, data) in after.items():
        state, known = decode(data), decode(before[key][1])
        assert number == partition_of_key(key, 5)
        assert state.epoch > max(epochs)
        assert state.offsets == [NO_OFFSET] * 4
        assert (state.sequence, state.life, state.revision) == (known.sequence, known.life, known.revision)


def state(number: int, sequence: int = 3) -> bytes:
    """The state of somebody with some events, and every tenth of whom was erased."""
    known = UserState()
    for offset in range(sequence):
        known.apply(
            Observation(Kind.VIEW, Source.CLICKS, offset, BASE + number, offset.to_bytes(8, "big")), "an-encoder"
        )
    if number % 10 == 0:
        known.erase(BASE + number, 7, Source.ERASURES)
    known.epoch = 5
    return encode(known)


def score(user: str, revision: int = 3) -> bytes:
    rank = {"life": 0, "revision": revision, "event_time": BASE, "emitted_at": BASE}
    return orjson.dumps({"user_id": user, "score": 50.0} | rank)


async def write(settings: Settings, topic: str, records: Iterable[tuple[str, bytes | None]]) -> None:
    """Append records to a topic, each in the partition of its key."""
    by_partition: defaultdict[int, list[Outgoing]] = defaultdict(list)
    for user, value in records:
        by_partition[partition_of_key(user.encode(), settings.partitions)].append(Outgoing(user.encode(), value))
    publisher = Publisher(settings)
    await publisher.start()
    for number, some in by_partition.items():
        await (await publisher.send(topic, number, some)).acknowledged()
    await publisher.stop()


async def filled(settings: Settings, users: int) -> None:
    """Make the topics of a deployment that has known these users for long, its inputs empty."""
    await make_topics(settings)
    names = [f"user-{number}" for number in range(users)]
    changelog, scores = changelog_name(settings), topic_name(settings, SCORES)
    # Every state has an earlier one, as in a log that is not compacted yet.
    await write(settings, changelog, [(user, state(number, 2)) for number, user in enumerate(names)])
    await write(settings, changelog, [(user, state(number)) for number, user in enumerate(names)])
    await write(settings, scores, [(user, score(user)) for number, user in enumerate(names) if number % 10])
    await write(
        settings, scores, [(user, None if number % 10 == 0 else score(user, 2)) for number, user in enumerate(names)]
    )


def substances(found: dict[bytes, tuple[int, bytes]]) -> dict[bytes, bytes]:
    return {key: substance(data) for key, (_, data) in found.items()}


async def assert_copied(old: Settings, new: Settings) -> None:
    assert substances(await states(new)) == substances(await states(old))
    assert await last_scores(new) == await last_scores(old)


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
        assert "broker" in refused(1, *words, **command(old))
    # In between the old workers went on.
    asyncio.run(write(old, changelog_name(old), [("user-1", state(1, 9)), ("somebody-new", state(2, 4))]))
    code, out, err = here(*words, "--json", **command(old))
    assert code == 0, err
    assert json.loads(out)["states"]["count"] == 61
    asyncio.run(assert_copied(old, new))


def command(settings: Settings) -> dict[str, str]:
    """The environment of a command with these settings."""
    return {
        "WHEREWITHAL_BROKER": settings.broker,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_PARTITIONS": str(settings.partitions),
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_REQUEST_TIMEOUT_S": "10",
        "WHEREWITHAL_STATE_DIR": str(settings.state_dir),
    }


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
        assert "found No space left on device" in refused(1, *words, **command(old))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert "found No such file or directory" in refused(1, *words, **command(old))
    assert not list(tmp_path.glob("wherewithal-*"))


def test_nothing_is_copied_while_records_are_left_to_do(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    asyncio.run(filled(old, 5))
    asyncio.run(write(old, topic_name(old, SEARCHES), [("user-1", b"{}"), ("user-1", b"{}")]))
    words = ("repartition", "--partitions", 3, "--to-prefix", f"{old.topic_prefix}new-")
    line = refused(1, *words, **command(old))
    assert "found 2 records to do" in line
    assert topic_name(old, SEARCHES) in line
    names = [changelog_name(copy_of(old, "new", 3))]
    assert asyncio.run(partition_counts(old, names)) == {}


async def test_nothing_is_copied_while_a_worker_runs(
    broker: Broker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("broker") != "kafka":
        pytest.skip("the embedded broker does not tell who is in a group")
    old = deployment(broker, tmp_path, "old", 2)
    async with Flow(old, encoder=HashEncoder()) as flow:
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

    async def publishing(*_: object) -> None:
        await write(old, topic_name(old, CLICKS), [("user-1", b"{}")])
        await asyncio.Event().wait()

    monkeypatch.setattr(Copying, "copy", publishing)
    with pytest.raises(NotStillError, match="expected nothing new in the inputs, found 1 records"):
        await repartition(old, copy_of(old, "new", 3), silent)


@pytest.mark.parametrize("holding", ["users-changelog", "purchasing-power", "clicks", "dead-letters"])
async def test_topics_that_hold_something_else_are_left_as_they_are(
    broker: Broker, tmp_path: Path, holding: str
) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await make_topics(new)
    await write(new, name_of(new, holding), [("somebody", state(1))])
    with pytest.raises(TakenTargetError, match="to be empty"):
        await repartition(old, new, silent)
    assert len(await states(new)) == (1 if holding == "users-changelog" else 0)


async def test_a_copy_of_another_deployment_is_something_else(broker: Broker, tmp_path: Path) -> None:
    old, other = deployment(broker, tmp_path, "old", 2), deployment(broker, tmp_path, "other", 2)
    new = copy_of(old, "new", 3)
    await filled(old, 5)
    await filled(other, 7)
    await repartition(other, new, silent)
    with pytest.raises(TakenTargetError, match="found other records"):
        await repartition(old, new, silent)
    assert len(await states(new)) == 7


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
    monkeypatch.setattr(States, "moved", lambda _self, value, epoch: moved(state(1, 8), epoch))
    with pytest.raises(CopyMismatchError, match=r"expected 5 states with the digest .*, found 5 with"):
        await repartition(old, copy_of(old, "new", 3), silent)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--partitions", 3, "--to-prefix", "{prefix}"), 2, "expected names that the present topics do not have"),
        (("--partitions", 0, "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", 10_001, "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", "many", "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", 3, "--to-prefix", "new/"), 2, "expected only letters"),
        (("--partitions", 3, "--to-prefix", "n" * 245), 2, "at most 249 characters"),
        (("--partitions", 3), 2, "--to-prefix"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clocks=x"), 2, "expected TOPIC=NAME"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clicks={prefix}clicks"), 2, "the present topics"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clicks=x", "--to-name", "reviews=x"), 2, "its own"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "group={prefix}wherewithal"), 2, "another group"),
        (("--partitions", 3, "--to-prefix", "new-"), 1, "expected a topic"),
    ],
    ids=range(12),
)
def test_what_cannot_be_done_is_refused_in_a_line(
    broker: Broker, words: tuple[object, ...], code: int, said: str
) -> None:
    filled_in = [str(word).format(prefix=broker.topic_prefix) for word in words]
    assert said in refused(code, "repartition", *filled_in, **broker.environment)


def test_the_words_at_the_end_name_what_changes(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    named = old.model_copy(update={"topic_clicks": f"{old.topic_prefix}shop.clicks", "group_id": "theirs"})
    asyncio.run(filled(named, 5))
    variables = command(named) | {
        "WHEREWITHAL_TOPIC_CLICKS": named.topic_clicks or "",
        "WHEREWITHAL_GROUP_ID": "theirs",
        "WHEREWITHAL_START_FROM": "latest",
    }
    prefix = f"{old.topic_prefix}new-"
    words = ("repartition", "--partitions", 3, "--to-prefix", prefix, "--to-name", f"reviews={prefix}shop.reviews")
    code, out, err = here(*words, **variables)
    assert code == 0, err
    for line in (
        f"WHEREWITHAL_TOPIC_PREFIX={prefix}",
        "unset WHEREWITHAL_GROUP_ID",
        "unset WHEREWITHAL_TOPIC_CLICKS",
        f"WHEREWITHAL_TOPIC_REVIEWS={prefix}shop.reviews",
        "unset WHEREWITHAL_START_FROM",
        "WHEREWITHAL_PARTITIONS=3",
        f"WHEREWITHAL_ONLINE_STORE={old.model_copy(update={'online_store': None}).online_url}",
        f"{named.topic_clicks} -> {prefix}clicks, partitions 3",
    ):
        assert line in [line.strip() for line in out.splitlines()]
    assert "5 states copied from 2 to 3 partitions" in out
