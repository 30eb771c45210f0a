"""What is served of users and items, read as Feast reads it and without Feast, whose import takes seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final, Protocol

from features.exceptions import OnlineStoreError
from features.online.address import SqliteAddress, parse
from features.online.decoding import Stored, item, user
from features.online.item_views import ITEMS
from features.online.opening import PATIENCE_S
from features.online.user_views import USERS
from features.online.views import PROJECT, Serving, View

_KEYS_PER_READ: Final = 100


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
    return _read(url, user_ids, project, USERS, user)


def read_items(url: str, item_ids: Sequence[str], project: str = PROJECT) -> list[dict[str, Any]]:
    """Read what is served of items, as `read_users` does of users; see `features.online.decoding.item`."""
    return _read(url, item_ids, project, ITEMS, item)


def items_of(url: str, project: str = PROJECT) -> list[str]:
    """Return the ids of all items that are served, ascending; one that was forgotten is not.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
        OnlineStoreError: the online store cannot be read.
    """
    with closing(_reader(url, project, ITEMS)) as reader:
        return sorted(
            {
                item_id
                for batch in _batches(list(reader.keys()))
                for item_id, stored in zip(batch, reader.stored(batch), strict=True)
                if stored is not None
            }
        )


class _Reader(Protocol):
    """What is stored of one entity."""

    def stored(self, keys: Sequence[str]) -> Sequence[Stored | None]:
        """Return what is stored of each of at most some hundred keys; None of one that Feast would not know."""

    def keys(self) -> Iterator[str]:
        """Yield every key, perhaps more than once, and perhaps one that is not served."""

    def close(self) -> None:
        """Close the connection."""


def _reader(url: str, project: str, serving: Serving[Any]) -> _Reader:
    address = parse(url)
    if isinstance(address, SqliteAddress):
        return _SqliteReader(address, project, serving)
    # The driver is imported only where it is used.
    from features.online.redis import RedisOnlineStore

    return RedisOnlineStore(address, project, serving, timeout_s=PATIENCE_S)


def _read(
    url: str,
    keys: Sequence[str],
    project: str,
    serving: Serving[Any],
    decoded: Callable[[str, Stored], dict[str, Any]],
) -> list[dict[str, Any]]:
    with closing(_reader(url, project, serving)) as reader:
        return [
            decoded(key, stored)
            for batch in _batches(dict.fromkeys(keys))
            for key, stored in zip(batch, reader.stored(batch), strict=True)
            if stored is not None
        ]


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    coming = iter(keys)
    while batch := list(islice(coming, _KEYS_PER_READ)):
        yield batch


class _SqliteReader:
    """A read-only connection to the tables `<project>_<view>` of an entity.

    Raises:
        OnlineStoreError: the file cannot be opened.
    """

    def __init__(self, address: SqliteAddress, project: str, serving: Serving[Any]) -> None:
        self._path = address.path.absolute()
        self._project = project
        self._serving = serving
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

    def stored(self, keys: Sequence[str]) -> list[Stored | None]:
        """Return what the tables hold of each of at most some hundred keys, of one instant; None of an unknown."""
        encoded_keys = [self._serving.keys.encode(key) for key in keys]
        marks = ",".join("?" * len(encoded_keys))
        found: dict[bytes, dict[tuple[str, str], bytes | None]] = {}
        try:
            self._connection.execute("BEGIN")
            tables = self._tables()
            for view in (view for view in self._serving.stored if self._name(view) in tables):
                query = f"SELECT entity_key, feature_name, value FROM {self._table(view)} WHERE entity_key IN ({marks})"
                for key, name, encoded in self._connection.execute(query, encoded_keys):
                    found.setdefault(bytes(key), {})[view.name, name] = encoded
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._refused(error) from None
        return [stored if (stored := found.get(key)) and self._known_to_feast(stored) else None for key in encoded_keys]

    def keys(self) -> Iterator[str]:
        """Yield every key that the first view holds, in one reading of it."""
        first = self._serving.views[0]
        try:
            if self._name(first) not in self._tables():
                return
            for (encoded,) in self._connection.execute(f"SELECT DISTINCT entity_key FROM {self._table(first)}"):
                key = self._serving.keys.decode(bytes(encoded))
                if key is not None:
                    yield key
        except sqlite3.Error as error:
            raise self._refused(error) from None

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

    def _known_to_feast(self, stored: Stored) -> bool:
        """Return whether Feast would find the key: by the timestamp of the first view."""
        return any(view == self._serving.views[0].name for view, _ in stored)
