"""Stand-ins that take one part of the flow out of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.online.rows import Fence, OnlineRow
from features.online.store import DeleteResult, WriteResult
from streams.worker.publishing.emission import Emission, Subject
from streams.worker.users.emitter import Emitter


class NullStore:
    """An online store that takes everything and keeps nothing."""

    def write(self, rows: Sequence[OnlineRow]) -> WriteResult:
        """Take rows."""
        return WriteResult(len(rows), 0)

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        """Take removals."""
        return DeleteResult(len(removals), 0)

    def has(self, user_id: str) -> bool:
        """Hold nothing."""
        return False

    def ping(self) -> None:
        """Answer."""

    def empty(self) -> bool:
        """Be empty."""
        return True

    def risks(self) -> list[str]:
        """Risk nothing."""
        return []

    def close(self) -> None:
        """Hold nothing open."""


class SilentEmitter(Emitter):
    """Publishes nothing: what is left is keeping the state current, and its changelog."""

    def emit(self, groups: Sequence[Sequence[Subject]]) -> list[Emission]:
        """Return emissions without records and rows."""
        return [Emission(self._instants.next()) for _ in groups]
