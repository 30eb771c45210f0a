"""What a store may lose by its own settings."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from features.online import open_online_store


def test_sqlite_may_lose_nothing(tmp_path: Path) -> None:
    with closing(open_online_store(f"sqlite:///{tmp_path}/online.db")) as store:
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
