"""One description of what is remembered by key: users are one entity, items the other.

Whatever keeps, moves, publishes or recovers states takes an `Entity` and serves both by the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from features.tiles import TileLevel


class State(Protocol):
    """What the state of every entity has.

    Attributes:
        epoch: the assignment of the partition under which this state was last changed.
        sequence: changes ever; with `epoch` it orders two states of a key.
        offsets: by source, the greatest offset of a record that changed the state; -1 for none.
        by_five_minutes, by_hour, by_day: the tiles.
    """

    epoch: int
    sequence: int
    offsets: list[int]
    by_five_minutes: TileLevel
    by_hour: TileLevel
    by_day: TileLevel

    @property
    def life(self) -> int:
        """Erasures applied ever; items have life 0."""

    @property
    def revision(self) -> int:
        """What was applied since first seen or last forgotten."""

    @property
    def newest(self) -> int | None:
        """Time of the newest event, ms; None before the first."""

    @property
    def oldest(self) -> int | None:
        """Time of the oldest event, ms; None before the first."""

    def instant(self, as_of: int | None) -> int:
        """T: max(as-of, time of the newest event), ms.

        Raises:
            ValueError: nothing was applied yet.
        """


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class Entity(Generic[S]):
    """A kind of key that states are kept by.

    Attributes:
        name: `user` or `item`.
        join_key: what the key is called in rows and records.
        sources: how many topics its records come from, which is the length of a state's `offsets`.
        new: makes the state of a key that nothing is known of.
        encode: to bytes.
        decode: from bytes.
        order: (epoch, sequence) of encoded state; of two states of a key the greater is the later one.
        offsets_and_erasure: of encoded state, what a recovery has to know: the last offset applied of each source, and
            up to which time (ms) it refuses events, None for a key that was never erased, or forgotten and came back.
        moved: encoded state as it is in front of other input topics, with an epoch of at least the given one.
        substance: what of encoded state `moved` leaves as it is.

    All that take bytes raise `StateFormatError` for those that this release cannot read.
    """

    name: str
    join_key: str
    sources: int
    new: Callable[[], S]
    encode: Callable[[S], bytes]
    decode: Callable[[bytes], S]
    order: Callable[[bytes], tuple[int, int]]
    offsets_and_erasure: Callable[[bytes], tuple[list[int], int | None]]
    moved: Callable[[bytes, int], bytes]
    substance: Callable[[bytes], bytes]
