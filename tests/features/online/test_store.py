from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import mmh3
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.exceptions import OnlineRowError, OnlineStoreError, OnlineStoreURLError
from features.online import DeleteResult, OnlineStore, WriteResult, open_online_store
from features.online.address import RedisAddress, SqliteAddress, parse
from features.online.layout import VIEWS, entity_key
from features.online.redis import RedisOnlineStore
from features.online.rows import newest_per_user
from features.online.sqlite import SqliteOnlineStore

NO_FENCE_LIMIT = 2**53 - 1
# The store outlives the examples of a property, and ids that the engine draws repeat.
NUMBERS = count()


class Backend:
    """A real store, and a way to look into it that shares nothing with the code under test but the key."""

    def __init__(self, url: str, look: Callable[[str, str, str], Any]) -> None:
        self.url = url
        self._look = look

    def revisions(self, user_id: str) -> list[int | None]:
        """The revision each view holds of a user, None where the view holds nothing."""
        return [self._look(view.name, "revision", user_id) for view in VIEWS]

    def open(self) -> OnlineStore:
        return open_online_store(self.url)


def sqlite_backend(path: Path) -> Backend:
    def look(view: str, feature: str, user_id: str) -> int | None:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(
                f"SELECT value_text FROM wherewithal_{view} WHERE feature_name = ? AND entity_key = ?",
                (feature, entity_key(user_id)),
            ).fetchone()
        return None if found is None else int(found[0])

    return Backend(f"sqlite:///{path}", look)


def redis_backend(server: Any) -> Backend:
    client = server.client()
    client.flushdb()

    def look(view: str, feature: str, user_id: str) -> int | None:
        field = mmh3.hash(f"{view}:{feature}", signed=False).to_bytes(4, "little")
        found = client.hget(entity_key(user_id) + b"wherewithal", field)
        if found is None:
            return None
        assert found[:1] == b"\x20"
        return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1:]))

    return Backend(server.url(), look)


