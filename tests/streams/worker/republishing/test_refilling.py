"""Rows that an online store has lost: whoever takes their partition over finds it out, and publishes them again."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter
from support.encoders import HashEncoder
from support.runs import Run, quick_settings, work
from support.served_again import click, lose_everything, one_click_each, take, until, worker
from support.shoppers import BASE

from features.exceptions import OnlineStoreError
from features.online.reading import items_of
from features.online.user_views import USERS
from features.users.entity import USER
from features.users.state import UserState
from streams.broker.embedded import EmbeddedBroker
from streams.records.placement import partition_of_key
from streams.settings import Settings, StateStore
from streams.worker.flow import Flow
from streams.worker.republishing import refilling
from streams.worker.republishing.refilling import SAMPLE_KEYS, Refiller

WARNING = "the online store lacks users, publishing all of them again"


def published_again(flow: Flow) -> float | None:
    return flow.metrics.registry.get_sample_value("wherewithal_republished_users_total")


async def looked_at(settings: Settings) -> tuple[Run, float | None]:
    """Have a worker look at its partitions; return what is served then, and how many it has published again."""
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await until(lambda: flow.engine.refiller.looked or flow.failed.done())
        return await take(flow, []), published_again(flow)


def lose(url: str, users: Sequence[str]) -> None:
    """Lose just these users, beneath the program."""
    keys = [(USERS.keys.encode(user),) for user in users]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.executemany(f'DELETE FROM "{table}" WHERE entity_key = ?', keys)
        connection.commit()


async def test_a_store_that_is_lost_with_the_local_state_is_filled_again(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path / "state", broker=broker.url, state_store=StateStore.ROCKSDB)
        erasure = {"topic": "erasures", "value": {"user_id": "gone", "timestamp": BASE + 1}}
        async with worker(settings, [*one_click_each(20), click("gone", 100), erasure]) as (_, before):
            pass
        shutil.rmtree(settings.state_dir)
        after, _ = await looked_at(settings)
    assert after.features == before.features
    assert len(after.features) == 20


async def test_a_store_that_lost_all_items_is_filled_with_them_again(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, items=True, broker=broker.url)
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await work(flow, one_click_each(3))
            lose_everything(settings.online_url)
            # A stage that had rows to write meanwhile tells of it for both.
            flow.users.online.on_return()
            await until(lambda: items_of(settings.online_url) == ["i"] or flow.failed.done())
            assert not flow.failed.done()
        lose_everything(settings.online_url)
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await until(lambda: items_of(settings.online_url) == ["i"] or flow.failed.done())
            assert not flow.failed.done()


async def test_whoever_takes_over_after_a_refill_that_was_cut_short_begins_it_anew(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(
            tmp_path / "state",
            broker=broker.url,
            online_store=f"sqlite:///{tmp_path / 'online.db'}",
            state_store=StateStore.ROCKSDB,
            partitions=1,
            # A slice of 100 users at once, the next one long after the test.
            refresh_users_per_s=1,
        )
        async with worker(settings, one_click_each(150)) as (_, before):
            pass
        lose_everything(settings.online_url)
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await until(lambda: (published_again(flow) or 0) >= 100 or flow.failed.done())
            assert not flow.engine.refiller.looked
        changes = {"state_dir": tmp_path / "of another worker", "refresh_users_per_s": 10_000}
        settings = settings.model_copy(update=changes)
        after, again = await looked_at(settings)
    assert again == 150
    assert after.features == before.features
    assert len(after.features) == 150


async def test_only_the_partitions_are_filled_whose_rows_are_lacking(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url, state_store=StateStore.ROCKSDB)
        async with worker(settings, one_click_each(60)) as (_, before):
            pass
        lost = [user for user in before.features if partition_of_key(user.encode(), 3) == 1]
        # A part of them suffices, as whoever evicts rows takes some of each partition.
        lose(settings.online_url, sorted(lost)[:3])
        with caplog.at_level("WARNING", "wherewithal"):
            after, again = await looked_at(settings)
    (line,) = [record for record in caplog.records if record.getMessage() == WARNING]
    assert line.fields["partitions"] == [1]  # type: ignore[attr-defined]
    assert again == len(lost)
    assert after.features == before.features


async def test_a_store_that_has_all_rows_is_written_nothing_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedBroker() as broker, caplog.at_level("WARNING", "wherewithal"):
        settings = quick_settings(tmp_path / "state", broker=broker.url)
        # A new deployment first.
        assert (await looked_at(settings))[1] == 0
        async with worker(settings, [*one_click_each(20), click("u3", 100, BASE + 1)]):
            pass
        assert (await looked_at(settings))[1] == 0
    assert WARNING not in caplog.messages


class Partition:
    """A partition with a local store of its own, which counts what is touched of it."""

    number = 4
    entity = USER

    def __init__(self, states: dict[str, UserState]) -> None:
        self.states = self
        self._states = states
        self.touched: list[str] = []
        self.waited_for = False
        self.on_touch: Callable[..., object] = lambda _: None

    def items(self, _: int) -> Any:
        return ((key.encode(), USER.encode(state)) for key, state in self._states.items())

    def busy(self) -> set[str]:
        return set()

    def state_of(self, key: str) -> UserState:
        return self._states[key]

    def touch(self, key: str, _: UserState, *, erased: bool = False) -> None:
        self.touched.append(f"{key}, erased" if erased else key)
        self.on_touch()

    def settled(self) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        self.waited_for = True
        return done


class Online:
    """An online store that lacks some keys, and answers after some failures."""

    def __init__(self, lacking: Sequence[str] = (), failures: int = 0) -> None:
        self._lacking = lacking
        self._failures = failures
        self.asked: list[Sequence[str]] = []

    async def has_all(self, keys: Sequence[str]) -> bool:
        self.asked.append(keys)
        if len(self.asked) <= self._failures:
            raise OnlineStoreError("expected an answer, found none")
        return not set(keys) & set(self._lacking)


def state(*offsets: int, living: bool = True) -> UserState:
    made = USER.new()
    made.offsets = list(offsets)
    made.sequence, made.revision = 1, int(living)
    return made


async def refilled(partition: Partition, online: Online, begins: tuple[int, ...], *, fails: bool = False) -> list[str]:
    """Have a refiller look at a partition, and again after a failure; return what it touched."""
    failed: list[BaseException] = []
    published = Counter("published", "", registry=None)
    held: Any = {4: partition}
    writer: Any = online
    refiller = Refiller(held, writer, 1_000_000, published, failed.append, "users")
    partition.on_touch = partial(partition.on_touch, refiller)
    refiller.begin({4: begins})
    await until(lambda: refiller.looked or bool(failed))
    if fails:
        refiller.again()
        await until(lambda: refiller.looked or bool(failed))
    assert not failed
    return partition.touched


async def test_only_rows_that_were_acknowledged_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {
        "of a record that is delivered again": state(9, -1, 3, -1),
        "erased": state(1, 1, 1, 1, living=False),
        **{f"settled {number:02}": state(8, -1, 2, -1) for number in range(SAMPLE_KEYS + 4)},
    }
    await refilled(Partition(states), online := Online(), (9, 0, 4, 0))
    (asked,) = online.asked
    assert asked == [f"settled {number:02}" for number in range(SAMPLE_KEYS)]
    monkeypatch.setattr(refilling, "LOOKED_THROUGH", 2)
    await refilled(Partition(states), online := Online(), (9, 0, 4, 0))
    assert online.asked == [[]]


async def test_a_store_that_is_back_is_asked_for_what_was_settled_meanwhile() -> None:
    states = {"erased": state(1, 1, 1, 1, living=False), "settled": state(9, -1, 3, -1), "new": state(12, -1, -1, -1)}
    partition = Partition(states)
    touched = await refilled(partition, online := Online(lacking=["new"]), (10, 0, 4, 0), fails=True)
    assert online.asked == [["settled"], ["settled", "new"]]
    assert partition.waited_for, "what was on its way was not lost"
    assert touched == ["new", "erased, erased", "settled"]


async def test_half_of_the_keys_that_are_looked_for_are_published_first_and_half_last() -> None:
    keys = [f"u{number:02}" for number in range(SAMPLE_KEYS + 2)]
    states = {key: state(0, -1, -1, -1) for key in keys} | {"erased": state(0, -1, -1, 1, living=False)}
    touched = await refilled(Partition(states), Online(lacking=["u03"]), (1, 0, 0, 2))
    assert touched == [*keys[SAMPLE_KEYS // 2 : SAMPLE_KEYS], "u16", "u17", "erased, erased", *keys[: SAMPLE_KEYS // 2]]


async def test_a_store_that_fails_in_the_midst_of_a_refill_is_looked_at_once_more() -> None:
    partition, online = Partition({key: state(0, -1, -1, -1) for key in "ab"}), Online(lacking=["b"])
    partition.on_touch = lambda refiller: refiller.again() if len(partition.touched) == 2 else None
    assert await refilled(partition, online, (1, 0, 0, 0)) == ["b", "a"] * 2
    assert online.asked == [["a", "b"]] * 2


async def test_a_store_that_does_not_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(refilling, "RETRY_S", 0)
    with caplog.at_level("WARNING", "wherewithal"):
        touched = await refilled(Partition({"u": state(0, -1, -1, -1)}), Online(["u"], failures=3), (1, 0, 0, 0))
    assert touched == ["u"]
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "could not ask the online store for users that it should have",
        WARNING.partition(",")[0],
    ]
