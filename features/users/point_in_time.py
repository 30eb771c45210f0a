"""What would be served of a user as of any instant: the history of one user, folded by the code that serves.

Offline at T folds every event with timestamp <= T. Tiles make the order of events irrelevant, but not entirely: which
of several events under one id counts, and whether the id of an event or an order is still remembered, is decided by the
order of arrival. So that is what decides here too; the order of time, which serves all instants in one pass, is taken
where both agree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.observation import Observation, Source
from features.outcome import Outcome
from features.users.orders import REMEMBERED_ORDERS
from features.users.row import Value, profile, scalars, taste
from features.users.state import REMEMBERED_IDS, UserState

_BEFORE_ALL: Final = 0


class Snapshot(NamedTuple):
    """The features of a user at an instant: scalars in the order of `SCALARS`, and two vectors, float32[64] each."""

    instant: int
    revision: int
    scalars: tuple[Value, ...]
    profile: NDArray[np.float32]
    taste: NDArray[np.float32]


@dataclass(slots=True)
class UserHistory:
    """All that arrived of one user since the last erasure.

    Attributes:
        arrived: in the order of arrival; the offsets rise, from 1.
        erased_at: events up to this time (ms) are refused; None if never erased.
    """

    arrived: list[Observation] = field(default_factory=list)
    erased_at: int | None = None


class Folded:
    """A history once it is applied in full.

    Args:
        history: of one user.
        encoder: identity of the encoder behind its texts.

    Attributes:
        outcomes: how many observations were applied, duplicates and refused.
        applied: the observations that count, in the order of arrival.
        first_duplicate: the offset of the first duplicate to arrive; None without one.
    """

    def __init__(self, history: UserHistory, encoder: str) -> None:
        self._history = history
        self._encoder = encoder
        self._arrival_decides = arrival_decides(history.arrived)
        self.outcomes: Counter[Outcome] = Counter()
        self.applied: list[Observation] = []
        self.first_duplicate: int | None = None
        state = self._begun()
        for seen in history.arrived:
            outcome = state.apply(seen, encoder)
            self.outcomes[outcome] += 1
            if outcome is Outcome.APPLIED:
                self.applied.append(seen)
            elif outcome is Outcome.DUPLICATE and self.first_duplicate is None:
                self.first_duplicate = seen.offset

    def snapshots(self, instants: Sequence[int]) -> Iterator[Snapshot]:
        """Yield the features as of each instant by which there is an event.

        Args:
            instants: ms, rising.
        """
        if self._arrival_decides:
            yield from self._in_order_of_arrival(instants)
            return
        in_time = sorted(self.applied, key=lambda seen: seen.timestamp)
        renumbered = (msgspec.structs.replace(seen, offset=place) for place, seen in enumerate(in_time, 1))
        yield from snapshots(renumbered, instants, self._encoder)

    def applied_by(self, instant: int) -> list[Observation]:
        """Return what counts once every event up to an instant (ms) has arrived, in the order of arrival."""
        if not self._arrival_decides:
            return [seen for seen in self.applied if seen.timestamp <= instant]
        state = self._begun()
        arrived = (seen for seen in self._history.arrived if seen.timestamp <= instant)
        return [seen for seen in arrived if state.apply(seen, self._encoder) is Outcome.APPLIED]

    def _in_order_of_arrival(self, instants: Sequence[int]) -> Iterator[Snapshot]:
        in_time = sorted(self._history.arrived, key=lambda seen: seen.timestamp)
        state, reached, last = self._begun(), 0, _BEFORE_ALL
        for instant in instants:
            before, reached = reached, bisect_right(in_time, instant, key=lambda seen: seen.timestamp)
            coming = sorted(in_time[before:reached], key=lambda seen: seen.offset)
            if coming and coming[0].offset < last:
                # One of them arrived before another that is in the state, which has to begin anew.
                state = self._begun()
                coming = sorted(in_time[:reached], key=lambda seen: seen.offset)
            for seen in coming:
                state.apply(seen, self._encoder)
                last = seen.offset
            if state.revision:
                yield _snapshot(state, instant, self._encoder)

    def _begun(self) -> UserState:
        state = UserState()
        if self._history.erased_at is not None:
            state.erase(self._history.erased_at, _BEFORE_ALL, Source.ERASURES)
        return state


def snapshots(observations: Iterable[Observation], instants: Sequence[int], encoder: str) -> Iterator[Snapshot]:
    """Yield the features of one user at each instant (ms) by which they had an event, in the order of time.

    Args:
        observations: all of the user's, in the order of their timestamps.
        instants: T of each snapshot, rising; a snapshot covers every event with timestamp <= T.
        encoder: identity of the encoder behind the observations.
    """
    state = UserState()
    coming = iter(observations)
    following = next(coming, None)
    for instant in instants:
        while following is not None and following.timestamp <= instant:
            state.apply(following, encoder)
            following = next(coming, None)
        if state.revision:
            yield _snapshot(state, instant, encoder)


def snapshot_of(applied: Sequence[Observation], instant: int, encoder: str) -> Snapshot:
    """Return the features at an instant (ms) of exactly these observations, of rising offsets and at least one."""
    state = UserState()
    for seen in applied:
        state.apply(seen, encoder)
    return _snapshot(state, instant, encoder)


def _snapshot(state: UserState, instant: int, encoder: str) -> Snapshot:
    row, profiled, tasted = scalars(state, instant), profile(state, encoder), taste(state, encoder)
    return Snapshot(instant, state.revision, row, profiled, tasted)


def arrival_decides(arrived: Sequence[Observation]) -> bool:
    """Whether it may depend on the order of arrival which events or orders count as of some instant."""
    times: dict[tuple[int, bytes], int] = {}
    repeated: set[int] = set()
    for seen in arrived:
        identity = (seen.source, seen.event_key)
        if identity not in times:
            times[identity] = seen.timestamp
        elif times[identity] != seen.timestamp:
            return True
        else:
            repeated.add(seen.source)
    sizes = Counter(seen.source for seen in arrived)
    # Of so few none is forgotten, so that the first copy of an event is the one that counts in either order.
    if any(sizes[source] > REMEMBERED_IDS for source in repeated):
        return True
    lines = [seen for seen in arrived if seen.order is not None]
    return _may_forget_orders(lines) or _may_forget_orders(sorted(lines, key=lambda seen: seen.timestamp))


def _may_forget_orders(lines: Sequence[Observation]) -> bool:
    """Whether an order may be forgotten before its last line, if some of these lines come in this order."""
    first: dict[bytes | None, int] = {}
    last: dict[bytes | None, int] = {}
    for place, seen in enumerate(lines):
        first.setdefault(seen.order, place)
        last[seen.order] = place
    if len(first) <= REMEMBERED_ORDERS:
        return False
    begins, ends = sorted(first.values()), sorted(last.values())
    # Only an order with a line between the first and the last of another can take its place, whichever lines come.
    return any(
        bisect_left(begins, last[order]) - bisect_left(ends, begun) > REMEMBERED_ORDERS
        for order, begun in first.items()
        if last[order] > begun
    )
