"""Online stores for tests: one in memory, and hostile ones."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from features.exceptions import OnlineStoreError
from features.online import DeleteResult, Fence, OnlineRow, WriteResult
from features.online.store import OnlineStore
from support.patience import PATIENCE_S


class RecordingStore:
    """Remembers every call, and of each user the newest row or None once deleted."""

    def __init__(self) -> None:
        self.calls: list[list[OnlineRow] | dict[str, Fence]] = []
        self.users: dict[str, OnlineRow | None] = {}
        self.threads: set[str] = set()
        self.closed = False

    def write(self, rows: Sequence[OnlineRow]) -> WriteResult:
        self.threads.add(threading.current_thread().name)
        self.calls.append(list(rows))
        self.users.update((row.user_id, row) for row in rows)
        return WriteResult(len(rows), 0)

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        self.threads.add(threading.current_thread().name)
        self.calls.append(dict(removals))
        self.users.update((user_id, None) for user_id in removals)
        return DeleteResult(len(removals), 0)

    def has(self, user_id: str) -> bool:
        return self.users.get(user_id) is not None

    def ping(self) -> None:
        """It always answers."""

    def empty(self) -> bool:
        return not self.users

    def risks(self) -> list[str]:
        return []

    def close(self) -> None:
        self.closed = True


class FailingStore(RecordingStore):
    """Refuses the first `failures` calls, then is well; `error` may be another than a refusal."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        super().__init__()
        self.left = failures
        self._error = error or OnlineStoreError("expected the store to answer, found none: this is a test")

    def write(self, rows: Sequence[OnlineRow]) -> WriteResult:
        self._fail()
        return super().write(rows)

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        self._fail()
        return super().delete(removals, fence_ttl_s)

    def _fail(self) -> None:
        if self.left:
            self.left -= 1
            raise self._error


class BlockingStore(RecordingStore):
    """Holds every write until it is released; `held` is set while one waits.

    Args:
        inner: what the released writes go to.
    """

    def __init__(self, inner: OnlineStore | None = None) -> None:
        super().__init__()
        self._inner = inner
        self.held = threading.Event()
        self.released = threading.Event()

    def write(self, rows: Sequence[OnlineRow]) -> WriteResult:
        self.held.set()
        assert self.released.wait(PATIENCE_S), "nobody released the store"
        super().write(rows)
        return WriteResult(len(rows), 0) if self._inner is None else self._inner.write(rows)

    def close(self) -> None:
        super().close()
        if self._inner is not None:
            self._inner.close()
