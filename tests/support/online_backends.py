"""Real online stores, and a way to look into each that shares nothing with the code under test but the key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mmh3

from features.online import OnlineStore, open_online_store
from features.online.user_views import USERS, VIEWS


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
                (feature, USERS.keys.encode(user_id)),
            ).fetchone()
        return None if found is None else int(found[0])

    return Backend(f"sqlite:///{path}", look)


def redis_backend(server: Any) -> Backend:
    client = server.client()
    client.flushdb()

    def look(view: str, feature: str, user_id: str) -> int | None:
        field = mmh3.hash(f"{view}:{feature}", signed=False).to_bytes(4, "little")
        found = client.hget(USERS.keys.encode(user_id) + b"wherewithal", field)
        if found is None:
            return None
        assert found[:1] == b"\x20"
        return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1:]))

    return Backend(server.url(), look)


def assert_silent(error: BaseException | None, *secrets: str) -> None:
    """Check that neither an error nor any that led to it shows a secret."""
    assert error is not None
    while error is not None:
        for secret in secrets:
            assert secret not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__