@pytest.fixture(params=["sqlite", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "sqlite":
        return sqlite_backend(tmp_path / "some" / "folder" / "online.db")
    return redis_backend(request.getfixturevalue("redis_server"))


@pytest.fixture
def store(backend: Backend) -> Iterator[OnlineStore]:
    with closing(backend.open()) as opened:
        yield opened


# Fencing


def test_a_first_row_lands_in_all_three_views(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    assert store.write([make_row("u1", 7)]) == WriteResult(written=1, fenced=0)
    assert backend.revisions("u1") == [7, 7, 7]
    assert store.has("u1")
    assert not store.has("u2")


@pytest.mark.parametrize("older", [(4, 9, 9), (5, 4, 9), (5, 5, 4), (5, 5, 5), (0, 0, 0)])
def test_a_row_that_is_not_newer_does_not_land(
    backend: Backend, store: OnlineStore, make_row: Any, older: tuple[int, int, int]
) -> None:
    store.write([make_row("u1", 7, fence=(5, 5, 5))])
    assert store.write([make_row("u1", 8, fence=older)]) == WriteResult(written=0, fenced=1)
    assert backend.revisions("u1") == [7, 7, 7]


@pytest.mark.parametrize("newer", [(6, 0, 0), (5, 6, 0), (5, 5, 6), (5, 5, 10), (10, 0, 0)])
def test_a_newer_row_lands_even_with_a_smaller_revision(
    backend: Backend, store: OnlineStore, make_row: Any, newer: tuple[int, int, int]
) -> None:
    store.write([make_row("u1", 7, fence=(5, 5, 5))])
    assert store.write([make_row("u1", 2, fence=newer)]) == WriteResult(written=1, fenced=0)
    assert backend.revisions("u1") == [2, 2, 2]


def test_fences_are_compared_exactly_up_to_their_limit(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    top = NO_FENCE_LIMIT
    assert store.write([make_row("u1", 1, fence=(top, top, top - 1))]).written == 1
    assert store.write([make_row("u1", 2, fence=(top, top, top))]).written == 1
    assert store.write([make_row("u1", 3, fence=(top, top - 1, top))]).fenced == 1
    assert backend.revisions("u1") == [2, 2, 2]


def test_the_greatest_fence_of_a_user_within_a_batch_wins_wherever_it_stands(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    rows = [make_row("u1", 2), make_row("u2", 1), make_row("u1", 5), make_row("u1", 3)]
    assert store.write(rows) == WriteResult(written=2, fenced=2)
    assert backend.revisions("u1") == [5, 5, 5]
    assert backend.revisions("u2") == [1, 1, 1]


def test_a_batch_is_fenced_user_by_user(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    users = [f"user-{number}" for number in range(600)]
    store.write([make_row(user, 5) for user in users[::2]])
    assert store.write([make_row(user, 3) for user in users]) == WriteResult(written=300, fenced=300)
    assert [backend.revisions(user)[0] for user in users[:20]] == [5, 3] * 10
    assert [backend.revisions(user)[0] for user in users[-20:]] == [5, 3] * 10


def test_an_empty_batch_writes_nothing(store: OnlineStore) -> None:
    assert store.write([]) == WriteResult(written=0, fenced=0)
    assert store.delete({}) == DeleteResult(deleted=0, fenced=0)


def test_of_two_racing_writers_the_newest_row_stays(backend: Backend, make_row: Any) -> None:
    backend.open().close()

    def write(revisions: range) -> int:
        with closing(backend.open()) as own:
            return sum(own.write([make_row("u1", revision)]).written for revision in revisions)

    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(write, [range(1, 40, 2), range(2, 41, 2)]))
    assert backend.revisions("u1") == [40, 40, 40]
    assert 20 <= sum(written) <= 40


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, unique_by=lambda s: s[0]))
def test_any_order_and_batching_of_writes_and_erasures_ends_in_the_newest(
    store: OnlineStore, backend: Backend, make_row: Any, steps: list[tuple[int, bool]]
) -> None:
    user = f"any-{next(NUMBERS)}"
    for sequence, erased in steps:
        if erased:
            store.delete({user: (1, sequence, 0)})
        else:
            store.write([make_row(user, sequence, fence=(1, sequence, 0))])
    newest, erased = max(steps)
    assert backend.revisions(user) == [None if erased else newest] * 3
    assert store.has(user) is not erased


# Erasure


def test_an_erasure_removes_exactly_its_users(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    users = ["u1", "u10", "u", "u1\u0000", "ü1"]
    store.write([make_row(user, 3) for user in users])
    assert store.delete({"u1": (1, 4, 0)}) == DeleteResult(deleted=1, fenced=0)
    assert not store.has("u1")
    assert backend.revisions("u1") == [None, None, None]
    assert [backend.revisions(user) for user in users[1:]] == [[3, 3, 3]] * 4


def test_an_older_write_cannot_bring_an_erased_user_back_and_a_newer_one_can(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    store.write([make_row("u1", 3)])
    store.delete({"u1": (1, 5, 0)})
    assert store.write([make_row("u1", 4)]).fenced == 1
    assert not store.has("u1")
    assert store.write([make_row("u1", 6)]).written == 1
    assert backend.revisions("u1") == [6, 6, 6]


def test_a_late_erasure_keeps_a_newer_row(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    store.write([make_row("u1", 6)])
    assert store.delete({"u1": (1, 5, 0)}) == DeleteResult(deleted=0, fenced=1)
    assert backend.revisions("u1") == [6, 6, 6]


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


def test_redis_forgets_a_fence_with_a_time_to_live_unless_the_user_returns(redis_server: Any, make_row: Any) -> None:
    client = redis_server.client()
    client.flushdb()
    key = entity_key("u1") + b"wherewithal"
    with closing(open_online_store(redis_server.url())) as store:
        store.delete({"u1": (1, 5, 0)}, fence_ttl_s=60)
        assert 0 < client.ttl(key) <= 60
        store.write([make_row("u1", 6)])
        assert client.ttl(key) == -1


def test_sqlite_forgets_a_fence_with_a_time_to_live_unless_the_user_returns(tmp_path: Path, make_row: Any) -> None:
    now_s = 1_000_000
    store = SqliteOnlineStore(tmp_path / "online.db", "wherewithal", clock_ns=lambda: now_s * 1_000_000_000)
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


def test_an_erased_user_id_leaves_only_its_fence_in_redis(redis_server: Any, make_row: Any) -> None:
    client = redis_server.client()
    client.flushdb()
    with closing(open_online_store(redis_server.url())) as store:
        store.write([make_row("u1", 3)])
        client.hset(entity_key("u1") + b"wherewithal", "field-of-an-earlier-release", "x")
        store.delete({"u1": (2, 5, 9)})
    assert client.hgetall(entity_key("u1") + b"wherewithal") == {b"wherewithal:fence": b"2:5:9"}


# Rows


@pytest.mark.parametrize(
    "changes",
    [
        {"scalars": (1, 2)},
        {"profile": b"\0" * 252},
        {"fence": (1, -1, 0)},
        {"fence": (1, 2**53, 0)},
        {"fence": (1, 1)},
    ],
)
def test_a_row_of_another_shape_is_refused(make_row: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(OnlineRowError, match="expected"):
        make_row("u1", 1, **changes)


def test_a_refused_value_leaves_the_whole_sqlite_batch_out(tmp_path: Path, make_row: Any) -> None:
    backend = sqlite_backend(tmp_path / "online.db")
    with closing(backend.open()) as store:
        with pytest.raises(OnlineRowError, match="64-bit"):
            store.write([make_row("u1", 1), make_row("u2", 1, event_time=2**63)])
        assert not store.has("u1")
        assert store.write([make_row("u1", 1)]).written == 1


@given(fences=st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=8))
def test_the_newest_row_per_user_is_that_of_the_greatest_fence(fences: list[Any], make_row: Any) -> None:
    rows = [make_row("u1", 1, fence=fence) for fence in fences]
    assert [row.fence for row in newest_per_user(rows)] == ([max(fences)] if fences else [])


# Trouble


def test_a_store_may_be_used_from_another_thread_than_the_one_that_opened_it(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store.write, [make_row("u1", 1)]).result()
        pool.submit(store.ping).result()
        assert pool.submit(store.has, "u1").result()
    assert backend.revisions("u1") == [1, 1, 1]


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


def assert_silent(error: BaseException | None, *secrets: str) -> None:
    """Check that neither an error nor any that led to it shows a secret."""
    assert error is not None
    while error is not None:
        for secret in secrets:
            assert secret not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__


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
    client.set(entity_key("secret-user") + b"wherewithal", "text")
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
    client.set(entity_key("u1") + b"wherewithal", "text")
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


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OnlineStoreError, match="not a database"):
        open_online_store(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OnlineStoreError, match="folder"):
        open_online_store(f"sqlite:///{tmp_path}/file/online.db")


# Durability


def test_a_store_is_empty_until_it_knows_of_somebody(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    assert store.empty()
    store.write([make_row("u1", 1)])
    assert not store.empty()
    store.delete({"u1": (1, 2, 0)})
    assert not store.empty(), "the fence of an erased user is something"


def test_a_fence_that_expires_is_nobody_to_sqlite(tmp_path: Path) -> None:
    with closing(open_online_store(f"sqlite:///{tmp_path}/online.db")) as store:
        store.delete({"u1": (0, 0, 0)}, fence_ttl_s=1)
        assert store.empty()
        assert store.risks() == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"save": "3600 1"}, []),
        ({"appendonly": "yes"}, []),
        ({}, ["neither (save is empty, appendonly is no)"]),
        ({"save": "3600 1", "maxmemory-policy": "allkeys-lru"}, []),
        ({"save": "3600 1", "maxmemory-policy": "volatile-lru", "maxmemory": "100mb"}, []),
        ({"save": "3600 1", "maxmemory-policy": "noeviction", "maxmemory": "100mb"}, []),
        (
            {"maxmemory-policy": "allkeys-random", "maxmemory": "100mb"},
            ["maxmemory-policy allkeys-random with maxmemory 104857600 bytes", "neither"],
        ),
    ],
)
def test_redis_tells_what_its_own_settings_may_lose(
    start_redis: Any, settings: dict[str, str], found: list[str]
) -> None:
    with start_redis("right") as server, closing(open_online_store(server.url(0, "right"))) as store:
        for name, value in settings.items():
            server.client(password="right").config_set(name, value)
        assert_each_says(store.risks(), found)


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        ("-config", ["CONFIG refused"]),
        ("-config -info", ["INFO refused"]),
        ("-info", ["INFO refused"]),
    ],
)
def test_a_redis_that_refuses_to_be_asked_is_judged_by_what_it_tells(
    start_redis: Any, refused: str, found: list[str]
) -> None:
    with start_redis("right") as server:
        server.client(password="right").execute_command("ACL", "SETUSER", "default", *refused.split())
        with closing(open_online_store(server.url(0, "right"))) as store:
            assert_each_says(store.risks(), found)


