"""What an online store URL names, as both the writers and Feast's readers understand it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from features.exceptions import OnlineStoreURLError

_EXPECTED: Final = (
    "expected sqlite:///relative/online.db, sqlite:////absolute/online.db, redis://[:password@]host:port/db "
    "or rediss://[:password@]host:port/db"
)


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """A SQLite file."""

    path: Path


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis database; its `repr` and `str` never show the password."""

    host: str
    port: int
    database: int
    tls: bool
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def parse(url: str) -> SqliteAddress | RedisAddress:
    """Read an online store URL.

    Args:
        url: as SQLAlchemy writes SQLite paths (three slashes relative, four absolute) and Redis its own.
            User, password and host are percent-decoded; the default port is 6379, the default database 0.

    Raises:
        OnlineStoreURLError: another scheme, or a part that is missing or unknown; no message shows the URL,
            which may hold a password.
    """
    parts = _split(url)
    if parts is None:
        raise OnlineStoreURLError(f"{_EXPECTED}; found a URL whose host or port cannot be read")
    if parts.query or parts.fragment:
        raise OnlineStoreURLError(f"{_EXPECTED}; found a '?' or '#' (write them in a password as %3F and %23)")
    if parts.scheme == "sqlite":
        return _sqlite(parts)
    if parts.scheme in ("redis", "rediss"):
        return _redis(parts)
    raise OnlineStoreURLError(f"{_EXPECTED}; found the scheme {parts.scheme!r}")


def _split(url: str) -> SplitResult | None:
    # Returned rather than raised from: Python's own error quotes what it took for the port.
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _sqlite(parts: SplitResult) -> SqliteAddress:
    name = parts.path[1:]
    if parts.netloc or not name or name == ":memory:" or name.endswith("/"):
        raise OnlineStoreURLError(f"{_EXPECTED}; found a sqlite URL that names no file")
    return SqliteAddress(Path(name))


def _redis(parts: SplitResult) -> RedisAddress:
    host = parts.hostname or ""
    if not host or set(host) & set(":,="):
        raise OnlineStoreURLError(
            f"{_EXPECTED}; found no host, or one that Feast's readers cannot be given: use a name or an IPv4 address"
        )
    database = parts.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise OnlineStoreURLError(f"{_EXPECTED}; found a database that is no number")
    return RedisAddress(
        host=host,
        port=parts.port or 6379,
        database=int(database),
        tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
