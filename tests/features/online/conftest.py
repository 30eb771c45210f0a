"""Every kind of online store, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.online_backends import Backend, redis_backend, sqlite_backend

from features.online import OnlineStore


@pytest.fixture(params=["sqlite", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "sqlite":
        return sqlite_backend(tmp_path / "some" / "folder" / "online.db")
    return redis_backend(request.getfixturevalue("redis_server"))


@pytest.fixture
def store(backend: Backend) -> Iterator[OnlineStore]:
    with closing(backend.open()) as opened:
        yield opened
