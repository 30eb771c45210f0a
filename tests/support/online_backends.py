"""Real online stores, and a way to look into each that shares nothing with the code under test but the key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mmh3

from features.online import USERS, OnlineStore, open_online_store
from features.online.views import Serving


class Backend:
    """A real store, and a way to look into it that shares nothing with the code under test but the key."""

    def __init__(self, url: str, look: Callable[[str, str, bytes], Any], serving: Serving[Any]) -> None:
        self.url = url
        self._look = look
        self._serving = serving

    def revision(self, key: str) -> int | None:
        """The revision that every view holds of a key, None where none holds anything."""
        encoded = self._serving.keys.encode(key)
        (revision,) = {self._look(view.name, "revision", encoded) for view in self._serving.views}
        return revision

    def open(self) -> OnlineStore:
        return open_online_store(self.url, serving=self._serving)


def sqlite_backend(path: Path, serving: Serving[Any] = USERS) -> Backend:
    def look(view: str, feature: str, key: bytes) -> int | None:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(
                f"SELECT value_text FROM wherewithal_{view} WHERE feature_name = ? AND entity_key = ?",
                (feature, key),
            ).fetchone()
        return None if found is None else int(found[0])

    return Backend(f"sqlite:///{path}", look, serving)


def redis_backend(server: Any, serving: Serving[Any] = USERS) -> Backend:
    client = server.client()
    client.flushdb()

    def look(view: str, feature: str, key: bytes) -> int | None:
        field = mmh3.hash(f"{view}:{feature}", signed=False).to_bytes(4, "little")
        found = client.hget(key + b"wherewithal", field)
        if found is None:
            return None
        assert found[:1] == b"\x20"
        return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1:]))

    return Backend(server.url(), look, serving)


def assert_silent(error: BaseException | None, *secrets: str) -> None:
    """Check that neither an error nor any that led to it shows a secret."""
    assert error is not None
    while error is not None:
        for secret in secrets:
            assert secret not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__
