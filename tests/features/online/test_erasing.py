"""Erasures in the online store: the row goes, and a fence stays."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.online_backends import Backend

from features.online import ITEMS, USERS, DeleteResult, OnlineStore, WriteResult, open_online_store
from features.online.sqlite import SqliteOnlineStore
from features.online.views import Serving


@pytest.fixture(params=[USERS, ITEMS], ids=["users", "items"])
def serving(request: pytest.FixtureRequest) -> Serving[Any]:
    return request.param


def test_an_erasure_removes_exactly_its_users(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    users = ["u1", "u10", "u", "u1\u0000", "ü1"]
    store.write([make_row(user, 3) for user in users])
    assert store.delete({"u1": (1, 4, 0)}) == DeleteResult(deleted=1, fenced=0)
    assert not store.has("u1")
    assert backend.revision("u1") is None
    assert [backend.revision(user) for user in users[1:]] == [3] * 4


def test_an_older_write_cannot_bring_an_erased_user_back_and_a_newer_one_can(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    store.write([make_row("u1", 3)])
    store.delete({"u1": (1, 5, 0)})
    assert store.write([make_row("u1", 4)]).fenced == 1
    assert not store.has("u1")
    assert store.write([make_row("u1", 6)]).written == 1
    assert backend.revision("u1") == 6


def test_a_late_erasure_keeps_a_newer_row(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    store.write([make_row("u1", 6)])
    assert store.delete({"u1": (1, 5, 0)}) == DeleteResult(deleted=0, fenced=1)
    assert backend.revision("u1") == 6


def test_an_erasure_wins_a_tie_and_can_be_repeated(store: OnlineStore, make_row: Any) -> None:
    row = make_row("u1", 3)
    store.write([row])
    assert store.delete({"u1": row.fence}).deleted == 1
    assert store.delete({"u1": row.fence}).deleted == 1
    assert not store.has("u1")


def test_many_users_are_erased_in_one_call_each_behind_a_fence_of_its_own(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    users = [f"user-{number}" for number in range(600)]
    store.write([make_row(user, 5) for user in users])
    removals = {user: (1, 4 if number % 3 == 0 else 9, 0) for number, user in enumerate(users)}
    assert store.delete(removals) == DeleteResult(deleted=400, fenced=200)
    assert [store.has(user) for user in users[-6:]] == [True, False, False] * 2
    assert store.write([make_row(user, 8) for user in users]) == WriteResult(written=200, fenced=400)
    assert store.write([make_row(user, 10) for user in users]).written == 600


def test_an_erasure_of_an_unknown_user_fences_it(store: OnlineStore, make_row: Any) -> None:
    assert store.delete({"u1": (1, 5, 0)}) == DeleteResult(deleted=1, fenced=0)
    assert store.write([make_row("u1", 4)]).fenced == 1


def test_redis_forgets_a_fence_with_a_time_to_live_unless_the_key_returns(
    redis_server: Any, make_row: Any, serving: Serving[Any]
) -> None:
    client = redis_server.client()
    client.flushdb()
    key = serving.keys.encode("u1") + b"wherewithal"
    with closing(open_online_store(redis_server.url(), serving=serving)) as store:
        store.delete({"u1": (1, 5, 0)}, fence_ttl_s=60)
        assert 0 < client.ttl(key) <= 60
        store.write([make_row("u1", 6)])
        assert client.ttl(key) == -1


def test_sqlite_forgets_a_fence_with_a_time_to_live_unless_the_key_returns(
    tmp_path: Path, make_row: Any, serving: Serving[Any]
) -> None:
    now_s = 1_000_000
    store = SqliteOnlineStore(tmp_path / "online.db", "wherewithal", serving, clock_ns=lambda: now_s * 1_000_000_000)
    with closing(store):
        store.delete(dict.fromkeys(("gone", "back"), (1, 5, 0)), fence_ttl_s=60)
        store.write([make_row("back", 6)])
        now_s += 59
        store.delete({"other": (1, 1, 0)})
        assert store.write([make_row("gone", 4)]).fenced == 1
        now_s += 1
        store.delete({"other": (1, 1, 0)})
        assert store.write([make_row("gone", 4)]).written == 1
        assert store.write([make_row("back", 5)]).fenced == 1


def test_a_removed_key_leaves_only_its_fence_in_redis(redis_server: Any, make_row: Any, serving: Serving[Any]) -> None:
    client = redis_server.client()
    client.flushdb()
    with closing(open_online_store(redis_server.url(), serving=serving)) as store:
        store.write([make_row("u1", 3)])
        client.hset(serving.keys.encode("u1") + b"wherewithal", "field-of-an-earlier-release", "x")
        store.delete({"u1": (2, 5, 9)})
    assert client.hgetall(serving.keys.encode("u1") + b"wherewithal") == {b"wherewithal:fence": b"2:5:9"}
