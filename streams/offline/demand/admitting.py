"""Which events of a file count: those that a worker would apply, told without folding a user."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from features.observation import event_key
from features.users.state import REMEMBERED_IDS
from streams.records.events import Click, Erasure, Review


@dataclass(slots=True)
class _User:
    """What decides about a user's next event: ids that are remembered, in the order of arrival, and the erasure."""

    clicks: dict[bytes, None] = field(default_factory=dict)
    reviews: dict[bytes, None] = field(default_factory=dict)
    erased_at: int | None = None


class Admitting:
    """Tells repetitions and refused events from those that count, as the contract does.

    A repetition has an `event_id` that is among the last 128 applied ones of its user and topic. An event is refused if
    it is not newer than an erasure that came before it. What came before an erasure has counted, and goes on to: items
    are not erased with users.
    """

    def __init__(self) -> None:
        self._users: defaultdict[str, _User] = defaultdict(_User)

    def erase(self, erasure: Erasure) -> None:
        """Take an erasure: ids are forgotten, and older events refused."""
        before = self._users[erasure.user_id].erased_at
        at = erasure.timestamp if before is None else max(before, erasure.timestamp)
        self._users[erasure.user_id] = _User(erased_at=at)

    def admits(self, event: Click | Review) -> bool:
        """Return whether the next event to arrive counts, and remember it if so."""
        user = self._users[event.user_id]
        if user.erased_at is not None and event.timestamp <= user.erased_at:
            return False
        remembered, key = user.clicks if isinstance(event, Click) else user.reviews, event_key(event.event_id)
        if key in remembered:
            return False
        if len(remembered) >= REMEMBERED_IDS:
            del remembered[next(iter(remembered))]
        remembered[key] = None
        return True
