"""The SQLite writer: Feast's tables, and a fence table in the same transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from features.exceptions import OnlineStoreError
from features.online.rows import Fence, Row, check_fence, newest_per_key
from features.online.sqlite_rows import blocks_of, feast_seconds, fence_table, quoted, upsert
from features.online.store import DeleteResult, WriteResult
from features.online.user_views import USERS
from features.online.views import Serving

_PRAGMAS: Final = (
    "journal_mode = WAL",
    # Offsets are committed once a write returns: a power cut must not take back what it promised.
    "synchronous = FULL",
    # Updated pages stay in memory for a batch of some hundred users, and the log is folded back every 32 MB
    # rather than every batch.
    "cache_size = -65536",
    "wal_autocheckpoint = 8192",
    # An erased user must not survive in the file's free space.
    "secure_delete = ON",
)
_KEYS_PER_QUERY: Final = 500
"""Below the 999 variables that the oldest SQLite builds allow in a statement."""


class SqliteOnlineStore:
    """Rows in the tables `<project>_<view>` as Feast creates them, fences in a table beside them (`fence_table`).

    Args:
        path: the database file; its folder is created when missing.
        project: the Feast project.
        serving: the entity whose rows they are.
        timeout_s: longest wait for another connection's lock, in seconds.
        clock_ns: wall clock, epoch ns; Feast's event timestamp is the time of the write.

    Raises:
        OnlineStoreError: the file cannot be opened, created or locked, or is no SQLite database.
    """

    def __init__(
        self,
        path: Path,
        project: str,
        serving: Serving[Any] = USERS,
        *,
        timeout_s: float = 5.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._turn = turn_of(path.absolute())
        self._clock_ns = clock_ns
        self._serving = serving
        self._key = serving.keys.encode
        self._tables = [quoted(f"{project}_{view.name}") for view in serving.stored]
        self._upserts = [(view, upsert(table, view)) for table, view in zip(self._tables, serving.stored, strict=True)]
        self._fence_name = fence_table(project, serving)
        self._fences = quoted(self._fence_name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OnlineStoreError(
                f"expected a folder for the SQLite online store at {path.parent}, found {error.strerror}: "
                "give a path that can be written"
            ) from error
        with self._translated():
            # Made in one thread and used in another, never in two at a time.
            self._connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
        try:
            with self._translated():
                for pragma in _PRAGMAS:
                    self._connection.execute(f"PRAGMA {pragma}")
            with self._transaction() as connection:
                self._create_tables(connection, project)
        except OnlineStoreError:
            self._connection.close()
            raise

    def write(self, rows: Sequence[Row]) -> WriteResult:
        """Write a batch in one transaction; see `OnlineStore.write`."""
        if not rows:
            return WriteResult(0, 0)
        newest = newest_per_key(rows)
        keyed = {self._key(row.key): row for row in newest}
        event_ts = feast_seconds(self._clock_ns())
        with self._transaction() as connection:
            stored = self._stored_fences(connection, list(keyed))
            landing = {key: row for key, row in keyed.items() if key not in stored or row.fence > stored[key]}
            if landing:
                blocks = blocks_of(self._serving, landing, event_ts)
                for view, statement in self._upserts:
                    if view.name in blocks:
                        connection.executemany(statement, blocks[view.name])
                self._raise_fences(connection, [(key, *row.fence, None) for key, row in landing.items()])
        return WriteResult(len(landing), len(rows) - len(landing))

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        """Remove keys in one transaction; see `OnlineStore.delete`.

        A fence past its `fence_ttl_s` is removed by the next call of this method, whatever it removes.
        """
        for fence in removals.values():
            check_fence(fence)
        fences = {self._key(key): fence for key, fence in removals.items()}
        now_s = self._clock_ns() // 1_000_000_000
        expires_at = None if fence_ttl_s is None else now_s + fence_ttl_s
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM {self._fences} WHERE expires_at <= ?", (now_s,))
            stored = self._stored_fences(connection, list(fences))
            doomed = [key for key, fence in fences.items() if key not in stored or fence >= stored[key]]
            for table in self._tables:
                connection.executemany(f"DELETE FROM {table} WHERE entity_key = ?", [(key,) for key in doomed])
            self._raise_fences(connection, [(key, *fences[key], expires_at) for key in doomed])
        return DeleteResult(len(doomed), len(fences) - len(doomed))

    def has(self, key: str) -> bool:
        """Read back whether any view holds a value of this key."""
        found = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE entity_key = :key)" for table in self._tables)
        with self._translated():
            (present,) = self._connection.execute(f"SELECT {found}", {"key": self._key(key)}).fetchone()
        return bool(present)

    def ping(self) -> None:
        """Read the fence table once."""
        with self._translated():
            self._connection.execute(f"SELECT 1 FROM {self._fences} LIMIT 1").fetchone()

    def risks(self) -> list[str]:
        """Return nothing: what is committed to the file stays there."""
        return []

    def close(self) -> None:
        """Close the connection; SQLite folds the write-ahead log back when it is the last one."""
        self._connection.close()

    def _create_tables(self, connection: sqlite3.Connection, project: str) -> None:
        # Word for word what `feast.infra.online_stores.sqlite` runs, so that a later `feast apply` finds its own.
        for view, table in zip(self._serving.stored, self._tables, strict=True):
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (entity_key BLOB, feature_name TEXT, value BLOB, "
                "value_text TEXT,  vector_value BLOB, event_ts timestamp, created_ts timestamp,  "
                "PRIMARY KEY(entity_key, feature_name))"
            )
            index = quoted(f"{project}_{view.name}_ek")
            connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} (entity_key);")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._fences} (entity_key BLOB PRIMARY KEY, epoch INTEGER NOT NULL, "
            "sequence INTEGER NOT NULL, emitted_at INTEGER NOT NULL, expires_at INTEGER)"
        )
        index = quoted(f"{self._fence_name}_expiry")
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS {index} ON {self._fences} (expires_at) WHERE expires_at IS NOT NULL"
        )

    def _stored_fences(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Fence]:
        fences: dict[bytes, Fence] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            found = connection.execute(
                f"SELECT entity_key, epoch, sequence, emitted_at FROM {self._fences} "
                f"WHERE entity_key IN ({','.join('?' * len(part))})",
                part,
            )
            fences.update({key: (epoch, sequence, emitted) for key, epoch, sequence, emitted in found})
        return fences

    def _raise_fences(self, connection: sqlite3.Connection, fences: list[tuple[Any, ...]]) -> None:
        connection.executemany(
            f"INSERT OR REPLACE INTO {self._fences} (entity_key, epoch, sequence, emitted_at, expires_at) "
            "VALUES (?, ?, ?, ?, ?)",
            fences,
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the first statement, so that what was read cannot change before the commit."""
        with self._translated():
            if not self._turn.acquire(timeout=self._timeout_s):
                raise sqlite3.OperationalError("database is locked")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            finally:
                self._turn.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # SQLite's messages name tables and causes, never bound values.
            found = str(error)
            advice = "check the file, its folder's rights and the free disk space"
            if "locked" in found:
                advice = f"another writer held it for more than {self._timeout_s:g} s; end or await that one"
            raise OnlineStoreError(
                f"expected the SQLite online store at {self._path} to answer, found {found!r}: {advice}"
            ) from error


# One that is forgotten while it is held costs a wait, and nothing else.
@lru_cache(maxsize=64)
def turn_of(path: Path) -> threading.Lock:
    """Return the lock by which the writers of a file in this process take turns.

    SQLite's own wait looks again after ever longer sleeps, and a neighbour that writes batch after batch outlasts it.
    """
    return threading.Lock()
