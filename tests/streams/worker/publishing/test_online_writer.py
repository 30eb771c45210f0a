"""The writer of the online store, in front of stores that refuse, block and break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.online_rows import make_row as row
from support.patience import PATIENCE_S
from support.stores import BlockingStore, FailingStore, RecordingStore

from features.online.rows import Forget
from streams.telemetry.metrics import Metrics
from streams.worker.publishing import online_writer as online_module
from streams.worker.publishing.online_writer import OnlineWriter

NEVER_S = 3600.0


class Failures(list[BaseException]):
    """What `on_failure` was told."""


@asynccontextmanager
async def writing(
    store: RecordingStore, *, freshness_s: float = 0.02, batch_rows: int = 100, failures: Failures | None = None
) -> AsyncIterator[OnlineWriter]:
    writer = OnlineWriter(store, Metrics(), freshness_s=freshness_s, batch_rows=batch_rows)
    told = Failures() if failures is None else failures
    writer.start(told.append)
    try:
        yield writer
    finally:
        if isinstance(store, BlockingStore):
            store.released.set()
        await writer.stop()
    assert failures is not None or not told


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(online_module, "LONGEST_PAUSE_S", 0.004)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.002)


async def done(*waiting: asyncio.Future[None]) -> None:
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_S)


async def test_rows_put_one_by_one_are_written_together() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.2) as writer:
        await done(*[writer.put([row(f"u{number}")]) for number in range(50)])
    assert [len(call) for call in store.calls] == [50]


async def test_of_each_user_only_the_newest_row_is_written() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.2) as writer:
        puts = [writer.put([row("u", sequence), row(f"other{sequence}")]) for sequence in range(1, 6)]
        await done(*puts)
    assert [len(call) for call in store.calls] == [6]
    assert store.users["u"] == row("u", 5)


async def test_a_lone_row_is_written_within_the_deadline_without_further_puts() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.1) as writer:
        await done(writer.put([row("u")]))
        assert store.users == {"u": row("u")}
        await done(writer.put([row("v")]))
    assert len(store.calls) == 2


async def test_a_full_batch_does_not_wait_for_the_deadline() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=NEVER_S, batch_rows=3) as writer:
        early = writer.put([row("a"), row("b")])
        await asyncio.sleep(0)
        assert not early.done()
        await done(early, writer.put([row("c")]))
    assert [len(call) for call in store.calls] == [3]


async def test_no_write_is_larger_than_a_batch() -> None:
    store = RecordingStore()
    async with writing(store, batch_rows=4) as writer:
        await done(writer.put([row(f"u{number}") for number in range(10)]))
    assert sorted(len(call) for call in store.calls) == [2, 4, 4]
    assert len(store.users) == 10


async def test_the_deadline_is_that_of_the_oldest_row_however_many_follow() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.1) as writer:
        first = writer.put([row("first")])
        number = 0
        async with asyncio.timeout(PATIENCE_S):
            while not first.done():
                number += 1
                writer.put([row(f"u{number}")])
                await asyncio.sleep(0.001)
        assert "first" in store.users


async def test_an_empty_put_is_done_too() -> None:
    async with writing(RecordingStore()) as writer:
        await done(writer.put([]))


async def test_a_store_that_refuses_is_tried_until_it_takes_every_row() -> None:
    store, returns = FailingStore(failures=7), list[int]()
    async with writing(store, batch_rows=2) as writer:
        writer.on_return = lambda: returns.append(store.left)
        puts = [writer.put([row(f"u{number}")]) for number in range(5)]
        await done(*puts)
    assert store.left == 0
    assert returns == [0]
    assert set(store.users) == {f"u{number}" for number in range(5)}


async def test_while_the_store_refuses_the_failure_is_shown_and_then_cleared() -> None:
    store = FailingStore(failures=10**9)
    metrics = Metrics()
    writer = OnlineWriter(store, metrics, freshness_s=0.01, batch_rows=10)
    told = Failures()
    writer.start(told.append)
    assert writer.failing_since is None
    put = writer.put([row("u")])
    await until(lambda: writer.failing_since is not None)
    since = writer.failing_since
    tried = store.left
    await until(lambda: store.left < tried - 3)
    assert not put.done()
    assert writer.failing_since == since, "it tells when the series of failures began, not its last one"
    store.left = 0
    await done(put)
    assert writer.failing_since is None
    assert metrics.registry.get_sample_value("wherewithal_online_failures_total") > 3
    assert metrics.registry.get_sample_value("wherewithal_online_rows_total") == 1
    await writer.stop()
    assert not told


async def test_rows_put_while_the_store_refuses_are_coalesced_and_written_after_it() -> None:
    store = FailingStore(failures=10**9)
    async with writing(store) as writer:
        early = writer.put([row("u", 1), row("v", 1)])
        await until(lambda: writer.failing_since is not None)
        late = [writer.put([row("u", sequence)]) for sequence in (2, 3)]
        store.left = 0
        await done(early, *late)
    assert store.users == {"u": row("u", 3), "v": row("v", 1)}
    assert [len(call) for call in store.calls] == [2, 1]


async def test_a_put_is_not_done_before_its_row_is_in_the_store() -> None:
    store = BlockingStore()
    async with writing(store) as writer:
        first = writer.put([row("u", 1)])
        await until(store.held.is_set)
        second = writer.put([row("u", 2)])
        await asyncio.sleep(0)
        assert not first.done()
        assert not second.done()
        store.released.set()
        await done(first, second)
        assert store.users == {"u": row("u", 2)}


async def test_a_blocked_store_does_not_block_the_event_loop() -> None:
    store = BlockingStore()
    async with writing(store) as writer:
        put = writer.put([row("u")])
        await until(store.held.is_set)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not put.done()
        store.released.set()
        await done(put)
    assert not any("MainThread" in name for name in store.threads)
    assert len(store.threads) == 1


async def test_a_removal_takes_the_place_of_a_row_that_waits() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.1) as writer:
        puts = [writer.put([row("u", 1)]), writer.put([Forget("u", (1, 2, 3))]), writer.put([row("v")])]
        await done(*puts)
    assert store.users == {"u": None, "v": row("v")}
    assert {"u": (1, 2, 3)} in store.calls


async def test_a_row_takes_the_place_of_a_removal_that_waits() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=0.1) as writer:
        await done(writer.put([Forget("u", (1, 2, 3))]), writer.put([row("u", 3)]))
    assert store.users == {"u": row("u", 3)}


async def test_a_removal_that_is_refused_is_tried_again() -> None:
    store = FailingStore(failures=4)
    async with writing(store) as writer:
        await done(writer.put([Forget("u", (1, 2, 3))]))
    assert store.calls == [{"u": (1, 2, 3)}]


async def test_removals_go_in_batches_each_user_behind_its_own_fence() -> None:
    store = RecordingStore()
    async with writing(store, freshness_s=NEVER_S, batch_rows=4) as writer:
        changes = [Forget(f"u{number}", (1, number, 0)) for number in range(9)]
        await done(writer.put([*changes, row("back")]), writer.put([row("u3", 4)]))
    assert [len(call) for call in store.calls] == [4, 4, 1, 2]
    removals = [call for call in store.calls if isinstance(call, dict)]
    assert {user: fence for call in removals for user, fence in call.items()} == {
        f"u{number}": (1, number, 0) for number in range(9)
    }
    assert {user for user, kept in store.users.items() if kept} == {"back", "u3"}


async def test_stopping_cancels_whoever_waits_and_closes_the_store() -> None:
    store = FailingStore(failures=10**9)
    writer = OnlineWriter(store, Metrics(), freshness_s=0.01, batch_rows=10)
    told = Failures()
    writer.start(told.append)
    taken = writer.put([row("u")])
    await until(lambda: writer.failing_since is not None)
    queued = writer.put([row("v")])
    await asyncio.wait_for(writer.stop(), PATIENCE_S)
    assert taken.cancelled()
    assert queued.cancelled()
    assert store.closed
    assert not told, "being stopped is no failure"
    assert not store.users


async def test_stopping_a_writer_that_never_began_closes_the_store() -> None:
    store = RecordingStore()
    writer = OnlineWriter(store, Metrics(), freshness_s=0.01, batch_rows=10)
    waiting = writer.put([row("u")])
    await asyncio.wait_for(writer.stop(), PATIENCE_S)
    assert waiting.cancelled()
    assert store.closed


async def test_a_fault_of_the_program_is_reported_and_not_retried() -> None:
    bug = ValueError("no refusal of the store")
    store = FailingStore(failures=1, error=bug)
    failures = Failures()
    async with writing(store, failures=failures) as writer:
        put = writer.put([row("u")])
        await until(lambda: bool(failures))
        assert failures == [bug]
        assert not store.users
        assert not put.done(), "what is not stored must not be acknowledged"
