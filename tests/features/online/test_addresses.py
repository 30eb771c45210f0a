"""The address of an online store, and the store that it opens."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from support.online_backends import assert_silent

from features.exceptions import OnlineStoreError, OnlineStoreURLError
from features.online import open_online_store
from features.online.address import RedisAddress, SqliteAddress, parse
from features.online.redis import RedisOnlineStore
from features.online.sqlite import SqliteOnlineStore


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
