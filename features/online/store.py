"""What every online store does: the contract that the SQLite and the Redis writer share, for users and items alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from features.online.rows import Fence, Row


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of the rows of one `write`: `written` + `fenced` = rows given."""

    written: int
    fenced: int


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """What became of the keys of one `delete`: `deleted` + `fenced` = keys given.

    A key the store never knew counts as deleted: it holds nothing of it, and the fence now stands.
    """

    deleted: int
    fenced: int


class OnlineStore(Protocol):
    """The rows served of each key of one entity, behind a compare-and-set fence.

    Synchronous and made for one caller at a time, which need not be the thread that opened the store.
    Every method but `close` raises `OnlineStoreError` when the store is unreachable, locked, full or refuses.
    Calls may be repeated after such an error: the fence makes them idempotent.
    """

    def write(self, rows: Sequence[Row]) -> WriteResult:
        """Write all views of each key whose fence is greater than the stored one.

        Of several rows of one key only the greatest fence can land. A row whose fence equals the stored one
        is already in place, and counts as fenced. Each key's views change together, or not at all.
        """
        ...

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        """Remove exactly these keys from all views and leave a fence each, so that no older write returns.

        A row newer than its key's fence is kept and counts as fenced; on a tie the removal wins.

        Args:
            removals: what to forget, with the version of each removal.
            fence_ttl_s: seconds after which the fences themselves, which name the keys, may be forgotten too;
                None keeps them. A later write keeps the key's fence for good again.
        """
        ...

    def has(self, key: str) -> bool:
        """Read back whether anything of this key is served."""
        ...

    def ping(self) -> None:
        """Return when the store answers."""
        ...

    def risks(self) -> list[str]:
        """Return one line per setting of the store's own by which it may lose rows, with what to do."""
        ...

    def close(self) -> None:
        """Release the connection; a second call does nothing."""
        ...
