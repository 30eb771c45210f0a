"""What is served of users, read as Feast reads it and without Feast, whose import takes seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

from features.exceptions import OnlineStoreError
from features.online.address import SqliteAddress, parse
from features.online.decoding import Stored, user
from features.online.layout import BEHAVIOR, PROJECT, STORED, View, entity_key
from features.online.opening import PATIENCE_S

_USERS_PER_READ: Final = 100


def read_users(url: str, user_ids: Sequence[str], project: str = PROJECT) -> list[dict[str, Any]]:
    """Read what is served of users; nothing is written, made or registered.

    Args:
        url: see `features.online.address.parse`. Of SQLite the file must be there.
        user_ids: whom to read; a repeated user is read once.
        project: the Feast project that the rows belong to.

    Returns:
        One dictionary per known user, in the order asked for: see `features.online.decoding.user`.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
        OnlineStoreError: the online store cannot be read, or holds values of other types.
    """
    address = parse(url)
    wanted = iter(dict.fromkeys(user_ids))
    users: list[dict[str, Any]] = []
    if isinstance(address, SqliteAddress):
        with closing(_SqliteReader(address, project)) as reader:
            while batch := list(islice(wanted, _USERS_PER_READ)):
                users += _known(batch, reader.stored(batch))
        return users
    # The driver is imported only where it is used.
    from features.online.redis import RedisOnlineStore

    with closing(RedisOnlineStore(address, project, timeout_s=PATIENCE_S)) as store:
        while batch := list(islice(wanted, _USERS_PER_READ)):
            users += _known(batch, store.stored(batch))
    return users


def _known(user_ids: Sequence[str], found: Sequence[Stored | None]) -> Iterator[dict[str, Any]]:
    for user_id, stored in zip(user_ids, found, strict=True):
        if stored is not None:
            yield user(user_id, stored)


class _SqliteReader:
    """A read-only connection to the tables `<project>_<view>`.

    Raises:
        OnlineStoreError: the file cannot be opened.
    """

    def __init__(self, address: SqliteAddress, project: str) -> None:
        self._path = address.path.absolute()
        self._project = project
        # SQLite would wait at a pipe for somebody to write.
        if self._path.exists() and not self._path.is_file():
            raise OnlineStoreError(
                f"expected the SQLite online store at {self._path}, found no file there: give the path of a file"
            )
        try:
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None
            )
        except sqlite3.Error as error:
            raise self._refused(error) from None

    def stored(self, user_ids: Sequence[str]) -> list[Stored | None]:
        """Return what the tables hold of each of at most some hundred users, of one instant; None of an unknown."""
        keys = [entity_key(user_id) for user_id in user_ids]
        marks = ",".join("?" * len(keys))
        found: dict[bytes, dict[tuple[str, str], bytes | None]] = {}
        try:
            self._connection.execute("BEGIN")
            tables = self._tables()
            for view in (view for view in STORED if self._name(view) in tables):
                query = f"SELECT entity_key, feature_name, value FROM {self._table(view)} WHERE entity_key IN ({marks})"
                for key, name, encoded in self._connection.execute(query, keys):
                    found.setdefault(bytes(key), {})[view.name, name] = encoded
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._refused(error) from None
        return [stored if (stored := found.get(key)) and _known_to_feast(stored) else None for key in keys]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _table(self, view: View) -> str:
        return '"' + self._name(view).replace('"', '""') + '"'

    def _name(self, view: View) -> str:
        return f"{self._project}_{view.name}"

    def _tables(self) -> set[str]:
        """Return the tables: a file that no worker has opened yet has none, one of an earlier release not all."""
        return {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def _refused(self, error: sqlite3.Error) -> OnlineStoreError:
        return OnlineStoreError(
            f"expected to read the SQLite online store at {self._path}, found {str(error)!r}: check that the file is "
            "a worker's, its rights, and that no other process holds it"
        )


def _known_to_feast(stored: Stored) -> bool:
    """Return whether Feast would find the user: by the timestamp of the first view."""
    return any(view == BEHAVIOR for view, _ in stored)
