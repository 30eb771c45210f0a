"""Things that are not well, and for how long each has stood still."""

from __future__ import annotations

from collections.abc import Callable, Collection


class Standstills:
    """Remembers of each thing where it was seen, and since when it is there.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def seconds(self, thing: str, position: object, *, well: bool = False) -> float:
        """Take note of where a thing is; return how long it has been there without being well."""
        now = self._clock()
        known, since = self._seen.get(thing, (None, now))
        if well or thing not in self._seen or position != known:
            self._seen[thing] = position, now
            return 0.0
        return now - since

    def forget(self, *things: str) -> None:
        """Let these begin anew: there is a reason for their standing still."""
        for thing in things:
            self._seen.pop(thing, None)

    def keep(self, things: Collection[str]) -> None:
        """Forget all others."""
        self.forget(*(self._seen.keys() - set(things)))