def assert_each_says(lines: list[str], found: list[str]) -> None:
    assert len(lines) == len(found), lines
    for line, words in zip(lines, found, strict=True):
        assert line.startswith("expected ")
        assert words in line
        assert "\n" not in line


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgres://:hunter2@host/db",
        "sqlite://online.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "redis://",
        "redis://:hunter2@host:port/0",
        "redis://:hunter2@host:6379/first",
        "redis://:hunter2@[::1]:6379/0",
        "redis://:hunter2@host:6379/0?ssl=true",
        "redis://:hunter2?@host:6379/0",
    ],
)
def test_a_url_that_names_no_known_store_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(OnlineStoreURLError, match="expected sqlite:///") as caught:
        open_online_store(url)
    assert_silent(caught.value, "hunter2")


def test_urls_name_files_and_databases() -> None:
    assert parse("sqlite:///data/online.db") == SqliteAddress(Path("data/online.db"))
    assert parse("sqlite:////data/online.db") == SqliteAddress(Path("/data/online.db"))
    assert parse("redis://cache") == RedisAddress("cache", 6379, 0, False, None, None)
    assert parse("rediss://me:a%2Cb@cache:7000/3") == RedisAddress("cache", 7000, 3, True, "me", "a,b")
    assert "a,b" not in repr(parse("rediss://me:a%2Cb@cache:7000/3"))


def test_each_scheme_opens_its_store(tmp_path: Path) -> None:
    with closing(open_online_store(f"sqlite:///{tmp_path}/online.db")) as sqlite:
        assert isinstance(sqlite, SqliteOnlineStore)
    with closing(open_online_store("rediss://nowhere.invalid:6380/1")) as remote:
        assert isinstance(remote, RedisOnlineStore)


def test_projects_in_one_database_do_not_see_each_other(tmp_path: Path, make_row: Any) -> None:
    url = f"sqlite:///{tmp_path}/online.db"
    with closing(open_online_store(url, "one")) as one, closing(open_online_store(url, "two")) as two:
        one.write([make_row("u1", 5)])
        assert not two.has("u1")
        assert two.write([make_row("u1", 3)]).written == 1


def test_opening_a_store_does_not_import_feast() -> None:
    check = (
        "import sys, features.online, features.online.sqlite, features.online.redis;"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('feast', 'pandas', 'torch')))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_redis_errors_keep_their_cause(unused_port: int) -> None:
    with pytest.raises(OnlineStoreError) as caught:
        open_online_store(f"redis://127.0.0.1:{unused_port}/0", timeout_s=0.5).ping()
    assert isinstance(caught.value.__cause__, redis.ConnectionError)
