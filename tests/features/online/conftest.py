"""Every kind of online store, one after the other; of users, unless a module of tests asks for items too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import online_rows
from support.online_backends import Backend, redis_backend, sqlite_backend

from features.online import ITEMS, USERS, OnlineStore
from features.online.views import Serving


@pytest.fixture
def serving() -> Serving[Any]:
    return USERS


@pytest.fixture
def make_row(serving: Serving[Any]) -> Any:
    return online_rows.make_item_row if serving is ITEMS else online_rows.make_row


@pytest.fixture(params=["sqlite", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, serving: Serving[Any]) -> Backend:
    if request.param == "sqlite":
        return sqlite_backend(tmp_path / "some" / "folder" / "online.db", serving)
    return redis_backend(request.getfixturevalue("redis_server"), serving)


@pytest.fixture
def store(backend: Backend) -> Iterator[OnlineStore]:
    with closing(backend.open()) as opened:
        yield opened
