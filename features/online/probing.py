"""Whether an online store could be written, found out without making or changing a row of it."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from features.exceptions import OnlineStoreError
from features.online.address import SqliteAddress, parse
from features.online.opening import PATIENCE_S
from features.online.views import PROJECT


def probe(url: str) -> list[str]:
    """Return one line per setting of the store's own by which it may lose rows.

    A SQLite file that is missing stays missing. Redis gets a key that is gone after a second.

    Args:
        url: see `features.online.address.parse`.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
        OnlineStoreError: the store cannot be reached or written.
    """
    address = parse(url)
    if isinstance(address, SqliteAddress):
        _probe_file(address.path.absolute())
        return []
    from features.online.redis import RedisOnlineStore

    with closing(RedisOnlineStore(address, PROJECT, timeout_s=PATIENCE_S)) as store:
        store.ping()
        store.try_writing()
        return store.risks()


def writable(folder: Path) -> bool:
    """Return whether a folder can be written, or made if it is missing; a file without a name is made to find out."""
    try:
        while not folder.exists():
            folder = folder.parent
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _probe_file(path: Path) -> None:
    if not writable(path.parent):
        raise OnlineStoreError(
            f"expected a folder for the SQLite online store at {path.parent}, found one that cannot be written: "
            "give a path that can"
        )
    if not path.exists():
        return
    if not path.is_file():
        raise OnlineStoreError(
            f"expected the SQLite online store at {path}, found no file there: give the path of a file"
        )
    try:
        with closing(
            sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE_S, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise OnlineStoreError(
            f"expected to write the SQLite online store at {path}, found {str(error)!r}: check the file, its rights, "
            "and that no other process holds it"
        ) from None
