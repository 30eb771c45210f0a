"""Stores that cannot be used, refuse or forget: each is one error, which shows no secret."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.online_backends import Backend, assert_silent
from support.online_rows import make_item_row

from features.exceptions import OnlineStoreError
from features.online import ITEMS, DeleteResult, OnlineStore, WriteResult, open_online_store
from features.online.sqlite import turn_of
from features.online.user_views import USERS


def test_a_store_may_be_used_from_another_thread_than_the_one_that_opened_it(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store.write, [make_row("u1", 1)]).result()
        pool.submit(store.ping).result()
        assert pool.submit(store.has, "u1").result()
    assert backend.revision("u1") == 1


def test_rows_outlive_the_connection(backend: Backend, make_row: Any) -> None:
    with closing(backend.open()) as first:
        first.write([make_row("u1", 4)])
    with closing(backend.open()) as second:
        assert second.has("u1")
        assert second.write([make_row("u1", 4)]).fenced == 1


def test_closing_twice_is_harmless(store: OnlineStore) -> None:
    store.close()
    store.close()


def test_redis_may_forget_the_script_between_two_writes(redis_server: Any, make_row: Any) -> None:
    client = redis_server.client()
    client.flushdb()
    with closing(open_online_store(redis_server.url())) as store:
        for revision in (1, 2):
            client.script_flush()
            rows = [make_row(f"u{number}", revision) for number in range(100)]
            assert store.write(rows) == WriteResult(written=100, fenced=0)


def test_an_unreachable_redis_is_reported_without_its_password(make_row: Any, unused_port: int) -> None:
    store = open_online_store(f"redis://:hunter2@127.0.0.1:{unused_port}/0", timeout_s=0.5)
    for call in (
        store.ping,
        lambda: store.write([make_row()]),
        lambda: store.has("u1"),
        lambda: store.delete({"u1": (1, 1, 1)}),
    ):
        with pytest.raises(OnlineStoreError, match="no connection") as caught:
            call()
        assert_silent(caught.value, "hunter2")


@pytest.mark.parametrize("password", ["1e5", 'a,b="c'])
def test_redis_takes_its_password_and_refuses_another(start_redis: Any, make_row: Any, password: str) -> None:
    quoted = password.replace('"', "%22").replace("=", "%3D")
    with start_redis(password) as server:
        with closing(open_online_store(server.url(0, quoted))) as store:
            assert store.write([make_row()]).written == 1
        for wrong in ("hunter2", ""):
            with (
                closing(open_online_store(server.url(0, wrong))) as store,
                pytest.raises(OnlineStoreError, match="credentials") as caught,
            ):
                store.write([make_row("secret-user")])
            assert_silent(caught.value, "hunter2", "secret-user")


def test_a_full_redis_is_reported_and_takes_the_batch_once_there_is_room(start_redis: Any, make_row: Any) -> None:
    with (
        start_redis("right") as server,
        server.client(password="right") as client,
        closing(open_online_store(server.url(0, "right"))) as store,
    ):
        client.config_set("maxmemory", 1)
        with pytest.raises(OnlineStoreError, match="maxmemory") as caught:
            store.write([make_row("secret-user")])
        assert_silent(caught.value, "right@", "secret-user")
        client.config_set("maxmemory", 0)
        assert store.write([make_row("secret-user")]).written == 1


def test_what_redis_refuses_is_reported_by_its_error_code(redis_server: Any) -> None:
    client = redis_server.client()
    client.flushdb()
    client.set(USERS.keys.encode("secret-user") + b"wherewithal", "text")
    with (
        closing(open_online_store(redis_server.url())) as store,
        pytest.raises(OnlineStoreError, match="WRONGTYPE") as caught,
    ):
        store.has("secret-user")
    assert_silent(caught.value, "secret-user")


@pytest.mark.parametrize("change", ["write", "delete"])
def test_a_key_of_another_type_is_replaced_and_holds_up_nobody(redis_server: Any, make_row: Any, change: str) -> None:
    client = redis_server.client()
    client.flushdb()
    client.set(USERS.keys.encode("u1") + b"wherewithal", "text")
    with closing(open_online_store(redis_server.url())) as store:
        if change == "write":
            assert store.write([make_row("u1", 1), make_row("u2", 1)]) == WriteResult(written=2, fenced=0)
        else:
            assert store.delete({"u1": (1, 1, 0), "u2": (1, 1, 0)}) == DeleteResult(deleted=2, fenced=0)
        assert [store.has("u1"), store.has("u2")] == [change == "write"] * 2
        assert store.write([make_row("u1", 0)]).fenced == 1


def test_a_locked_sqlite_file_is_reported_and_the_next_write_lands(tmp_path: Path, make_row: Any) -> None:
    path = tmp_path / "online.db"
    with closing(open_online_store(f"sqlite:///{path}", timeout_s=0.05)) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OnlineStoreError, match="locked"):
                store.write([make_row()])
            assert not store.has("u1")
        assert store.write([make_row()]) == WriteResult(written=1, fenced=0)


def test_writers_of_one_process_take_turns_and_one_that_waits_too_long_says_so(tmp_path: Path, make_row: Any) -> None:
    path = tmp_path / "online.db"
    with (
        closing(open_online_store(f"sqlite:///{path}", timeout_s=0.05)) as users,
        closing(open_online_store(f"sqlite:///{path}", serving=ITEMS, timeout_s=0.05)) as items,
    ):
        with turn_of(path), pytest.raises(OnlineStoreError, match="locked"):
            users.write([make_row()])
        assert users.write([make_row()]) == WriteResult(written=1, fenced=0)
        assert items.write([make_item_row()]) == WriteResult(written=1, fenced=0)


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OnlineStoreError, match="not a database"):
        open_online_store(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OnlineStoreError, match="folder"):
        open_online_store(f"sqlite:///{tmp_path}/file/online.db")
